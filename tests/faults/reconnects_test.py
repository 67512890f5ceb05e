"""Goal: a camera that is lost and found again a thousand times costs no more than one that was never lost: memory, threads
and descriptors of the server stay flat, and the camera beside it is recorded without a hole.

Method: the real server and a simulated camera that resets each connection shortly after it began to play. What the server
holds is compared between the hundredth reconnect, when whatever is allocated once has been, and the last.
MILLRACE_RECONNECTS sets how many.
"""
import contextlib
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
from harness import CameraSim, Server, check, main, seconds_of, wait_for  # noqa: E402

RECONNECTS = int(os.environ.get("MILLRACE_RECONNECTS", "1000"))
WARM = 100
# The log's own growth is in it: rows of the index in memory, a fragment for each connection.
MEMORY_MIB_MAX = 16
THREADS_MAX = 4
DESCRIPTORS_MAX = 8


def test(directory):
    with contextlib.ExitStack() as stack:
        sim = CameraSim(directory, "--cameras", "2", "--width", "224", "--height", "128", "--fps", "100", "--gop", "100", "--bitrate", "200",
                        "--report-interval", "1", "--fault", "reset=0.03@1")
        stack.callback(sim.kill)
        (directory / "millrace.yaml").write_text("cameras:\n  retry_min_s: 0.01\n  retry_max_s: 0.01\n  silence_timeout_s: 60\nlog:\n  level: error\n")
        server = Server(directory, "--config", directory / "millrace.yaml")
        stack.callback(server.kill)
        server.put_camera("steady", sim.url(2))
        server.wait_recording("steady")
        server.put_camera("shaky", sim.url(1))

        def resources_at(connects, seconds):
            began = time.monotonic()
            wait_for(f"{connects} connections", lambda: server.camera("shaky")["connects"] >= connects, seconds, every=0.05)
            held = server.resources()
            print(f"{connects} connections after {time.monotonic() - began:.0f} s more: {held}", flush=True)
            return held

        before = resources_at(WARM, 120)
        after = resources_at(RECONNECTS, 30 + RECONNECTS)
        check(after.memory_mib <= before.memory_mib + MEMORY_MIB_MAX, f"memory grew: {before} to {after}")
        check(after.threads <= before.threads + THREADS_MAX, f"threads grew: {before} to {after}")
        check(after.descriptors <= before.descriptors + DESCRIPTORS_MAX, f"descriptors grew: {before} to {after}")

        # It is none the worse for it.
        sim.tell("clear 1")
        well = time.time()
        wait_for("the camera to be recorded", lambda: any(
            seconds_of(f["start"]) > well for f in server.get("/v1/streams/shaky/fragments?last=2")["fragments"]))
        check(server.camera("steady")["attempts"] == 1, "the other camera was lost")
        steady = server.fragments("steady")
        for one, following in zip(steady, steady[1:]):
            check(one["end"] == following["start"], f"a hole in the other camera's recording: {one} {following}")
        check(server.terminate() == 0, "the server did not end with 0 after SIGTERM")


main(test)
