"""The samples in C++ against a server: the two analyzers of samples/analyzer run by `millrace analyze --plugin`, and
samples/record-consumer.

Method: footage is put whose bytes are known: what a consumer of whole fragments counts is what GetMediaForFragmentList gives, and
what a frame analyzer says of a dark and of a bright picture is what they are. Records are put; each comes out of the consumer once.
"""
import contextlib
import os
import re
import zlib

from analysis import kinesis, results, status_of, video_of
from harness import MILLRACE, Process, Server, check, main, run, wait_for
from matroska import Source
from producers import JavaProducer
from video_streams import H264, call, make_media, media_of

START_S = 1_763_690_820
RECORDS = 500


def put(server, stream, mkv):
    call(server, "/createStream", StreamName=stream, DataRetentionInHours=24 * 3650)
    producer = JavaProducer(server.endpoint, stream, START_S)
    producer.send(mkv.read_bytes())
    producer.end()
    return [fragment["number"] for fragment in server.fragments(stream)]


def analyze(server, directory, name, stream, numbers, *options):
    """The results of the sample once all fragments have some, in the order of the footage."""
    check(server.cli("stream", "create", f"millrace-{name}", "--shards", "1").returncode == 0, "no stream of results")
    log = directory / f"{name}.log"
    process = Process([MILLRACE, "--endpoint", server.endpoint, "analyze", "--plugin", os.environ[f"SAMPLE_{name.upper()}"],
                       "--streams", stream, "--start", "TRIM_HORIZON", *options], log)
    try:
        def found():
            check(process.child.poll() is None, f"it ended with {process.child.poll()}")
            records = results(server, f"millrace-{name}")
            return {video_of(record)["FragmentNumber"] for record in records} >= set(numbers) and records
        records = wait_for(f"results of {name}", found)
        check(process.terminate() == 0, f"it stops: {log.read_text()}")
    finally:
        process.kill()
    check(all(status_of(record) == "RUNNING" for record in records), f"each was analysed: {records[:3]}")
    information = records[0]["StreamProcessorInformation"]
    check(information["Analyzer"] == name and information["Version"] == "1", information)
    return sorted(records, key=lambda record: video_of(record)["ProducerTimestamp"] + video_of(record)["FrameOffsetInSeconds"])


def check_checksums(server, directory):
    mkv = directory / "sound.mkv"
    make_media(mkv, 6, audio=("-c:a", "aac", "-shortest"))
    numbers = put(server, "sound", mkv)
    documents = media_of(server, "sound", numbers)
    found = analyze(server, directory, "checksums", "sound", numbers)
    check([video_of(record)["FragmentNumber"] for record in found] == numbers, "a result of each fragment, and none twice")
    for record, document in zip(found, documents):
        check(record["Bytes"] == len(document), f"{len(document)} bytes: {record}")
        check(record["Crc32"] == zlib.crc32(document), f"other bytes than those of GetMediaForFragmentList: {record}")
    counts = {}
    for cluster in Source(mkv).clusters:
        for frame in cluster.frames:
            counts[frame.track] = counts.get(frame.track, 0) + 1
    summed = {}
    for record in found:
        for track in record["Tracks"]:
            summed[track["Number"]] = summed.get(track["Number"], 0) + track["Frames"]
    check(summed == counts and counts[1] == 150 and len(counts) == 2, f"frames by track: {summed}, in the file {counts}")


def check_brightness(server, directory):
    mkv = directory / "light.mkv"
    run("ffmpeg", "-v", "error", *(word for color in ("black", "white") for word in
                                   ("-f", "lavfi", "-i", f"color={color}:size=160x120:rate=25:duration=2")),
        "-filter_complex", "concat=n=2", *H264, "-cluster_time_limit", "20000", mkv)
    numbers = put(server, "light", mkv)
    wrong = server.cli("analyze", "--plugin", os.environ["SAMPLE_BRIGHTNESS"], "--streams", "light", "--options", '{"darc": 0.2}')
    check(wrong.returncode == 2 and "option 'darc' is not known" in wrong.stderr, wrong)
    found = analyze(server, directory, "brightness", "light", numbers, "--frames", "key-frames", "--options", '{"dark": 0.2}')
    check([record["Brightness"] for record in found] == [0, 0, 1, 1], found)
    events = [event for record in found for event in record.get("Events", [])]
    check([event["Type"] for event in events] == ["LightOn"], events)
    told = server.cli("events", "light")
    check(told.returncode == 0 and not told.stdout, f"events are those of analyzers that the server knows: {told}")


def check_record_consumer(server, directory):
    for name, shards in (("orders", 4), ("lengths", 1)):
        check(server.cli("stream", "create", name, "--shards", str(shards)).returncode == 0, "no stream")

    def taken(name):
        return len(re.findall(r"^shardId-\d+ taken$", (directory / f"{name}.log").read_text(), re.MULTILINE))
    program = [os.environ["SAMPLE_RECORD_CONSUMER"], server.endpoint]
    body = {"StreamName": "orders", "Records": [{"PartitionKey": f"key-{number}", "Data": "SGVsbG8="} for number in range(RECORDS)]}
    check(kinesis(server, "PutRecords", **body)["FailedRecordCount"] == 0, "not all were put")
    with contextlib.ExitStack() as stack:
        process = Process([*program, "printer", "orders", "push", "lengths"], directory / "record_consumer.log")
        stack.callback(process.kill)
        lines = [process.wait_line("shardId-", 60).split() for _ in range(RECORDS)]
        wait_for("their lengths", lambda: len(results(server, "lengths")) >= RECORDS)
        check(process.terminate() == 0, "it ends in order")
        check(sorted(line[2:] for line in lines) == sorted([f"key-{number}", "Hello"] for number in range(RECORDS)), "each record once")
        check(results(server, "lengths") == [5] * RECORDS, "the length of each, once")
        log = (directory / "record_consumer.log").read_text()
        check(re.search(rf"millrace_consumer_records_total{{.*}} {RECORDS}\n", log) and taken("record_consumer") == 4, log)

        # Another one of the same application goes on where it was: there is nothing left.
        again = Process([*program, "printer", "orders"], directory / "again.log")
        stack.callback(again.kill)
        wait_for("its shards", lambda: taken("again") == 4)
        kinesis(server, "PutRecord", StreamName="orders", PartitionKey="last", Data="SGVsbG8=")
        check(again.wait_line("shardId-", 60).endswith(" last Hello"), "it begins behind the others")
        check(again.terminate() == 0, "it ends in order")


def test(directory):
    server = Server(directory)
    try:
        check_checksums(server, directory)
        check_brightness(server, directory)
        check_record_consumer(server, directory)
        check(server.terminate() == 0, "the server stops")
    finally:
        server.kill()


main(test)
