"""Webhooks, and the samples in Python, against a server with users' data streams.

Goal: events go to a receiver signed, once it takes them, over a restart of the server too; the samples that read faces show who was
there. Method: an analyzer of the test's own commits records to millrace-motion and millrace-faces as an application does; the receiver is
Python's HTTP server, which checks signatures as Standard Webhooks 1.0 says.
"""
import base64
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

from harness import MILLRACE, Failure, Process, Server, check, main, wait_for

SAMPLES = pathlib.Path(__file__).parents[2] / "samples/python"
KEY = b"a key of thirty-two bytes, at it."
START = 1_795_269_600  # 2026-11-21T14:00:00Z


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps what comes; answers with `status`."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.received, self.refused = 200, [], 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/hooks/door?token=hidden"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        good = (self.headers["webhook-signature"] == expected and self.path == "/hooks/door?token=hidden"
                and abs(time.time() - int(self.headers["webhook-timestamp"])) < 300)
        status = self.server.status if good else 400
        if status == 200:
            self.server.received.append((self.headers["webhook-id"], json.loads(body)))
        else:
            self.server.refused += 1
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Analyzer:
    """Commits records as `millrace analyze` does: to the results' stream, together with a checkpoint."""

    def __init__(self, server):
        self.server = server
        self.numbers = 0
        self.call("begin", stream="source", start="TRIM_HORIZON")
        self.lease = self.call("leases/take", stream="source", shard="shardId-000000000000", owner="me", seconds=600)

    def call(self, what, **members):
        request = urllib.request.Request(f"{self.server.endpoint}/v1/applications/test/{what}", method="POST",
                                         data=json.dumps(members).encode(), headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Failure(f"{what}: {error.code} {error.read(500)}") from error

    def put(self, stream, seconds, **found):
        """A record of the video stream `gate`, `seconds` after START."""
        put = self.server.cli("stream", "put", "source", "--data", str(self.numbers))
        check(put.returncode == 0, put)
        checkpoint = self.records()[-1]
        self.numbers += 1
        at = START + seconds
        record = {"InputInformation": {"KinesisVideo": {
            "StreamArn": "arn:aws:kinesisvideo:us-east-1:000000000000:stream/gate/1", "FragmentNumber": f"{self.numbers:047}",
            "ServerTimestamp": at, "ProducerTimestamp": at, "FrameOffsetInSeconds": 0.0}},
            "StreamProcessorInformation": {"Status": "RUNNING", "Analyzer": stream.removeprefix("millrace-"), "Version": "1"}, **found}
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
        self.call("commit", stream="source", shard="shardId-000000000000", owner="me", counter=self.lease["counter"],
                  checkpoint=checkpoint, records=[{
                      "stream": stream, "partition_key": "gate", "key": str(self.numbers), "time": when,
                      "data": base64.b64encode(json.dumps(record, separators=(",", ":")).encode()).decode()}])

    def records(self):
        shown = self.server.get("/v1/data-streams/source/records?limit=200")["records"]
        return sorted(record["sequence_number"] for record in shown)


def event(kind, number):
    return {"Type": kind, "EventId": f"door-{number}", "Time": "2026-11-21T14:00:00Z", "Zone": "door"}


def webhook(server):
    return server.get("/v1/webhooks")["webhooks"][0]


def check_webhooks(directory, receiver):
    def start():
        server = Server(directory, "--config", directory / "webhooks.yaml")
        wait_for("the webhook", lambda: webhook(server)["state"] == "ready")
        return server

    (directory / "secret").write_text("whsec_" + base64.b64encode(KEY).decode() + "\n")
    (directory / "webhooks.yaml").write_text(f"""
data_streams: {{limits: "off"}}
webhooks:
  door-alarm: {{url: "{receiver.url}", secret_file: {directory}/secret, events: [MotionStarted]}}
""")
    server = start()
    check(server.cli("stream", "create", "source", "--shards", "1").returncode == 0, "no stream")
    listed = server.cli("webhook", "list")
    check("door-alarm" in listed.stdout and "hidden" not in listed.stdout, listed)
    wait_for("the application", lambda: any(a["name"] == "millrace-webhook-door-alarm"
                                            for a in server.get("/v1/applications")["applications"]))
    leases = "/v1/applications/millrace-webhook-door-alarm"
    wait_for("its leases", lambda: all(lease["owner"] for lease in server.get(leases)["leases"]) and len(server.get(leases)["leases"]) == 2)

    tried = server.cli("webhook", "test", "door-alarm")
    check(tried.returncode == 0 and receiver.received.pop()[1]["type"] == "Test", tried)
    check(server.cli("webhook", "test", "other").returncode == 3, "a webhook that is not there")

    analyzer = Analyzer(server)
    analyzer.put("millrace-motion", 0, Events=[event("MotionStarted", 1), event("MotionStopped", 1)])
    wait_for("the first event", lambda: receiver.received)
    check([body["type"] for body in dict(receiver.received).values()] == ["MotionStarted"], receiver.received)
    data = receiver.received[0][1]["data"]
    check(data["stream"] == "gate" and data["analyzer"] == "motion" and data["event"]["Zone"] == "door", data)

    receiver.status = 503
    analyzer.put("millrace-motion", 5, Events=[event("MotionStarted", 2)])
    wait_for("a try", lambda: webhook(server)["failed"] and receiver.refused)
    check("503" in webhook(server)["last_error"], webhook(server))
    failing = server.cli("webhook", "test", "door-alarm")
    check(failing.returncode == 1 and "503" in failing.stderr and not failing.stdout, failing)
    failing = server.cli("webhook", "test", "door-alarm", "--json")
    told = json.loads(failing.stdout)
    check(failing.returncode == 1 and told["delivered"] is False and "503" in told["error"], failing)
    server.kill()
    receiver.status = 200
    server = start()
    wait_for("the second event", lambda: receiver.received[-1][1]["data"]["event"]["EventId"] == "door-2")
    check(len({number for number, _ in receiver.received}) == 2, receiver.received)
    return server


def check_commands(directory, server):
    """What `millrace events` and `millrace webhook` say to machines and to people, and their exit codes."""
    def said(code, *words):
        done = server.cli(*words)
        check(done.returncode == code and bool(done.stderr) == (code != 0), f"{words}: {done}")
        return done.stderr if code else done.stdout

    def events(*words):
        return [json.loads(line) for line in said(0, "events", "gate", "--json", *words).splitlines()]

    told = json.loads(said(0, "webhook", "list", "--json"))["webhooks"]
    check([(one["name"], one["state"], one["dropped"]) for one in told] == [("door-alarm", "ready", 0)], told)
    check(json.loads(said(0, "webhook", "test", "door-alarm", "--json"))["delivered"] is True, "the test message")
    check("'other'" in said(3, "webhook", "test", "other", "--json"), "it says which")

    found = events()
    check([(one["Type"], one["EventId"]) for one in found] ==
          [("MotionStarted", "door-1"), ("MotionStopped", "door-1"), ("MotionStarted", "door-2")], found)
    check(all(one["Analyzer"] == "motion" and one["Zone"] == "door" and len(one["FragmentNumber"]) == 47 for one in found), found)
    check([one["EventId"] for one in events("--type", "MotionStopped")] == ["door-1"], "one type")
    check([one["EventId"] for one in events("--start", str(START + 1))] == ["door-2"], "from a time on")
    check(len(events("--end", "2026-11-21T14:00:01Z", "--type", "MotionStarted,MotionStopped")) == 2, "until a time")
    check(said(0, "events", "gate", "--type", "MotionStopped") ==
          "2026-11-21T14:00:00Z  motion  MotionStopped  EventId door-1  Zone door\n", "as people read it")
    check("yesterday" in said(2, "events", "gate", "--start", "yesterday"), "no time")
    check("excludes" in said(2, "events", "gate", "--follow", "--end", str(START)), "an end of what has none")
    check("STREAM is required" in said(2, "events"), "of which stream")

    follower = Process([MILLRACE, "--endpoint", server.endpoint, "events", "gate", "--follow", "--start", str(START), "--json"],
                       directory / "follower.log")
    try:
        check([json.loads(follower.wait_line("{", 60))["EventId"] for _ in found] == ["door-1", "door-1", "door-2"], "those that are there")
        analyzer = Analyzer(server)
        analyzer.numbers = 10  # what has a key that is there is not put again
        analyzer.put("millrace-motion", int(time.time()) - START, Events=[event("MotionStopped", 2)])
        check(json.loads(follower.wait_line("{", 60))["EventId"] == "door-2", "what comes")
    finally:
        follower.kill()

    for words in (["events", "gate"], ["webhook", "list"], ["webhook", "test", "door-alarm"]):
        away = subprocess.run([MILLRACE, "--endpoint", "http://127.0.0.1:9", *words], capture_output=True, text=True, timeout=60)
        check(away.returncode == 4 and "start it with `millrace serve`" in away.stderr and not away.stdout, away)


def face(name):
    return {"DetectedFace": {"BoundingBox": {"Height": .1, "Width": .1, "Left": .1, "Top": .1}, "Confidence": 99}, "MatchedFaces": [
        {"Similarity": 93.4, "Face": {"FaceId": "f", "ExternalImageId": name}}] if name else []}


def check_samples(directory, server):
    analyzer = Analyzer(server)
    for seconds, names in enumerate([["ada"], ["ada", None], [], ["bob"], [], [], [], [], [], ["ada"]]):
        analyzer.put("millrace-faces", seconds, FaceSearchResponse=[face(name) for name in names])
    environment = {**os.environ, "MILLRACE_ENDPOINT": server.endpoint, "TZ": "UTC"}
    picture = directory / "seen.svg"
    drawn = subprocess.run([sys.executable, SAMPLES / "who_was_seen_when.py", "gate", "--start", "2026-11-21T14:00:00Z", "--end",
                            "2026-11-21T14:01:00Z", "-o", picture], capture_output=True, text=True, env=environment, timeout=120)
    check(drawn.returncode == 0, drawn)
    rows = [line.split() for line in drawn.stdout.splitlines()[1:-1]]
    check(rows == [["ada", "14:00:00", "14:00:01", "2"], ["ada", "14:00:09", "14:00:09", "1"],
                   ["unknown", "14:00:01", "14:00:01", "1"], ["bob", "14:00:03", "14:00:03", "1"]], drawn.stdout)
    check("<title>ada: 14:00:00 to 14:00:01, 2 frames</title>" in picture.read_text(), picture.read_text())

    # Debian's Python has boto3 (python3-boto3); another one in PATH may not.
    live = subprocess.run(["/usr/bin/python3", SAMPLES / "faces_as_they_come.py", "--since", "1h", "--camera", "gate", "--count", "4"],
                          capture_output=True, text=True, env=environment, timeout=120)
    lines = live.stdout.splitlines()
    check(live.returncode == 0 and len(lines) == 4, live)
    check(lines[1].startswith("2026-11-21T14:00:01.000Z  gate") and lines[1].endswith("ada (93%), a face"), lines)
    nobody = subprocess.run([sys.executable, SAMPLES / "who_was_seen_when.py", "gate", "--endpoint", "http://127.0.0.1:9"],
                            capture_output=True, text=True, env=environment, timeout=120)
    check(nobody.returncode == 1 and "no server answers" in nobody.stderr, nobody)


def test(directory):
    receiver = Receiver()
    server = Server(directory)
    try:
        none = server.cli("webhook", "list")
        check(none.returncode == 0 and none.stdout.startswith("No webhooks are configured"), none)
    finally:
        server.kill()
    server = check_webhooks(directory, receiver)
    try:
        check_commands(directory, server)
        check_samples(directory, server)
    finally:
        server.kill()
    receiver.shutdown()


main(test)
