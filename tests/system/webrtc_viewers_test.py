"""Viewers that do not read, and viewers that come and go.

Goal: a viewer that takes nothing costs the server no memory and the others no picture, and sees the newest pictures once it
takes some again; fifty viewers that came and went leave nothing behind: no thread, no descriptor, no memory.
Method: webrtc-sim publishes and watches; a viewer's process is stopped (SIGSTOP) and goes on.
"""
import contextlib
import signal
import time
import urllib.request

import harness
from harness import Server, check, wait_for
from webrtc_sim import WebrtcSim

STOPPED_S = 6  # of the 15 s that a viewer may be silent
ROUNDS, VIEWERS = 5, 10
MEMORY_MIB_MAX = 12


def watch(stack, directory, server, name, count=1):
    sim = WebrtcSim(directory, name, "watch", "--count", count, "--no-audio")
    stack.callback(sim.kill)
    sim.connect(server, "/whep/door", count)
    wait_for(f"{name}'s pictures", lambda: min(sim.stats()["frames"]) > 5, 60)
    return sim


def delete(server, session):
    request = urllib.request.Request(server.endpoint + session, method="DELETE")
    with urllib.request.urlopen(request, timeout=30) as answer:
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


def check_come_and_go(directory, server):
    def visit(name, count):
        with contextlib.ExitStack() as stack:
            sim = watch(stack, directory, server, name, count)
            for session in sim.sessions:
                delete(server, session)

    def settled(what, threads):
        return wait_for(what, lambda: (now := server.resources()).threads <= threads and now, 60)

    alone = server.resources().threads
    visit("first", VIEWERS)  # what is made once and kept
    before = settled("the first viewers' threads gone", alone)
    for number in range(ROUNDS):
        visit(f"round-{number}", VIEWERS)
    after = settled(f"{before} again", before.threads)
    check(after.memory_mib - before.memory_mib <= MEMORY_MIB_MAX, f"{before} became {after}")
    check(after.descriptors <= before.descriptors + 2, f"{before} became {after}")
    print(f"{ROUNDS * VIEWERS} viewers: {before} became {after}", flush=True)


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
        check_stopped(stack, directory, server)
        wait_for("the viewers' threads gone", lambda: server.get_bytes("/metrics").decode().count("millrace_webrtc_viewers 0"), 30)
        check_come_and_go(directory, server)
        check(server.terminate() == 0, "the server did not end well")


harness.main(test)
