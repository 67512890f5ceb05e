"""The console publishes by WebRTC and plays live by it, and by HLS, against the real server.

The checks are tests/console/live_webrtc_test.mjs; the screenshot is kept as an artifact.
"""
import os
import subprocess

from harness import ARTIFACTS, Server, check, main


def test(directory):
    (directory / "webrtc.yaml").write_text("webrtc: {ports: 30000-60000}\n")
    server = Server(directory, "--config", directory / "webrtc.yaml")
    try:
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["node", os.environ["WEBRTC_CONSOLE_TEST"]], timeout=400, env={
            **os.environ, "MILLRACE_URL": server.endpoint, "MILLRACE_SCREENSHOT": str(ARTIFACTS / "webrtc.png")})
        check(done.returncode == 0, "the console's checks failed")
        check(server.terminate() == 0, "the server did not end well")
    finally:
        server.kill()


main(test)
