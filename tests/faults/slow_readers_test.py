"""Goal: a reader of HLS that is slow, or reads nothing at all, costs the others nothing: the cameras are recorded without a
hole, another reader is served at once, and the server's memory stays within what its caches may take.

Method: the real server and two cameras; many connections ask for all segments again and again, one after the other on the
same connection. Half of them never read an answer, the others read one byte a second. Meanwhile a good reader plays.
"""
import contextlib
import pathlib
import re
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
from harness import CameraSim, Server, check, main, seconds_of, wait_for  # noqa: E402

READERS = 40
SECONDS = 12
ANSWER_SECONDS_MAX = 5  # of the good reader; the machine may be busy
STILL_SECONDS = 1  # a busy machine lets nobody wait longer who only wants to see the time
# The segments that are kept are limited to this, and a connection holds one answer.
CACHE_MIB = 4
MEMORY_MIB_MAX = 64


class BadReader:
    """Asks for much and takes little."""

    def __init__(self, endpoint, paths, takes):
        host, port = endpoint.removeprefix("http://").split(":")
        self.takes = takes
        self.taken = 0
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect((host, int(port)))
        self.socket.setblocking(False)
        requests = "".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n" for path in paths * 20)
        with contextlib.suppress(OSError):
            self.socket.send(requests.encode())

    def take(self):
        if self.takes:
            with contextlib.suppress(OSError):
                self.taken += len(self.socket.recv(1))


class StoodStill(threading.Thread):
    """How long the whole machine did: by how much sleeps were late."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seconds = 0.0
        self.start()

    def run(self):
        while True:
            began = time.monotonic()
            time.sleep(0.05)
            late = time.monotonic() - began - 0.05
            if late > STILL_SECONDS:
                self.seconds += late

    def timed(self, work):
        """What work() gives, and the seconds that it took while the machine ran."""
        began, still = time.monotonic(), self.seconds
        value = work()
        took = time.monotonic() - began
        if took > STILL_SECONDS:
            time.sleep(0.5)  # the thread says how much of it nobody ran
        return value, took - (self.seconds - still)


def segments(server, stream):
    text = server.get_bytes(f"/hls/{stream}/media.m3u8").decode()
    return re.findall(r"^\d+\.m4s$", text, re.MULTILINE)


def test(directory):
    with contextlib.ExitStack() as stack:
        sim = CameraSim(directory, "--cameras", "2", "--width", "640", "--height", "360", "--gop", "25", "--bitrate", "2000")
        stack.callback(sim.kill)
        (directory / "millrace.yaml").write_text(f"hls:\n  cache_mib: {CACHE_MIB}\nhttp:\n  worker_threads: 2\n"
                                                  "cameras:\n  silence_timeout_s: 60\n")
        server = Server(directory, "--config", directory / "millrace.yaml")
        stack.callback(server.kill)
        for number, name in enumerate(("watched", "beside"), 1):
            server.put_camera(name, sim.url(number))
        wait_for("segments", lambda: all(len(server.fragments(name)) >= 6 for name in ("watched", "beside")))
        before = server.resources()
        paths = [f"/hls/watched/{name}" for name in segments(server, "watched")]
        bad = [BadReader(server.endpoint, paths, takes=i % 2 == 0) for i in range(READERS)]
        over = threading.Event()

        def dribble():
            while not over.wait(1):
                for each in bad:
                    each.take()

        dribbling = threading.Thread(target=dribble)
        dribbling.start()
        stack.callback(dribbling.join)
        stack.callback(over.set)

        names = ("watched", "beside")
        older = {(name, segment) for name in names for segment in segments(server, name)[:-2]}
        worst, served, stood = 0, set(), StoodStill()
        until = time.monotonic() + SECONDS
        # Where the disk stands still, segments come late, and all of them then.
        while time.monotonic() < until or any(sum(of == name for of, _ in served) < SECONDS for name in names):
            check(time.monotonic() < until + 120, f"the good reader got no more than {sorted(served)}")
            for name in names:
                playlist, took = stood.timed(lambda: segments(server, name))
                worst = max(worst, took)
                for segment in playlist:
                    if (name, segment) in older | served:
                        continue
                    data, took = stood.timed(lambda: server.get_bytes(f"/hls/{name}/{segment}"))
                    check(len(data) > 1000, "an empty segment")
                    worst = max(worst, took)
                    served.add((name, segment))
            wait_for("a new segment", lambda: ("watched", segments(server, "watched")[-1]) not in served)
        after = server.resources()
        print(f"{len(served)} segments, the slowest in {worst * 1000:.0f} ms; {before} -> {after}; "
              f"{sum(each.taken for each in bad)} bytes taken by {READERS} bad readers")
        check(any(each.taken for each in bad), "no bad reader was answered")
        check(worst <= ANSWER_SECONDS_MAX, f"the good reader waited {worst:.1f} s for an answer")
        check(after.memory_mib <= before.memory_mib + MEMORY_MIB_MAX, f"memory grew: {before} to {after}")
        check(after.threads <= before.threads + 4, f"threads grew: {before} to {after}")
        for name in names:
            check(server.camera(name)["attempts"] == 1, f"{name} was lost")
            recorded = server.fragments(name)
            for one, following in zip(recorded, recorded[1:]):
                check(one["end"] == following["start"], f"a hole in the recording of {name}: {one} {following}")
            check(time.time() - seconds_of(recorded[-1]["end"]) < 10, f"{name} is recorded late")
        for each in bad:
            each.socket.close()
        check(server.terminate() == 0, "the server did not end with 0 after SIGTERM")


main(test)
