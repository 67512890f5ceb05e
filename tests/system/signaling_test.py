"""Masters and viewers of Kinesis Video Streams' own WebRTC SDK for JavaScript find each other through this server.

Goal: the unmodified SDK, given nothing but this server's address, connects a master and two viewers; pictures and sound move;
a master that comes again takes the place; a wrong key connects nobody. Method: a real Chromium with its fake camera, users
configured, signatures by the SDK in the WebSockets' queries, over TLS with the server's own certificate.
"""
import json
import os
import pathlib
import subprocess

import harness
from harness import MILLRACE, Process, Server, check, wait_for


class Browser(Process):
    def __init__(self, directory, origin):
        script = pathlib.Path(__file__).with_name("signaling_browser.mjs")
        super().__init__(["node", script, origin, os.environ["KVS_WEBRTC_JS"]], directory / "browser.log", stdin=True)
        self.wait_line('{"ready"', 120)

    def do(self, **request):
        self.tell(json.dumps(request))
        answer = json.loads(self.wait_line("{", 60))
        check("failed" not in answer, f"{request}: {answer}")
        return answer


def add_user(file, name, policy):
    made = subprocess.run([MILLRACE, "user", "add", name, "--file", file, "--policy", policy, "--json"], capture_output=True,
                          text=True, timeout=30, check=True)
    return json.loads(made.stdout)


class Control:
    """The control plane, signed by curl."""

    def __init__(self, server, key):
        self.server = server
        self.key = key

    def __call__(self, path, **members):
        done = subprocess.run(
            ["curl", "-sS", "--noproxy", "*", "--max-time", "20", "--aws-sigv4", "aws:amz:us-east-1:kinesisvideo", "--user",
             f"{self.key['access_key_id']}:{self.key['secret_access_key']}", "-H", "Content-Type: application/json", "-d",
             json.dumps(members), self.server.endpoint + path], capture_output=True, text=True, timeout=30, check=True)
        return json.loads(done.stdout or "{}")


def pictures(browser, name):
    return browser.do(do="shown", name=name)


def check_moving(browser, name):
    first = wait_for(f"{name}'s pictures", lambda: (seen := pictures(browser, name))["frames"] > 10 and seen, 40)
    wait_for(f"more of {name}'s pictures", lambda: pictures(browser, name)["frames"] > first["frames"] + 20, 40)
    check(first["width"] == 640, first)


def test(directory):
    users = directory / "users.yaml"
    key = add_user(users, "ann", "administrator")
    config = directory / "signaling.yaml"
    config.write_text(f"tls: {{listen: '127.0.0.1:0'}}\nauth: {{file: {users}}}\n")
    server = Server(directory, "--config", config)
    browser = Browser(directory, server.endpoint)
    try:
        control = Control(server, key)
        arn = control("/createSignalingChannel", ChannelName="door")["ChannelARN"]
        endpoints = control("/getSignalingChannelEndpoint", ChannelARN=arn, SingleMasterChannelEndpointConfiguration={
            "Protocols": ["WSS", "HTTPS"], "Role": "MASTER"})["ResourceEndpointList"]
        wss = next(each["ResourceEndpoint"] for each in endpoints if each["Protocol"] == "WSS")
        check(wss.startswith("wss://"), endpoints)
        asked = {"arn": arn, "endpoint": wss, "key": key["access_key_id"], "secret": key["secret_access_key"]}
        browser.do(do="master", name="master", **asked)
        for viewer in ("first", "second"):
            browser.do(do="viewer", name=viewer, **asked)
            check_moving(browser, viewer)
        # A master that comes again takes the place; viewers that come then find it.
        browser.do(do="master", name="again", **asked)
        wait_for("the first master's end", lambda: browser.do(do="state", name="master")["closed"], 20)
        browser.do(do="viewer", name="third", **asked)
        check_moving(browser, "third")
        refused = browser.do(do="viewer", name="stranger", **{**asked, "secret": "0" * 40})
        check(refused["error"], refused)
        check_moving(browser, "first")  # two peers, once connected, need us no more
        control("/deleteSignalingChannel", ChannelARN=arn)
        wait_for("the channel's end", lambda: browser.do(do="state", name="again")["closed"], 20)
        browser.child.stdin.close()
        browser.child.wait(30)
        check(server.terminate() == 0, "the server did not end well")
    finally:
        browser.kill()
        server.kill()


if __name__ == "__main__":
    harness.main(test)
