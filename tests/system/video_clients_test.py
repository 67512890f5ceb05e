"""Unmodified AWS clients drive every operation of the four services of video streams.

Goal: boto3 and the AWS CLI, new ones and Debian's old ones, make, change, tag and delete streams, list and take fragments, open
playback sessions, cut clips and pictures; each answer, errors too, is what the service models say. Method: footage that a producer
puts beforehand; answers are looked at on the wire (service_model.py), those to the CLI by a proxy between.
"""
import json
import pathlib
import subprocess
import time
import urllib.request

from aws_clients_test import ENVIRONMENT, new_clients, old_clients, packets
from harness import Server, check, main, wait_for
from matroska import cluster, document_head
from producers import CProducer
from video_streams import call, make_media

HERE = pathlib.Path(__file__).parent
SECONDS = 6


def put_footage(server, source, stream):
    call(server, "/createStream", StreamName=stream, DataRetentionInHours=24)
    start = int(time.time() - SECONDS) * 1000
    with CProducer(server.endpoint, stream) as producer:
        producer.send(document_head(source))
        for one in source.clusters:
            producer.send(cluster(start + one.timestamp_ms, one.frames))
        producer.end()
        check(len(producer.timecodes("PERSISTED")) == len(source.clusters), producer.acks[-2:])


def put_secret(server, name, value):
    """Where an edge configuration finds the address of a camera."""
    request = urllib.request.Request(f"{server.endpoint}/v1/secrets/{name}", json.dumps({"value": value}).encode(),
                                     {"Content-Type": "application/json"}, method="PUT")
    with urllib.request.urlopen(request, timeout=30) as answer:
        check(answer.status == 200, name)


def try_boto3(directory, label, python, endpoint):
    done = subprocess.run([*map(str, python), HERE / "video_checks.py", endpoint, label, "door", directory], capture_output=True,
                          text=True, timeout=180, env=ENVIRONMENT)
    check(done.returncode == 0, f"boto3 ({label}):\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
    found = json.loads(done.stdout)
    print(f"{label}: boto3 {found['boto3']}; checked against the models: {found['checked']}")
    for name in (f"{label}-list.mkv", f"{label}-clip.mp4"):
        check(packets(directory / name)["video"] == SECONDS * 25, f"{name}: {packets(directory / name)}")
    return found


def try_cli(directory, label, command, endpoint, found):
    from checking_proxy import CheckingProxy  # needs a botocore: after new_clients()
    with CheckingProxy(endpoint.removeprefix("http://")) as proxy:
        use_cli(directory, label, command, proxy.endpoint, found["fragments"])
    check(not proxy.failures, f"answers to the CLI ({label}) that the models have otherwise: {proxy.failures}")
    print(f"{label}: {proxy.checked} answers to the CLI were checked")


def use_cli(directory, label, command, endpoint, numbers):
    def aws(*words, service="kinesisvideo"):
        full = [*map(str, command), "--endpoint-url", endpoint, "--output", "json", service, *map(str, words)]
        done = subprocess.run(full, capture_output=True, text=True, timeout=60, env=ENVIRONMENT)
        check(done.returncode == 0, f"aws {service} {' '.join(map(str, words))} ({label}):\n{done.stdout}{done.stderr[-2000:]}")
        return json.loads(done.stdout) if done.stdout.strip() else {}

    name = f"{label}-cli"
    arn = aws("create-stream", "--stream-name", name, "--data-retention-in-hours", 2, "--tags", "a=b")["StreamARN"]

    def info():
        return aws("describe-stream", "--stream-name", name)["StreamInfo"]

    wait_for("the stream", lambda: info()["Status"] == "ACTIVE")
    aws("update-stream", "--stream-name", name, "--current-version", info()["Version"], "--media-type", "video/h264")
    aws("update-data-retention", "--stream-arn", arn, "--current-version", info()["Version"], "--operation",
        "INCREASE_DATA_RETENTION", "--data-retention-change-in-hours", 1)
    check(info()["DataRetentionInHours"] == 3 and info()["MediaType"] == "video/h264", info())
    aws("tag-stream", "--stream-name", name, "--tags", "c=d")
    aws("untag-stream", "--stream-name", name, "--tag-key-list", "a")
    check(aws("list-tags-for-stream", "--stream-name", name)["Tags"] == {"c": "d"}, "tags")
    check(name in [one["StreamName"] for one in aws("list-streams")["StreamInfoList"]], "the stream is listed")
    channel = aws("create-signaling-channel", "--channel-name", name)["ChannelARN"]
    storage = {"StreamARN": arn, "Status": "ENABLED"}
    aws("update-media-storage-configuration", "--channel-arn", channel, "--media-storage-configuration", json.dumps(storage))
    told = aws("describe-media-storage-configuration", "--channel-name", name)["MediaStorageConfiguration"]
    check(told == storage, told)
    aws("join-storage-session", "--channel-arn", channel, service="kinesis-video-webrtc-storage")
    aws("delete-signaling-channel", "--channel-arn", channel)
    aws("delete-stream", "--stream-arn", arn)

    endpoint_of = aws("get-data-endpoint", "--stream-name", "door", "--api-name", "GET_CLIP")["DataEndpoint"]
    check(endpoint_of == endpoint, f"{endpoint_of}: the server as it was reached")
    archived = "kinesis-video-archived-media"
    times = {"StartTimestamp": time.time() - 3600, "EndTimestamp": time.time()}
    selector = json.dumps({"FragmentSelectorType": "SERVER_TIMESTAMP", "TimestampRange": times})
    listed = aws("list-fragments", "--stream-name", "door", "--fragment-selector", selector, service=archived)["Fragments"]
    check({one["FragmentNumber"] for one in listed} == set(numbers), "the CLI lists what boto3 did")
    media, clip = directory / f"{label}-cli.mkv", directory / f"{label}-cli.mp4"
    aws("get-media-for-fragment-list", "--fragments", *numbers, "--stream-name", "door", media, service=archived)
    aws("get-clip", "--stream-name", "door", "--clip-fragment-selector", selector, clip, service=archived)
    for file in (media, clip):
        check(packets(file)["video"] == SECONDS * 25, f"{file.name}: {packets(file)}")
    for form in ("hls", "dash"):
        told = aws(f"get-{form}-streaming-session-url", "--stream-name", "door", "--playback-mode", "ON_DEMAND",
                   f"--{form}-fragment-selector", selector, service=archived)
        check(f"/{form}/" in told[f"{form.upper()}StreamingSessionURL"], told)


def test(directory):
    clients = [one for one in (new_clients(), old_clients()) if one]
    check(clients, "no AWS client is to be had: neither from PyPI nor Debian's (scripts/deps --test installs them)")
    source = make_media(directory / "source.mkv", SECONDS)
    server = Server(directory)
    try:
        put_footage(server, source, "door")
        put_secret(server, "front-door-AbCdEf", "rtsp://127.0.0.1:9/nobody-is-there")
        for label, python, command in clients:
            started = time.monotonic()
            found = try_boto3(directory, label, python, server.endpoint)
            try_cli(directory, label, command, server.endpoint, found)
            print(f"{label}: {time.monotonic() - started:.0f} s")
            if label == "new":
                from service_model import VIDEO
                # A viewer of a storage session is storage_sessions_test.py's: somebody must be recorded.
                missing = VIDEO.operations - set(found["checked"]) - {"JoinStorageSessionAsViewer"}
                check(not missing, f"operations that nothing drove: {sorted(missing)}")
        check(server.terminate() == 0, "the server did not stop cleanly")
    finally:
        server.kill()


if __name__ == "__main__":
    main(test)
