"""A master of Kinesis Video Streams' own WebRTC SDK for JavaScript is recorded by the storage session of its channel.

Goal: a master that answers the storage session's offer is recorded without a hole, decodable, and shown to a viewer of the session;
one that joins again goes on within two seconds; when the channel is not recorded any more, nothing is left. Method: the unmodified
SDK in a real Chromium with its fake camera, boto3 for what owners of channels do.
"""
import json
import pathlib
import subprocess

import harness
from aws_clients_test import ENVIRONMENT, new_clients
from browser import SdkBrowser
from harness import Server, check, run, seconds_of, wait_for

HERE = pathlib.Path(__file__).parent
GAP_MAX_S = 0.15  # a frame at 20 a second, and what a busy machine adds


def by_boto3(server, what):
    clients = new_clients()
    check(clients, "boto3 is not to be had from PyPI")
    done = subprocess.run([*map(str, clients[1]), HERE / "storage_session.py", server.endpoint, "door", what], capture_output=True,
                          text=True, timeout=180, env=ENVIRONMENT)
    check(done.returncode == 0, f"storage_session.py {what}:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
    return json.loads(done.stdout)


def check_recording(server, directory, runs):
    """Frames are there, can be decoded, and none is missing but between runs."""
    def recorded():
        listed = server.fragments("kept")
        last = [one for one in listed if one["run"] == listed[-1]["run"]]
        return len(last) >= 3 and len({one["run"] for one in listed}) >= runs and listed

    listed = wait_for(f"fragments of {runs} runs", recorded)
    check(len({one["run"] for one in listed}) == runs, listed)
    for one, other in zip(listed, listed[1:]):
        gap = seconds_of(other["start"]) - seconds_of(one["end"])
        check(abs(gap) <= GAP_MAX_S if one["run"] == other["run"] else gap < 2, f"{gap} s between {one} and {other}")
    check(all(one["independent"] and not one["damaged"] for one in listed), listed)
    file = directory / f"kept-{runs}.mkv"
    done = server.cli("export", "kept", "--start", listed[0]["start"], "--end", listed[-2]["end"], "-o", file)
    check(done.returncode == 0, done.stderr)
    run("ffmpeg", "-v", "error", "-xerror", "-i", file, "-f", "null", "-")
    streams = json.loads(run("ffprobe", "-v", "error", "-show_streams", "-of", "json", file).stdout)["streams"]
    check([one["codec_name"] for one in streams] == ["h264", "opus"], streams)


def test(directory):
    config = directory / "storage.yaml"
    config.write_text("tls: {listen: '127.0.0.1:0'}\nwebrtc: {silence_timeout_s: 2}\n")
    server = Server(directory, "--config", config)
    browser = SdkBrowser(directory, server.endpoint)
    try:
        quiet = server.resources()
        asked = {**by_boto3(server, "kept"), "key": "any", "secret": "any"}
        browser.start("master", "camera", **asked)
        by_boto3(server, "join")
        check_recording(server, directory, 1)
        browser.start("watcher", "watcher", **asked)
        by_boto3(server, "watch")
        browser.check_moving("watcher")
        # The master has a new connection for each offer, and keeps the one before: the newer one takes over.
        by_boto3(server, "join")
        check_recording(server, directory, 2)
        browser.check_moving("watcher")
        by_boto3(server, "end")
        wait_for("the recording's end", lambda: not server.get("/v1/streams/kept")["live"])
        check(not browser.is_closed("camera"), "the master's signaling ended with the recording")
        browser.end()
        # webrtcbin's threads are gone; some of GLib's stay for good.
        wait_for(f"{quiet} again, not {server.resources()}", lambda: server.resources().threads <= quiet.threads + 8)
        check(server.terminate() == 0, "the server did not end well")
    finally:
        browser.kill()
        server.kill()


if __name__ == "__main__":
    harness.main(test)
