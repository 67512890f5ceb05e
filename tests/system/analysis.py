"""What the tests of frame analysis share: a server with the test analyzer, and what it has found."""
import base64
import collections
import json
import os
import urllib.request

from harness import PATIENT_WITH_CAMERAS, Server, check

LIBRARY = os.environ["MILLRACE_TEST_ANALYZER_LIBRARY"]
CONFIG = """
analyzers:
  plugins: %s
  restart_min_s: 0.05
  restart_max_s: 0.2
  frame_max_s: 20  # more than a machine stands still
  silence_max_s: 60
  memory_mib: 384
data_streams:
  limits: "off"  # the tests ask for results more often than a shard gives them
""" + PATIENT_WITH_CAMERAS


def start_server(directory, **plugins):
    """With the test analyzer as "test", and more libraries by name; the words in directory/told make it misbehave."""
    (directory / "config.yaml").write_text(CONFIG % json.dumps({"test": LIBRARY, **plugins}))
    os.environ["MILLRACE_TEST_ANALYZER"] = str(directory / "told")
    return Server(directory, "--config", directory / "config.yaml")


def post(server, path, body, **headers):
    request = urllib.request.Request(server.endpoint + path, method="POST", data=json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"{}")


def kinesis(server, operation, **body):
    return post(server, "/", body, **{"Content-Type": "application/x-amz-json-1.1",
                                      "X-Amz-Target": f"Kinesis_20131202.{operation}"})


def analyzer(server, name="test"):
    return next(each for each in server.get("/v1/analyzers")["analyzers"] if each["name"] == name)


def begin(server):
    """Everything that is recorded from here on is to be analysed."""
    post(server, "/v1/applications/millrace-test/begin", {"stream": "millrace-fragments", "start": "TRIM_HORIZON"})


def results(server, stream="millrace-test"):
    """All records of the results' data stream, read as any client of the Data Streams protocol would."""
    found = []
    for shard in kinesis(server, "ListShards", StreamName=stream)["Shards"]:
        iterator = kinesis(server, "GetShardIterator", StreamName=stream, ShardId=shard["ShardId"],
                           ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        while iterator:
            page = kinesis(server, "GetRecords", ShardIterator=iterator)
            found += [json.loads(base64.b64decode(record["Data"])) for record in page["Records"]]
            if not page["Records"] and page["MillisBehindLatest"] == 0:
                break
            iterator = page.get("NextShardIterator")
    return found


def video_of(record):
    return record["InputInformation"]["KinesisVideo"]


def status_of(record):
    return record["StreamProcessorInformation"]["Status"]


def analysed(server):
    """The numbers of the fragments that have results."""
    return {video_of(record)["FragmentNumber"] for record in results(server)}


def check_once(server, streams):
    """Each fragment of the streams has results; no frame has two."""
    records = results(server)
    frames = collections.Counter((video_of(record)["FragmentNumber"], video_of(record)["FrameOffsetInSeconds"])
                                 for record in records)
    twice = [frame for frame, count in frames.items() if count != 1]
    check(not twice, f"frames with more than one result: {twice[:5]}")
    numbers = {fragment for fragment, _ in frames}
    recorded = {fragment["number"] for stream in streams for fragment in server.fragments(stream)}
    check(recorded <= numbers, f"fragments without results: {sorted(recorded - numbers)[:5]} of {len(recorded)}")
    check(numbers <= recorded, "results of fragments that there are not")
    return len(recorded), len(records)
