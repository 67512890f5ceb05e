"""What the AWS CLI makes of a server of video streams: every operation that it has, through a proxy that checks the answers.

Each test of TESTS takes a Cli and uses streams and channels of its own, so that they run beside each other: the CLI takes longer to
start than the server to answer.
"""
import base64
import concurrent.futures
import json
import subprocess
import time

from aws_clients_test import ENVIRONMENT, packets
from harness import check, wait_for

MEDIA, ARCHIVED, STORAGE, SIGNALING = (f"kinesis-video-{name}" for name in ("media", "archived-media", "webrtc-storage", "signaling"))


class Cli:
    """cli("describe-stream", "--stream-name", "door") runs it, and gives its answer. Threads: any."""

    def __init__(self, label, command, endpoint, directory, found):
        self.label, self.command, self.endpoint, self.directory = label, [*map(str, command)], endpoint, directory
        self.stream, self.fragments, self.frames = found["stream"], found["fragments"], found["frames"]
        self.complete = label == "new"  # Debian's does not know the newer operations

    def __call__(self, *words, service="kinesisvideo"):
        words = [service, *(json.dumps(word) if isinstance(word, dict) else str(word) for word in words)]
        done = subprocess.run([*self.command, "--endpoint-url", self.endpoint, "--output", "json", *words], capture_output=True,
                              text=True, timeout=240, env=ENVIRONMENT)
        check(done.returncode == 0, f"aws {' '.join(words)} ({self.label}):\n{done.stdout}{done.stderr[-2000:]}")
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def create(self, name):
        """A stream's name and ARN, as options."""
        name = f"{self.label}-cli-{name}"
        arn = self("create-stream", "--stream-name", name, "--data-retention-in-hours", 2, "--tags", "a=b")["StreamARN"]
        return ["--stream-name", name], ["--stream-arn", arn]

    def info(self, stream):
        return self("describe-stream", *stream)["StreamInfo"]

    def version(self, stream):
        return ["--current-version", self.info(stream)["Version"]]


def stream_life(cli):
    name, arn = cli.create("life")
    wait_for("the stream", lambda: cli.info(name)["Status"] == "ACTIVE")
    cli("update-stream", *name, *cli.version(name), "--media-type", "video/h264")
    cli("update-data-retention", *arn, *cli.version(arn), "--operation", "INCREASE_DATA_RETENTION",
        "--data-retention-change-in-hours", 1)
    told = cli.info(arn)
    check(told["DataRetentionInHours"] == 3 and told["MediaType"] == "video/h264", told)
    check(name[1] in [one["StreamName"] for one in cli("list-streams")["StreamInfoList"]], "the stream is listed")
    cli("tag-stream", *name, "--tags", "c=d")
    cli("untag-stream", *name, "--tag-key-list", "a")
    check(cli("list-tags-for-stream", *name)["Tags"] == {"c": "d"}, "tags of a stream")
    cli("delete-stream", *arn)


def configurations(cli):
    name, arn = cli.create("configured")
    images = {"Status": "ENABLED", "ImageSelectorType": "SERVER_TIMESTAMP", "SamplingInterval": 3000, "Format": "JPEG",
              "DestinationConfig": {"Uri": "s3://bucket/images", "DestinationRegion": "us-east-1"}}
    notification = {"Status": "ENABLED", "DestinationConfig": {"Uri": "arn:aws:sns:us-east-1:000000000000:topic"}}
    for kind, wanted in (("image-generation", images), ("notification", notification)):
        cli(f"update-{kind}-configuration", *name, f"--{kind}-configuration", wanted)
        told = cli(f"describe-{kind}-configuration", *arn)
        check(list(told.values()) == [wanted], told)
    if cli.complete:
        cli("update-stream-storage-configuration", *arn, *cli.version(arn), "--stream-storage-configuration",
            {"DefaultStorageTier": "WARM"})
        told = cli("describe-stream-storage-configuration", *name)["StreamStorageConfiguration"]
        check(told == {"DefaultStorageTier": "WARM"}, told)
    cli("delete-stream", *arn)


