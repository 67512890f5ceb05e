"""The console in real headless Chromium against the real server: the picture moves, and the past plays the past.

The checks themselves are tests/console/live_console_test.mjs; the screenshot is kept as an artifact.
"""
import contextlib
import os
import pathlib
import subprocess

from harness import ARTIFACTS, CameraSim, Server, check, main, seconds_of, wait_for


def sample_pictures():
    """The people's pictures, where scripts/sample-media has put them; the camera has a picture of its own otherwise."""
    media = pathlib.Path(os.environ.get("SAMPLE_MEDIA", ""))
    options = {"--background": media / "vtest.avi", "--face": media / "astronaut.png"}
    return [word for option, file in options.items() if file.is_file() for word in (option, str(file))]


def test(directory):
    with contextlib.ExitStack() as stack:
        sim = CameraSim(directory, "--cameras", "1", "--width", "640", "--height", "360", "--fps", "25", "--gop", "25",
                        "--duration", "10", *sample_pictures())
        stack.callback(sim.kill)
        server = Server(directory)
        stack.callback(server.kill)
        server.put_camera("door", sim.url(1))
        wait_for("40 s of footage: the checks go 20 s back, and 10 s more",
                 lambda: (f := server.fragments("door")) and
                 seconds_of(f[-1]["end"]) - seconds_of(f[0]["start"]) >= 40, 120)
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["node", os.environ["CONSOLE_TEST"]], timeout=400, env={
            **os.environ, "MILLRACE_URL": server.endpoint, "MILLRACE_STREAM": "door",
            "MILLRACE_SCREENSHOT": str(ARTIFACTS / "console.png")})
        check(done.returncode == 0, "the console's checks failed")
        check((ARTIFACTS / "console.png").stat().st_size > 10_000, "no screenshot was kept")


main(test)
