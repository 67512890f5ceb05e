"""What the tests of WebRTC share: a real Chromium that publishes by WHIP and watches by WHEP, as it is told."""
import json
import pathlib

from harness import Process, check


class Browser(Process):
    def __init__(self, directory, origin):
        script = pathlib.Path(__file__).with_name("webrtc_browser.mjs")
        super().__init__(["node", script, origin], directory / "browser.log", stdin=True)
        self.wait_line('{"ready"', 120)

    def do(self, **request):
        self.tell(json.dumps(request))
        answer = json.loads(self.wait_line("{", 60))
        check("failed" not in answer, f"{request}: {answer}")
        return answer

    def publish(self, stream, codec="h264", **more):
        done = self.do(do="publish", url=f"/whip/{stream}", codec=codec, **more)
        check(done["status"] == 201, done)
        return done

    def stats(self, session):
        return self.do(do="stats", session=session["session"])

    def end(self):
        self.child.stdin.close()
        self.child.wait(30)