def channels(cli):
    name, stream = f"{cli.label}-cli-door", cli.create("of-channel")[1]
    arn = cli("create-signaling-channel", "--channel-name", name, "--tags", "Key=a,Value=b")["ChannelARN"]
    channel, resource = ["--channel-arn", arn], ["--resource-arn", arn]
    version = cli("describe-signaling-channel", "--channel-name", name)["ChannelInfo"]["Version"]
    cli("update-signaling-channel", *channel, "--current-version", version, "--single-master-configuration", "MessageTtlSeconds=60")
    told = [one for one in cli("list-signaling-channels")["ChannelInfoList"] if one["ChannelName"] == name]
    check([one["SingleMasterConfiguration"]["MessageTtlSeconds"] for one in told] == [60], told)
    cli("tag-resource", *resource, "--tags", "Key=c,Value=d")
    cli("untag-resource", *resource, "--tag-key-list", "a")
    check(cli("list-tags-for-resource", *resource)["Tags"] == {"c": "d"}, "tags of a channel")
    told = cli("get-signaling-channel-endpoint", *channel, "--single-master-channel-endpoint-configuration",
               "Protocols=WSS,HTTPS,Role=MASTER")["ResourceEndpointList"]
    check({one["Protocol"] for one in told} == {"WSS", "HTTPS"}, told)
    cli("get-ice-server-config", *channel, service=SIGNALING)
    storage = {"StreamARN": stream[1], "Status": "ENABLED"}
    cli("update-media-storage-configuration", *channel, "--media-storage-configuration", storage)
    told = cli("describe-media-storage-configuration", "--channel-name", name)["MediaStorageConfiguration"]
    check(told == storage, told)
    told = cli("describe-mapped-resource-configuration", *stream)["MappedResourceConfigurationList"]
    check([one["ARN"] for one in told] == [arn], told)
    cli("join-storage-session", *channel, service=STORAGE)
    cli("delete-signaling-channel", *channel)
    cli("delete-stream", *stream)


def edge(cli):
    if not cli.complete:
        return
    name, arn = cli.create("edge")
    hub = "arn:aws:iot:us-east-1:000000000000:thing/cli-hub"
    config = {"HubDeviceArn": hub, "RecorderConfig": {"MediaSourceConfig": {
        "MediaUriSecretArn": "arn:aws:secretsmanager:us-east-1:000000000000:secret:front-door-AbCdEf", "MediaUriType": "RTSP_URI"}}}
    cli("start-edge-configuration-update", *name, "--edge-config", config)
    check(cli("describe-edge-configuration", *arn)["EdgeConfig"] == config, "the edge configuration")
    listed = cli("list-edge-agent-configurations", "--hub-device-arn", hub)["EdgeConfigs"]
    check([one["StreamName"] for one in listed] == [name[1]], listed)
    cli("delete-edge-configuration", *arn)
    cli("delete-stream", *arn)


def footage(cli):
    """Each way to read what a producer has put."""
    stream, now = ["--stream-name", cli.stream], time.time()
    for api in ("GET_CLIP", "GET_MEDIA"):
        endpoint = cli("get-data-endpoint", *stream, "--api-name", api)["DataEndpoint"]
        check(endpoint == cli.endpoint, f"{endpoint}: the server as it was reached")
    selector = {"FragmentSelectorType": "SERVER_TIMESTAMP", "TimestampRange": {"StartTimestamp": now - 3600, "EndTimestamp": now}}
    listed = cli("list-fragments", *stream, "--fragment-selector", selector, service=ARCHIVED)["Fragments"]
    check({one["FragmentNumber"] for one in listed} == set(cli.fragments), "the CLI lists what boto3 did")
    files = [cli.directory / f"{cli.label}-cli-{name}" for name in ("live.mkv", "list.mkv", "clip.mp4")]
    cli("get-media", *stream, "--start-selector", "StartSelectorType=EARLIEST", files[0], service=MEDIA)
    cli("get-media-for-fragment-list", "--fragments", *cli.fragments, *stream, files[1], service=ARCHIVED)
    cli("get-clip", *stream, "--clip-fragment-selector", selector, files[2], service=ARCHIVED)
    for file in files:
        check(packets(file)["video"] == cli.frames, f"{file.name}: {packets(file)}")
    for form in ("hls", "dash"):
        told = cli(f"get-{form}-streaming-session-url", *stream, "--playback-mode", "ON_DEMAND", f"--{form}-fragment-selector",
                   selector, service=ARCHIVED)
        check(f"/{form}/" in told[f"{form.upper()}StreamingSessionURL"], told)
    starts = sorted(one["ProducerTimestamp"] for one in listed)
    images = cli("get-images", *stream, "--image-selector-type", "PRODUCER_TIMESTAMP", "--start-timestamp", starts[0],
                 "--end-timestamp", starts[-1], "--sampling-interval", 3000, "--format", "PNG", service=ARCHIVED)["Images"]
    check(images and all(base64.b64decode(one["ImageContent"]).startswith(b"\x89PNG") for one in images), images)


TESTS = (footage, channels, stream_life, configurations, edge)


def use(cli):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(test, cli) for test in TESTS]:
            done.result()
