"""Viewers that do not read, and viewers and publishers that come and go.

Goal: what a producer puts by PutMedia is watched, but for B-frames, which are sent to HLS. A viewer that takes nothing costs the server
no memory and the others no picture, and sees the newest pictures once it takes some again; fifty viewers, and fifty publishers, that were
connected and went leave nothing behind: no thread, no descriptor, no memory.
Method: webrtc-sim publishes and watches; a viewer's process is stopped (SIGSTOP) and goes on.
"""
import contextlib
import itertools
import signal
import threading
import time
import urllib.error
import urllib.request

import harness
from harness import Server, check, wait_for
from matroska import cluster, document_head
from producers import CProducer
from video_streams import H264, call, make_media
from webrtc_sim import WebrtcSim

STOPPED_S = 6  # of the 15 s that a viewer may be silent
ROUNDS, PEERS = 5, 10
MEMORY_MIB_MAX = 12
PUT_S = 10  # again and again
B_FRAMES = (*H264[:-1], H264[-1].replace("bframes=0", "bframes=2"))


def watch(stack, directory, server, name, count=1, stream="door"):
    sim = WebrtcSim(directory, name, "watch", "--count", count, "--no-audio")
    stack.callback(sim.kill)
    sim.connect(server, f"/whep/{stream}", count)
    wait_for(f"{name}'s pictures", lambda: min(sim.stats()["frames"]) > 5, 60)
    return sim


def delete(server, session):
    request = urllib.request.Request(server.endpoint + session, method="DELETE")
    with urllib.request.urlopen(request, timeout=60) as answer:
        check(answer.status == 200, answer.status)


def check_stopped(stack, directory, server):
    reading = watch(stack, directory, server, "reading")
    stopped = watch(stack, directory, server, "stopped")
    before, seen = server.resources(), reading.stats()["frames"][0]
    stopped.child.send_signal(signal.SIGSTOP)
    end = time.monotonic() + STOPPED_S
    wait_for("pictures for the one who reads", lambda: reading.stats()["frames"][0] > seen + 25, 60)
    server.live_for(end - time.monotonic())
    grown = server.resources().memory_mib - before.memory_mib
    check(grown <= MEMORY_MIB_MAX, f"{grown} MiB for a viewer that does not read")
    stopped.child.send_signal(signal.SIGCONT)
    shown = stopped.stats()["frames"][0]
    wait_for("pictures after the stop", lambda: stopped.stats()["frames"][0] > shown + 50, 60)
    for each in (reading, stopped):
        delete(server, each.sessions[0])
        each.kill()


def visit_as_viewers(directory, server, name):
    with contextlib.ExitStack() as stack:
        sim = watch(stack, directory, server, name, PEERS)
        for session in sim.sessions:
            delete(server, session)


def visit_as_publishers(directory, server, name):
    """Each to a stream of its own; all are recorded when they go."""
    def live():
        return sum(each["live"] for each in server.get("/v1/streams")["streams"] if each["name"].startswith("guest-"))

    with contextlib.ExitStack() as stack:
        sim = WebrtcSim(directory, name, "publish", "--count", PEERS, "--bitrate", 100)
        stack.callback(sim.kill)
        sim.connect(server, "/whip/guest-{}", PEERS)
        wait_for(f"{name} connected", lambda: sim.stats()["connected"] == PEERS, 60)
        wait_for(f"{name} recorded", lambda: live() == PEERS, 60)
        for session in sim.sessions:
            delete(server, session)
        wait_for(f"{name}'s end", lambda: live() == 0, 60)


def check_come_and_go(directory, server, visit, name):
    def settled(what, threads):
        return wait_for(what, lambda: (now := server.resources()).threads <= threads and now, 60)

    alone = server.resources().threads
    visit(directory, server, f"{name}-first")  # what is made once and kept
    before = settled(f"the first {name}' threads gone", alone)
    for number in range(ROUNDS):
        visit(directory, server, f"{name}-{number}")
    after = settled(f"{before} again", before.threads)
    check(after.memory_mib - before.memory_mib <= MEMORY_MIB_MAX, f"{before} became {after}")
    check(after.descriptors <= before.descriptors + 2, f"{before} became {after}")
    print(f"{ROUNDS * PEERS} {name}: {before} became {after}", flush=True)


@contextlib.contextmanager
def putting(directory, server, stream, video):
    """A producer that puts a fragment a second, as they are taken."""
    source, over = make_media(directory / f"{stream}.mkv", PUT_S, video), threading.Event()
    call(server, "/createStream", StreamName=stream, DataRetentionInHours=24)

    def put():
        with CProducer(server.endpoint, stream) as producer:
            producer.send(document_head(source))
            start = time.time()
            for number, each in enumerate(itertools.cycle(source.clusters)):
                if over.wait(max(0, start + number + 1 - time.time())):
                    break
                producer.send(cluster(int(start * 1000) + 1000 * number, each.frames))
            producer.end()

    thread = threading.Thread(target=put)
    thread.start()
    try:
        wait_for(f"{stream}'s fragments", lambda: len(server.fragments(stream)) > 1, 60)
        yield
    finally:
        over.set()
        thread.join()


def check_put(stack, directory, server):
    with putting(directory, server, "put", H264):
        sim = watch(stack, directory, server, "put", stream="put")
        seen = sim.stats()["frames"][0]
        wait_for("pictures of several fragments", lambda: sim.stats()["frames"][0] > seen + 75, 60)
        delete(server, sim.sessions[0])
        sim.kill()
    with putting(directory, server, "reordered", B_FRAMES):
        try:
            watch(stack, directory, server, "reordered", stream="reordered")
        except urllib.error.HTTPError as error:
            told = error.read().decode()
            check(error.code == 406 and "B-frames" in told and "/hls/reordered/" in told, told)
        else:
            check(False, "B-frames are sent over WebRTC")


def test(directory):
    (directory / "webrtc.yaml").write_text('webrtc: {addresses: ["127.0.0.1"], key_frame_s: 1}\n')
    with contextlib.ExitStack() as stack:
        server = Server(directory, "--config", directory / "webrtc.yaml")
        stack.callback(server.kill)
        publisher = WebrtcSim(directory, "publisher", "publish", "--no-audio")
        stack.callback(publisher.kill)
        publisher.connect(server, "/whip/door")
        wait_for("the stream live", lambda: server.get("/v1/streams/door")["live"], 60)
        wait_for("a fragment", lambda: len(server.fragments("door")) > 1, 60)
        check_put(stack, directory, server)
        check_stopped(stack, directory, server)
        wait_for("the viewers' threads gone", lambda: server.get_bytes("/metrics").decode().count("millrace_webrtc_viewers 0"))
        check_come_and_go(directory, server, visit_as_viewers, "viewers")
        check_come_and_go(directory, server, visit_as_publishers, "publishers")
        check(server.terminate() == 0, "the server did not end well")


harness.main(test)
