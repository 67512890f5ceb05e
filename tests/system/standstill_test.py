"""A server that stood still goes on recording where it was: what cameras sent meanwhile waits in its sockets, and is no silence.

Method: cameras that count as lost after 6 s without a frame; the server's process is stopped for 13 s, and goes on. Its cameras must not
have been dialled anew, and their recording must be one run without a hole, across the time when nobody read it.
"""
import contextlib
import os
import signal
import time

from harness import STOP, CameraSim, Server, check, main, seconds_of, wait_for

SILENCE, STILL = 6, 13
CAMERAS = ("one", "two")


def test(directory):
    config = directory / "config.yaml"
    config.write_text(f"{STOP}cameras: {{silence_timeout_s: {SILENCE}}}\n")
    with contextlib.ExitStack() as stack:
        # Small pictures: all of the time fits between the two.
        sim = CameraSim(directory, "--cameras", str(len(CAMERAS)), "--width", "224", "--height", "128", "--fps", "15", "--gop", "15",
                        "--duration", "10")
        stack.callback(sim.kill)
        server = Server(directory, "--config", config)
        stack.callback(server.kill)
        for number, name in enumerate(CAMERAS, 1):
            server.put_camera(name, sim.url(number))
        for name in CAMERAS:
            wait_for(f"footage of {name}", lambda: len(server.fragments(name)) >= 3)

        stopped = time.time()
        os.kill(server.child.pid, signal.SIGSTOP)
        try:
            time.sleep(STILL)
        finally:
            os.kill(server.child.pid, signal.SIGCONT)
        for name in CAMERAS:
            wait_for(f"footage of {name} of afterwards",
                     lambda: seconds_of(server.fragments(name)[-1]["start"]) > stopped + STILL + SILENCE)
            camera = server.camera(name)
            check(camera["attempts"] == 1, f"{name} was dialled anew: {camera}")
            fragments = server.fragments(name)
            check(len({one["run"] for one in fragments}) == 1, f"{name}: more than one run")
            for previous, following in zip(fragments, fragments[1:]):
                check(previous["end"] == following["start"], f"{name} has a hole after {previous}")
        check(server.terminate() == 0, "the server ends in order")


main(test)
