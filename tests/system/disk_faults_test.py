"""The disk stalls, reports errors, is full and is read-only under a server that records: every time the server says so, goes on
answering, goes on recording by itself when the disk is well again, and has lost nothing, since all of it fits into memory.

Method: a shared library stands between the server and the disk (disk_faults.cc). MILLRACE_TEST_STALL_S=30 for a long stall.
"""
import contextlib
import os
import time
import urllib.error

from harness import MILLRACE, CameraSim, Server, check, main, run, seconds_of, wait_for

STALL_S = float(os.environ.get("MILLRACE_TEST_STALL_S", "7"))  # more than the 5 s after which it is called one
CAMERAS = ["cam1", "cam2"]


def status_of(server, path):
    try:
        server.get_bytes(path)
        return 200
    except urllib.error.HTTPError as error:
        return error.code


def test(directory):
    word = directory / "fault"

    def fault(text):
        fresh = directory / "fault.new"
        fresh.write_text(text)
        fresh.rename(word)

    fault("none")
    environment = {"MILLRACE_TEST_DISK_FAULTS": str(word), "LD_PRELOAD": os.environ["DISK_FAULTS_LIBRARY"]}
    asan = os.environ.get("ASAN_OPTIONS", "")
    environment["ASAN_OPTIONS"] = (asan + ":" if asan else "") + "verify_asan_link_order=0"
    with contextlib.ExitStack() as stack:
        sim = CameraSim(directory, "--cameras", "2", "--width", "320", "--height", "240", "--fps", "25", "--gop", "25",
                        "--duration", "10")
        stack.callback(sim.kill)
        before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)
        try:
            server = Server(directory)
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
        stack.callback(server.kill)
        for i, name in enumerate(CAMERAS, 1):
            server.put_camera(name, sim.url(i))

        def state():
            return server.get("/v1/storage")["state"]

        def all_have(count):
            return all(len(server.fragments(name)) >= count for name in CAMERAS)

        wait_for("the first fragments", lambda: all_have(3))
        for kind, states, seconds in [("stall", ["stalled"], STALL_S), ("eio", ["failing"], 3), ("enospc", ["full"], 3),
                                      ("erofs", ["read_only"], 3)]:
            counts = {name: len(server.fragments(name)) for name in CAMERAS}
            fault(kind)
            began = time.monotonic()
            wait_for(f"{kind}: state {states}", lambda: state() in states)
            check(status_of(server, "/readyz") == 503, f"{kind}: ready all the same")
            check(status_of(server, "/healthz") == 200, f"{kind}: not even alive")
            check(server.get("/v1/storage")["message"], f"{kind}: no message")
            check(all(len(server.fragments(name)) >= counts[name] for name in CAMERAS), f"{kind}: reading does not go on")
            server.live_for(seconds - (time.monotonic() - began))
            fault("none")
            wait_for(f"recording to go on after {kind}",
                     lambda: state() == "ok" and all(len(server.fragments(name)) > counts[name] + 2 for name in CAMERAS), 60)
            check(status_of(server, "/readyz") == 200, f"not ready after {kind}")
            print(f"{kind}: well again")
        wait_for("some more", lambda: all_have(12))
        for name in CAMERAS:
            fragments = server.fragments(name)
            numbers = [fragment["number"] for fragment in fragments]
            check(len(set(numbers)) == len(numbers), f"{name} has a fragment twice")
            for earlier, later in zip(fragments, fragments[1:]):
                hole = seconds_of(later["start"]) - seconds_of(earlier["end"])
                check(abs(hole) < 0.2, f"{name}: {hole} s between {earlier} and {later}")
            coverage = server.get(f"/v1/streams/{name}/coverage")["intervals"]
            check(all(interval.get("cause") != "disk_refused" for interval in coverage), f"{name}: {coverage}")
        check(server.terminate() == 0, "the server did not stop cleanly")
        run(MILLRACE, "check", "--data-dir", directory / "data")


main(test)
