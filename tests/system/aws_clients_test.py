"""Unmodified AWS clients against the real server and a camera.

Goal: the AWS CLI and boto3, new ones and Debian's old ones, the SDK for JavaScript (HTTP/2) and a client that speaks CBOR as
the Java SDK does make, write, read, reshard, subscribe to and delete data streams; boto3 and the CLI read video streams, too.
Each answer is what the service models say; ffprobe reads every frame of what comes; a record of the face analyzer leads to
its fragment. Method: the new ones from PyPI and npm, kept in MILLRACE_AWS_CLIENTS; where they cannot be had, Debian's alone;
the test says which it used.
"""
import base64
import fcntl
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

from checking_proxy import CheckingProxy
from data_streams import event_messages
from harness import CameraSim, Server, check, main, run, wait_for
from service_model import MODEL

HERE = pathlib.Path(__file__).parent
PLACE = pathlib.Path(os.environ["MILLRACE_AWS_CLIENTS"])
WANTED = ["boto3>=1.43,<2", "awscli>=1.45,<2", "cbor2>=6,<7"]
WANTED_JS = ["@aws-sdk/client-kinesis@3.967.0"]  # the last for Node 18
ENVIRONMENT = {**os.environ, "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1",
               "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_PAGER": "",
               "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "PYTHONWARNINGS": "ignore"}


def installed(place, wanted, *commands):
    """Whether what is wanted is in `place`: put there by the commands where it is not. False: it cannot be had."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{place}.lock", "w") as lock:  # several builds' tests share it
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = place / "done"
        if done.exists() and done.read_text() == "\n".join(wanted):
            return True
        done.unlink(missing_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        try:
            for command in commands:
                subprocess.run(list(map(str, command)), check=True, capture_output=True, timeout=300, cwd=place)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"{', '.join(wanted)} cannot be had: {error}")
            return False
        done.write_text("\n".join(wanted))
        return True


def new_clients():
    """The Python and the CLI of a virtual environment; None: they cannot be had."""
    python = PLACE / "bin/python"
    if not installed(PLACE, WANTED, [sys.executable, "-m", "venv", PLACE],
                     [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *WANTED]):
        return None
    return "new", [python], [python, PLACE / "bin/aws"]


def old_clients():
    if not pathlib.Path("/usr/bin/aws").exists():
        return None
    return "debian", ["/usr/bin/python3"], ["/usr/bin/aws"]


def packets(path):
    """How many packets of video and of audio ffprobe finds."""
    done = run("ffprobe", "-v", "error", "-count_packets", "-show_entries", "stream=codec_type,nb_read_packets", "-of",
               "json", path)
    return {one["codec_type"]: int(one["nb_read_packets"]) for one in json.loads(done.stdout)["streams"]}


def expect_packets(path, numbers, frames):
    wanted = {kind: sum(of[number] for number in numbers) for kind, of in frames.items()}
    found = packets(path)
    check(found == wanted, f"{path.name}: ffprobe finds {found}, the descriptors say {wanted}")


def try_boto3(directory, label, python, endpoint):
    done = subprocess.run([*map(str, python), HERE / "aws_checks.py", endpoint, label, "door", directory],
                          capture_output=True, text=True, timeout=300, env=ENVIRONMENT)
    check(done.returncode == 0, f"boto3 ({label}):\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
    found = json.loads(done.stdout)
    print(f"{label}: boto3 {found['boto3']}; checked against its models: {found['checked']}")
    expect_packets(directory / f"{label}-list.mkv", found["listed"][:3], found["frames"])
    expect_packets(directory / f"{label}-live.mkv", found["numbers"], found["frames"])
    expect_packets(directory / f"{label}-face.mkv", [found["face"]], found["frames"])
    return found


def try_cbor(directory, python, endpoint):
    done = subprocess.run([*map(str, python), HERE / "cbor_checks.py", endpoint], capture_output=True, text=True, timeout=300,
                          env=ENVIRONMENT)
    check(done.returncode == 0, f"CBOR:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
    print(f"CBOR: {done.stdout.strip()}")


def try_js(directory, endpoint):
    """The SDK for JavaScript, if npm has it; its answers as they came are checked here."""
    packages, recording = PLACE.with_name(PLACE.name + "-js"), directory / "js.jsonl"
    if not installed(packages, WANTED_JS, ["npm", "install", "--prefix", packages, "--no-audit", "--no-fund", *WANTED_JS]):
        return
    node = "/usr/bin/node" if pathlib.Path("/usr/bin/node").exists() else "node"
    done = subprocess.run([node, HERE / "aws_checks.mjs", packages, endpoint, "js", recording], capture_output=True, text=True,
                          timeout=300, env=ENVIRONMENT)
    check(done.returncode == 0, f"JavaScript:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
    for line in recording.read_text().splitlines():
        answer = json.loads(line)
        operation, body = answer["operation"], base64.b64decode(answer["body"])
        if operation == "SubscribeToShard" and answer["status"] == 200:
            MODEL.check_event_messages(event_messages(io.BytesIO(body).read))
        elif answer["status"] == 200:
            MODEL.check_answer(operation, json.loads(body) if body else None)
        else:
            MODEL.check_error(operation, answer["status"], json.loads(body))
    print(f"JavaScript: {done.stdout.strip()}; checked: {dict(MODEL.checked)}")


def cli_resharding(aws, name):
    """Split, merge, scale and a consumer; the CLI has no SubscribeToShard."""
    def open_shards():
        described = aws("kinesis", "describe-stream", "--stream-name", name)["StreamDescription"]
        check(described["StreamStatus"] == "ACTIVE", described["StreamStatus"])
        return [one["ShardId"] for one in described["Shards"] if "EndingSequenceNumber" not in one["SequenceNumberRange"]]

    aws("kinesis", "put-records", "--stream-name", name, "--records", *[f"Data=aGVsbG8=,PartitionKey=k{i}" for i in range(10)])
    [only] = open_shards()
    aws("kinesis", "split-shard", "--stream-name", name, "--shard-to-split", only, "--new-starting-hash-key", str(1 << 127))
    wait_for("the split", lambda: len(open_shards()) == 2)
    low, high = open_shards()
    aws("kinesis", "merge-shards", "--stream-name", name, "--shard-to-merge", low, "--adjacent-shard-to-merge", high)
    wait_for("the merge", lambda: len(open_shards()) == 1)
    aws("kinesis", "update-shard-count", "--stream-name", name, "--target-shard-count", "2", "--scaling-type",
        "UNIFORM_SCALING")
    wait_for("scaling", lambda: len(open_shards()) == 2)
    arn = aws("kinesis", "describe-stream-summary", "--stream-name", name)["StreamDescriptionSummary"]["StreamARN"]
    aws("kinesis", "register-stream-consumer", "--stream-arn", arn, "--consumer-name", "reader")
    consumers = aws("kinesis", "list-stream-consumers", "--stream-arn", arn)["Consumers"]
    check([one["ConsumerName"] for one in consumers] == ["reader"], consumers)


def try_cli(directory, label, command, endpoint, found):
    """Its answers of data streams are checked on their way."""
    with CheckingProxy(endpoint.removeprefix("http://")) as proxy:
        use_cli(directory, label, command, endpoint, proxy.endpoint, found)
    check(not proxy.failures, f"answers to the CLI ({label}) that the model has otherwise: {proxy.failures}")
    check(proxy.checked >= 15, f"{proxy.checked} answers to the CLI ({label}) were checked")


def use_cli(directory, label, command, endpoint, kinesis_endpoint, found):
    environment = {**ENVIRONMENT, "AWS_ENDPOINT_URL": endpoint}

    def aws(*words):
        url = kinesis_endpoint if words[0] == "kinesis" else endpoint
        full = [*map(str, command), "--endpoint-url", url, "--output", "json", *map(str, words)]
        done = subprocess.run(full, capture_output=True, text=True, timeout=180, env=environment)
        check(done.returncode == 0, f"aws {' '.join(map(str, words))} ({label}):\n{done.stdout}{done.stderr[-2000:]}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    version = subprocess.run([*map(str, command), "--version"], capture_output=True, text=True, timeout=180)
    print(f"{label}: {version.stdout.split()[0]}")
    name = f"{label}-cli"
    aws("kinesis", "create-stream", "--stream-name", name, "--shard-count", "1")
    (directory / "record").write_bytes(b"hello")
    put = aws("kinesis", "put-record", "--stream-name", name, "--partition-key", "k", "--data",
              f"fileb://{directory / 'record'}")
    iterator = aws("kinesis", "get-shard-iterator", "--stream-name", name, "--shard-id", put["ShardId"],
                   "--shard-iterator-type", "TRIM_HORIZON")["ShardIterator"]
    records = aws("kinesis", "get-records", "--shard-iterator", iterator)["Records"]
    check([one["Data"] for one in records] == ["aGVsbG8="], records)
    cli_resharding(aws, name)
    aws("kinesis", "delete-stream", "--stream-name", name, "--enforce-consumer-deletion")

    check(aws("kinesisvideo", "get-data-endpoint", "--stream-name", "door", "--api-name", "LIST_FRAGMENTS")
          == {"DataEndpoint": endpoint}, "the endpoint")
    selector = {"FragmentSelectorType": "SERVER_TIMESTAMP",
                "TimestampRange": {"StartTimestamp": 0, "EndTimestamp": 4_000_000_000}}
    listed = aws("kinesis-video-archived-media", "list-fragments", "--stream-name", "door", "--fragment-selector",
                 json.dumps(selector))["Fragments"]
    numbers = [one["FragmentNumber"] for one in listed]
    check(set(found["listed"]) <= set(numbers), "the CLI lists what boto3 did")
    media = directory / f"{label}-cli.mkv"
    aws("kinesis-video-archived-media", "get-media-for-fragment-list", "--fragments", *found["listed"][:2],
        "--stream-name", "door", media)
    expect_packets(media, found["listed"][:2], found["frames"])

    shard = aws("kinesis", "list-shards", "--stream-name", "millrace-faces")["Shards"][0]["ShardId"]
    iterator = aws("kinesis", "get-shard-iterator", "--stream-name", "millrace-faces", "--shard-id", shard,
                   "--shard-iterator-type", "TRIM_HORIZON")["ShardIterator"]
    record = json.loads(base64.b64decode(aws("kinesis", "get-records", "--shard-iterator", iterator)["Records"][0]["Data"]))
    number = record["InputInformation"]["KinesisVideo"]["FragmentNumber"]
    aws("kinesis-video-archived-media", "get-media-for-fragment-list", "--fragments", number, "--stream-name", "door", media)
    check(packets(media).get("video", 0) > 0, f"ffprobe reads fragment {number} of a face record")

    # An answer without an end: taken until two chunks are there.
    live = directory / f"{label}-cli-live.mkv"
    words = ["kinesis-video-media", "get-media", "--stream-name", "door", "--start-selector",
             "StartSelectorType=EARLIEST", live]
    child = subprocess.Popen([*map(str, command), "--endpoint-url", endpoint, *map(str, words)], env=environment,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("two chunks by the CLI", lambda: live.exists() and live.read_bytes().count(b"CONTINUATION_TOKEN") >= 2, 120)
    finally:
        child.kill()
        child.wait()
    check(packets(live).get("video", 0) > 0, "ffprobe reads what the CLI had so far")


def test(directory):
    clients = [one for one in (new_clients(), old_clients()) if one]
    check(clients, "no AWS client is to be had: neither from PyPI nor Debian's (scripts/deps --test installs them)")
    camera = CameraSim(directory)
    server = Server(directory)
    try:
        server.put_camera("door", camera.url(1), analyzers=["faces"])
        server.wait_recording("door")
        wait_for("three fragments", lambda: len(server.fragments("door")) >= 3)
        wait_for("a record of the face analyzer", lambda: server.get("/v1/streams/door/faces?limit=1")["records"], 120)
        if clients[0][0] == "new":
            try_cbor(directory, clients[0][1], server.endpoint)
        try_js(directory, server.endpoint)
        for label, python, command in clients:
            started = time.monotonic()
            found = try_boto3(directory, label, python, server.endpoint)
            try_cli(directory, label, command, server.endpoint, found)
            print(f"{label}: {time.monotonic() - started:.0f} s")
        check(server.terminate() == 0, "the server did not stop cleanly")
    finally:
        server.kill()
        camera.kill()


if __name__ == "__main__":
    main(test)
