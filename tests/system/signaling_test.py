"""Masters and viewers of Kinesis Video Streams' own WebRTC SDK for JavaScript find each other through this server.

Goal: the unmodified SDK, given nothing but this server's address, connects a master and two viewers; pictures and sound move;
a master that comes again takes the place; a wrong key connects nobody. Method: a real Chromium with its fake camera, users
configured, signatures by the SDK in the WebSockets' queries, over TLS with the server's own certificate.
"""
import json
import subprocess

import harness
from browser import SdkBrowser
from harness import Server, add_user, check, wait_for


class Control:
    """The control plane, signed by curl."""

    def __init__(self, server, key):
        self.server = server
        self.key = key

    def __call__(self, path, **members):
        done = subprocess.run(
            ["curl", "-sS", "--noproxy", "*", "--max-time", "60", "--aws-sigv4", "aws:amz:us-east-1:kinesisvideo", "--user",
             f"{self.key['access_key_id']}:{self.key['secret_access_key']}", "-H", "Content-Type: application/json", "-d",
             json.dumps(members), self.server.endpoint + path], capture_output=True, text=True, timeout=90, check=True)
        return json.loads(done.stdout or "{}")


def test(directory):
    users = directory / "users.yaml"
    key = add_user(users, "ann", "administrator")
    config = directory / "signaling.yaml"
    config.write_text(f"tls: {{listen: '127.0.0.1:0'}}\nauth: {{file: {users}}}\n")
    server = Server(directory, "--config", config)
    browser = SdkBrowser(directory, server.endpoint)
    try:
        control = Control(server, key)
        arn = control("/createSignalingChannel", ChannelName="door")["ChannelARN"]
        endpoints = control("/getSignalingChannelEndpoint", ChannelARN=arn, SingleMasterChannelEndpointConfiguration={
            "Protocols": ["WSS", "HTTPS"], "Role": "MASTER"})["ResourceEndpointList"]
        wss = next(each["ResourceEndpoint"] for each in endpoints if each["Protocol"] == "WSS")
        check(wss.startswith("wss://"), endpoints)
        asked = {"arn": arn, "endpoint": wss, "key": key["access_key_id"], "secret": key["secret_access_key"]}
        browser.start("master", "master", **asked)
        for viewer in ("first", "second"):
            browser.start("viewer", viewer, **asked)
            browser.check_moving(viewer)
        # A master that comes again takes the place; viewers that come then find it.
        browser.start("master", "again", **asked)
        wait_for("the first master's end", lambda: browser.is_closed("master"))
        browser.start("viewer", "third", **asked)
        browser.check_moving("third")
        refused = browser.start("viewer", "stranger", **{**asked, "secret": "0" * 40})
        check(refused["error"], refused)
        browser.check_moving("first")  # two peers, once connected, need us no more
        control("/deleteSignalingChannel", ChannelARN=arn)
        wait_for("the channel's end", lambda: browser.is_closed("again"))
        browser.end()
        check(server.terminate() == 0, "the server did not end well")
    finally:
        browser.kill()
        server.kill()


harness.main(test)
