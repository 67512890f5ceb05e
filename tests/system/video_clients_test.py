"""Unmodified AWS clients drive every operation of the five services of video streams.

Goal: boto3 and the AWS CLI, new ones and Debian's old ones, make, change, tag and delete streams, list and take fragments, open
playback sessions, cut clips and pictures; each answer, errors too, is what the service models say. Method: footage that a producer
puts beforehand; answers are looked at on the wire (service_model.py), those to the CLI by a proxy between.
"""
import json
import pathlib
import subprocess
import time
import urllib.request

import video_cli
from aws_clients_test import ENVIRONMENT, new_clients, old_clients, packets
from checking_proxy import CheckingProxy
from harness import Server, check, main, wait_for
from matroska import cluster, document_head
from producers import CProducer
from service_model import VIDEO
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
    with urllib.request.urlopen(request, timeout=60) as answer:
        check(answer.status == 200, name)


def try_boto3(directory, label, python, endpoint):
    done = subprocess.run([*map(str, python), HERE / "video_checks.py", endpoint, label, "door", directory], capture_output=True,
                          text=True, timeout=300, env=ENVIRONMENT)
    check(done.returncode == 0, f"boto3 ({label}):\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
    found = json.loads(done.stdout)
    print(f"{label}: boto3 {found['boto3']}; checked against the models: {found['checked']}")
    for name in (f"{label}-list.mkv", f"{label}-clip.mp4"):
        check(packets(directory / name)["video"] == SECONDS * 25, f"{name}: {packets(directory / name)}")
    return found


def try_cli(directory, label, command, endpoint, fragments):
    found = {"stream": "door", "fragments": fragments, "frames": SECONDS * 25}
    with CheckingProxy(endpoint.removeprefix("http://"), media_chunks=len(fragments)) as proxy:
        video_cli.use(video_cli.Cli(label, command, proxy.endpoint, directory, found))
    check(not proxy.failures, f"answers to the CLI ({label}) that the models have otherwise: {proxy.failures}")
    print(f"{label}: {proxy.checked} answers to the CLI were checked")


def check_complete(client, checked):
    # A viewer of a storage session is storage_sessions_test.py's: somebody must be recorded. Alexa's devices are not served.
    missing = VIDEO.operations - set(checked) - {"JoinStorageSessionAsViewer", "SendAlexaOfferToMaster"}
    check(not missing, f"operations that {client} did not drive: {sorted(missing)}")


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
            try_cli(directory, label, command, server.endpoint, found["fragments"])
            print(f"{label}: {time.monotonic() - started:.0f} s")
            if label == "new":
                check_complete("boto3", found["checked"])
                check_complete("the CLI", VIDEO.checked)
        check(server.terminate() == 0, "the server did not stop cleanly")
    finally:
        server.kill()


if __name__ == "__main__":
    main(test)
