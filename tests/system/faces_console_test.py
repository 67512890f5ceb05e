"""A camera with a real face, recorded, analysed by the server's own analyzer, and looked at in a real Chromium.

The checks on the page are tests/console/live_faces_test.mjs; the screenshot is kept as an artifact.
"""
import contextlib
import os
import pathlib
import subprocess

from harness import ARTIFACTS, CameraSim, Server, check, main, seconds_of, wait_for

FPS = 25
SECONDS = 20


def test(directory):
    media = pathlib.Path(os.environ["SAMPLE_MEDIA"])
    with contextlib.ExitStack() as stack:
        sim = CameraSim(directory, "--cameras", "1", "--width", "640", "--height", "360", "--fps", FPS, "--gop", FPS,
                        "--duration", SECONDS, "--no-audio",
                        "--background", media / "vtest.avi", "--face", media / "astronaut.png")
        stack.callback(sim.kill)
        server = Server(directory)
        stack.callback(server.kill)
        server.put_camera("door", sim.url(1), analyzers=["faces"])
        wait_for("30 s of footage",
                 lambda: (f := server.fragments("door")) and
                 seconds_of(f[-1]["end"]) - seconds_of(f[0]["start"]) >= 30, 120)
        first = wait_for("faces", lambda: server.get("/v1/streams/door/faces?limit=1000")["records"], 120)
        found = sum(1 for record in first if record.get("FaceSearchResponse"))
        # How many of many are found, tests/consumers/faces measures; these are two dozen.
        check(found * 100 >= len(first) * 80, f"{found} of {len(first)} analysed frames show a face")
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["node", os.environ["FACES_CONSOLE_TEST"]], timeout=400, env={
            **os.environ, "MILLRACE_URL": server.endpoint, "MILLRACE_STREAM": "door", "CLIP_FPS": str(FPS),
            "CLIP_FRAMES": str(FPS * SECONDS), "MILLRACE_SCREENSHOT": str(ARTIFACTS / "faces.png")})
        check(done.returncode == 0, "the console's checks failed")


main(test)
