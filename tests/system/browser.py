"""Real Chromiums that do what they are told (browser_lines.mjs)."""
import json
import os
import pathlib

from harness import Process, check, wait_for


class Browser(Process):
    def __init__(self, directory, script, *arguments):
        script = pathlib.Path(__file__).with_name(script)
        super().__init__(["node", script, *arguments], directory / "browser.log", stdin=True)
        self.wait_line('{"ready"', 120)

    def do(self, **request):
        self.tell(json.dumps(request))
        answer = json.loads(self.wait_line("{", 120))
        check("failed" not in answer, f"{request}: {answer}")
        return answer

    def end(self):
        self.child.stdin.close()
        self.child.wait(60)


class WhipBrowser(Browser):
    """Publishes by WHIP in its first page and watches by WHEP in a second one. Sessions are what it answers."""

    def __init__(self, directory, origin):
        super().__init__(directory, "webrtc_browser.mjs", origin)

    def publish(self, stream, codec="h264", **more):
        done = self.do(do="publish", url=f"/whip/{stream}", codec=codec, **more)
        check(done["status"] == 201, done)
        return {**done, "page": "first"}

    def watch(self, stream):
        done = self.do(do="watch", url=f"/whep/{stream}", page="second")
        check(done["status"] == 201, done)
        return {**done, "page": "second"}

    def _of(self, session, what):
        return self.do(do=what, session=session["session"], page=session["page"])

    def stats(self, session):
        return self._of(session, "stats")

    def marks(self, session):
        return self._of(session, "marks")["sound_later_ms"]

    def close(self, session):
        """Without a word to the server."""
        self._of(session, "close")


class SdkBrowser(Browser):
    """Masters and viewers of the WebRTC SDK of Kinesis Video Streams, each in a page of its own."""

    def __init__(self, directory, origin):
        super().__init__(directory, "signaling_browser.mjs", origin, os.environ["KVS_WEBRTC_JS"])

    def start(self, role, name, **asked):
        return self.do(do=role, name=name, page=name, **asked)

    def is_closed(self, name):
        return self.do(do="state", name=name, page=name)["closed"]

    def check_moving(self, name):
        def shown(least):
            seen = self.do(do="shown", name=name, page=name)
            return seen["frames"] > least and seen

        first = wait_for(f"{name}'s pictures", lambda: shown(10))
        wait_for(f"more of {name}'s pictures", lambda: shown(first["frames"] + 20))
        check(first["width"] == 640, first)
