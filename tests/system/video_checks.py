"""What boto3 makes of a server of video streams: run by video_clients_test.py, by the Python that has the boto3 to be tried.

    video_checks.py ENDPOINT PREFIX STREAM OUTPUT_DIRECTORY

STREAM has some seconds of footage that ended just now. Every answer is checked against the service models, as boto3 understood it and
as it came (service_model.py). Prints one JSON object: what was checked, and how many fragments were taken.
"""
import base64
import datetime
import json
import pathlib
import sys
import urllib.request

import boto3

from aws_boto3 import client, refused
from harness import check, wait_for
from service_model import VIDEO

ENDPOINT, PREFIX, STREAM, OUTPUT = sys.argv[1:5]
HOUR = datetime.timedelta(hours=1)
SECRET = "front-door-AbCdEf"  # video_clients_test.py made it


def has(service, method):
    """Whether this boto3 knows the operation: old ones do not know all."""
    return hasattr(service, method)


def stream_life(video):
    """Made, described, changed, tagged, deleted."""
    name = f"{PREFIX}-life"
    arn = video.create_stream(StreamName=name, DataRetentionInHours=24, MediaType="video/h264", DeviceName="a-device",
                              Tags={"floor": "1"})["StreamARN"]

    def info(**which):
        return video.describe_stream(**(which or {"StreamName": name}))["StreamInfo"]

    def version():
        wait_for(f"{name} to be ACTIVE", lambda: info()["Status"] == "ACTIVE")
        return info()["Version"]

    first = version()
    told = info(StreamARN=arn)
    wanted = {"StreamName": name, "StreamARN": arn, "MediaType": "video/h264", "DeviceName": "a-device", "DataRetentionInHours": 24}
    check({key: told[key] for key in wanted} == wanted, told)
    refused("ResourceInUseException", video.create_stream, StreamName=name)
    refused("InvalidArgumentException", video.create_stream, StreamName="no spaces", DataRetentionInHours=24)
    refused("ResourceNotFoundException", video.describe_stream, StreamName="nowhere")

    video.update_stream(StreamName=name, CurrentVersion=first, MediaType="video/h265")
    refused("VersionMismatchException", video.update_stream, StreamName=name, CurrentVersion=first, MediaType="video/h264")
    video.update_data_retention(StreamARN=arn, CurrentVersion=version(), Operation="INCREASE_DATA_RETENTION",
                                DataRetentionChangeInHours=12)
    check(info()["DataRetentionInHours"] == 36 and info()["MediaType"] == "video/h265", info())
    video.update_data_retention(StreamName=name, CurrentVersion=version(), Operation="DECREASE_DATA_RETENTION",
                                DataRetentionChangeInHours=30)
    check(info()["DataRetentionInHours"] == 6, info())
    refused("InvalidArgumentException", video.update_data_retention, StreamName=name, CurrentVersion=version(),
            Operation="DECREASE_DATA_RETENTION", DataRetentionChangeInHours=7)

    tags_of(video, name, arn)
    listed = [one["StreamName"] for page in video.get_paginator("list_streams").paginate(
        StreamNameCondition={"ComparisonOperator": "BEGINS_WITH", "ComparisonValue": PREFIX}, PaginationConfig={"PageSize": 1})
        for one in page["StreamInfoList"]]
    check(listed == [name], listed)
    configurations(video, name, arn)
    refused("VersionMismatchException", video.delete_stream, StreamARN=arn, CurrentVersion=first)
    video.delete_stream(StreamARN=arn, CurrentVersion=version())
    wait_for(f"{name} to be gone", lambda: name not in [one["StreamName"] for one in video.list_streams()["StreamInfoList"]])


def tags_of(video, name, arn):
    video.tag_stream(StreamName=name, Tags={"room": "2", "gone": "soon"})
    video.untag_stream(StreamARN=arn, TagKeyList=["gone"])
    check(video.list_tags_for_stream(StreamName=name)["Tags"] == {"floor": "1", "room": "2"}, "tags of a stream")
    refused("ResourceNotFoundException", video.tag_stream, StreamName="nowhere", Tags={"a": "b"})
    if has(video, "tag_resource"):
        video.tag_resource(ResourceARN=arn, Tags=[{"Key": "door", "Value": "left"}])
        video.untag_resource(ResourceARN=arn, TagKeyList=["floor"])
        check(video.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"room": "2", "door": "left"}, "tags of a resource")


def configurations(video, name, arn):
    """Images, notifications, storage, where media comes from."""
    if has(video, "update_image_generation_configuration"):
        images = {"Status": "ENABLED", "ImageSelectorType": "SERVER_TIMESTAMP", "SamplingInterval": 3000, "Format": "JPEG",
                  "DestinationConfig": {"Uri": f"s3://{PREFIX}-bucket/images", "DestinationRegion": "us-east-1"},
                  "FormatConfig": {"JPEGQuality": "80"}, "WidthPixels": 320, "HeightPixels": 240}
        video.update_image_generation_configuration(StreamName=name, ImageGenerationConfiguration=images)
        told = video.describe_image_generation_configuration(StreamARN=arn)["ImageGenerationConfiguration"]
        check(told == images, told)
        video.update_image_generation_configuration(StreamName=name)
        check("ImageGenerationConfiguration" not in video.describe_image_generation_configuration(StreamName=name), "taken away")
        notification = {"Status": "ENABLED", "DestinationConfig": {"Uri": f"arn:aws:sns:us-east-1:000000000000:{PREFIX}"}}
        video.update_notification_configuration(StreamARN=arn, NotificationConfiguration=notification)
        told = video.describe_notification_configuration(StreamName=name)["NotificationConfiguration"]
        check(told == notification, told)
        video.update_notification_configuration(StreamName=name)
        check("NotificationConfiguration" not in video.describe_notification_configuration(StreamName=name), "taken away")
    if has(video, "describe_stream_storage_configuration"):
        told = video.describe_stream_storage_configuration(StreamName=name)
        check(told["StreamStorageConfiguration"]["DefaultStorageTier"] == "HOT", told)
        version = video.describe_stream(StreamName=name)["StreamInfo"]["Version"]
        video.update_stream_storage_configuration(StreamARN=arn, CurrentVersion=version,
                                                  StreamStorageConfiguration={"DefaultStorageTier": "WARM"})
        told = video.describe_stream_storage_configuration(StreamARN=arn)
        check(told["StreamStorageConfiguration"]["DefaultStorageTier"] == "WARM", told)
    if has(video, "describe_mapped_resource_configuration"):
        check(video.describe_mapped_resource_configuration(StreamName=name)["MappedResourceConfigurationList"] == [], "no channel")


def channels(video):
    """Signaling channels, and the stream that one is recorded to."""
    if not has(video, "update_media_storage_configuration"):
        return
    name = f"{PREFIX}-door"
    arn = video.create_signaling_channel(ChannelName=name, ChannelType="SINGLE_MASTER", Tags=[{"Key": "site", "Value": "north"}],
                                         SingleMasterConfiguration={"MessageTtlSeconds": 30})["ChannelARN"]
    refused("ResourceInUseException", video.create_signaling_channel, ChannelName=name)
    told = video.describe_signaling_channel(ChannelName=name)["ChannelInfo"]
    check(told["ChannelARN"] == arn and told["ChannelStatus"] == "ACTIVE", told)
    video.update_signaling_channel(ChannelARN=arn, CurrentVersion=told["Version"], SingleMasterConfiguration={"MessageTtlSeconds": 60})
    refused("VersionMismatchException", video.update_signaling_channel, ChannelARN=arn, CurrentVersion=told["Version"])
    video.tag_resource(ResourceARN=arn, Tags=[{"Key": "floor", "Value": "2"}])
    check(video.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"site": "north", "floor": "2"}, "a channel's tags")
    found = video.list_signaling_channels(ChannelNameCondition={"ComparisonOperator": "BEGINS_WITH", "ComparisonValue": PREFIX})
    check([one["ChannelName"] for one in found["ChannelInfoList"]] == [name], found)
    endpoints = video.get_signaling_channel_endpoint(ChannelARN=arn, SingleMasterChannelEndpointConfiguration={
        "Protocols": ["WSS", "HTTPS"], "Role": "VIEWER"})["ResourceEndpointList"]
    endpoints = {one["Protocol"]: one["ResourceEndpoint"] for one in endpoints}
    check(set(endpoints) == {"WSS", "HTTPS"}, endpoints)
    client(endpoints["HTTPS"], "kinesis-video-signaling").get_ice_server_config(ChannelARN=arn)
    stream = video.create_stream(StreamName=f"{PREFIX}-of-channel", DataRetentionInHours=1)["StreamARN"]
    video.update_media_storage_configuration(ChannelARN=arn, MediaStorageConfiguration={"StreamARN": stream, "Status": "ENABLED"})
    told = video.describe_media_storage_configuration(ChannelARN=arn)["MediaStorageConfiguration"]
    check(told == {"StreamARN": stream, "Status": "ENABLED"}, told)
    mapped = video.describe_mapped_resource_configuration(StreamARN=stream)["MappedResourceConfigurationList"]
    check([one["ARN"] for one in mapped] == [arn], mapped)
    if "kinesis-video-webrtc-storage" in boto3.session.Session().get_available_services():
        join(video, arn)
    video.delete_signaling_channel(ChannelARN=arn)
    refused("ResourceNotFoundException", video.describe_signaling_channel, ChannelName=name)
    video.delete_stream(StreamARN=stream)


def join(video, arn):
    """The storage session of a channel that is mapped to a stream; who takes part in it is signaling_test.py's."""
    endpoint = video.get_signaling_channel_endpoint(ChannelARN=arn, SingleMasterChannelEndpointConfiguration={
        "Protocols": ["WEBRTC"], "Role": "MASTER"})["ResourceEndpointList"][0]["ResourceEndpoint"]
    storage = client(endpoint, "kinesis-video-webrtc-storage")
    storage.join_storage_session(channelArn=arn)  # its offer waits for a master, as messages do
    refused("ResourceNotFoundException", storage.join_storage_session, channelArn=arn[:-1] + str((int(arn[-1]) + 1) % 10))
    if has(storage, "join_storage_session_as_viewer"):
        # Nobody is recorded yet.
        refused("InvalidArgumentException", storage.join_storage_session_as_viewer, channelArn=arn, clientId="viewer")


def edge(video):
    """A camera of this server, set up as an edge agent's."""
    if not has(video, "start_edge_configuration_update"):
        return
    name = f"{PREFIX}-edge"
    hub = f"arn:aws:iot:us-east-1:000000000000:thing/{PREFIX}-hub"
    arn = video.create_stream(StreamName=name, DataRetentionInHours=24)["StreamARN"]
    refused("StreamEdgeConfigurationNotFoundException", video.describe_edge_configuration, StreamName=name)
    config = {"HubDeviceArn": hub, "RecorderConfig": {"MediaSourceConfig": {
        "MediaUriSecretArn": f"arn:aws:secretsmanager:us-east-1:000000000000:secret:{SECRET}", "MediaUriType": "RTSP_URI"}},
        "DeletionConfig": {"EdgeRetentionInHours": 24, "DeleteAfterUpload": True}}
    told = video.start_edge_configuration_update(StreamName=name, EdgeConfig=config)
    check(told["EdgeConfig"] == config and told["SyncStatus"] in ("SYNCING", "ACKNOWLEDGED", "IN_SYNC"), told)
    wait_for("the edge configuration to be in use",
             lambda: video.describe_edge_configuration(StreamARN=arn)["SyncStatus"] in ("IN_SYNC", "SYNC_FAILED"))
    listed = video.list_edge_agent_configurations(HubDeviceArn=hub)["EdgeConfigs"]
    check([one["StreamName"] for one in listed] == [name], listed)
    video.delete_edge_configuration(StreamName=name)

    def gone():
        try:
            return video.describe_edge_configuration(StreamName=name)["SyncStatus"] not in ("DELETING", "IN_SYNC", "SYNCING")
        except video.exceptions.StreamEdgeConfigurationNotFoundException:
            return True

    wait_for("the edge configuration to be gone", gone)
    video.delete_stream(StreamARN=arn)


def fragments(archived, media):
    listed = []
    for kind in ("PRODUCER_TIMESTAMP", "SERVER_TIMESTAMP"):
        pages = archived.get_paginator("list_fragments").paginate(
            StreamName=STREAM, PaginationConfig={"PageSize": 2}, FragmentSelector={
                "FragmentSelectorType": kind, "TimestampRange": {"StartTimestamp": 0, "EndTimestamp": 4_000_000_000}})
        listed.append(sorted((one["FragmentNumber"], one["ProducerTimestamp"]) for page in pages for one in page["Fragments"]))
    check(listed[0] == listed[1] and len(listed[0]) >= 5, f"by both times: {listed}")
    numbers = [number for number, _ in listed[0]]
    taken = archived.get_media_for_fragment_list(StreamName=STREAM, Fragments=numbers)
    pathlib.Path(OUTPUT, f"{PREFIX}-list.mkv").write_bytes(taken["Payload"].read())
    refused("InvalidArgumentException", archived.list_fragments, StreamName=STREAM, NextToken="no-token")
    refused("ResourceNotFoundException", archived.get_media_for_fragment_list, StreamName="nowhere", Fragments=numbers[:1])
    live = media.get_media(StreamName=STREAM, StartSelector={"StartSelectorType": "FRAGMENT_NUMBER", "AfterFragmentNumber": numbers[0]})
    body = b""
    # Up to the last one: a read gives all that is asked for, and behind it nothing comes.
    while body.count(b"AWS_KINESISVIDEO_CONTINUATION_TOKEN") < len(numbers) - 2:
        body += live["Payload"].read(4096)
    live["Payload"].close()
    check(numbers[0].encode() not in body and all(number.encode() in body for number in numbers[1:-1]), "GetMedia goes on behind it")
    refused("InvalidArgumentException", media.get_media, StreamName=STREAM, StartSelector={"StartSelectorType": "FRAGMENT_NUMBER"})
    return listed[0]


def fetch(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read()


def sessions(archived, start, end):
    times = {"StartTimestamp": start, "EndTimestamp": end}
    selector = {"FragmentSelectorType": "PRODUCER_TIMESTAMP", "TimestampRange": times}
    for container in ("FRAGMENTED_MP4", "MPEG_TS"):
        url = archived.get_hls_streaming_session_url(
            StreamName=STREAM, PlaybackMode="ON_DEMAND", HLSFragmentSelector=selector, ContainerFormat=container,
            DiscontinuityMode="ON_DISCONTINUITY", DisplayFragmentTimestamp="ALWAYS", Expires=300,
            MaxMediaPlaylistFragmentResults=100)["HLSStreamingSessionURL"]
        check(fetch(url).startswith(b"#EXTM3U"), f"the master playlist of {container}")
    live = archived.get_hls_streaming_session_url(StreamName=STREAM)["HLSStreamingSessionURL"]
    check(fetch(live).startswith(b"#EXTM3U"), "the master playlist of a live session")
    manifest = archived.get_dash_streaming_session_url(
        StreamName=STREAM, PlaybackMode="ON_DEMAND", DASHFragmentSelector=selector, DisplayFragmentNumber="ALWAYS",
        DisplayFragmentTimestamp="ALWAYS")["DASHStreamingSessionURL"]
    check(b"<MPD" in fetch(manifest), "the manifest of a DASH session")
    refused("InvalidArgumentException", archived.get_hls_streaming_session_url, StreamName=STREAM, PlaybackMode="ON_DEMAND")
    refused("ResourceNotFoundException", archived.get_hls_streaming_session_url, StreamName=STREAM, PlaybackMode="ON_DEMAND",
            HLSFragmentSelector={"FragmentSelectorType": "PRODUCER_TIMESTAMP",
                                 "TimestampRange": {"StartTimestamp": start - 2 * HOUR, "EndTimestamp": start - HOUR}})


def cuts(archived, start, last, end):
    selector = {"FragmentSelectorType": "PRODUCER_TIMESTAMP", "TimestampRange": {"StartTimestamp": start, "EndTimestamp": end}}
    clip = archived.get_clip(StreamName=STREAM, ClipFragmentSelector=selector)
    check(clip["ContentType"] == "video/mp4", clip["ContentType"])
    pathlib.Path(OUTPUT, f"{PREFIX}-clip.mp4").write_bytes(clip["Payload"].read())
    if not has(archived, "get_images"):
        return
    interval = archived.meta.service_model.operation_model("GetImages").input_shape.members["SamplingInterval"].metadata.get("min", 1000)
    interval = max(interval, 1000)  # old clients send 3 s or more
    count = int((last - start).total_seconds() * 1000) // interval + 1  # up to the last fragment's start
    for form, magic in (("JPEG", b"\xff\xd8"), ("PNG", b"\x89PNG")):
        pages = archived.get_paginator("get_images").paginate(
            StreamName=STREAM, ImageSelectorType="PRODUCER_TIMESTAMP", StartTimestamp=start, EndTimestamp=end, SamplingInterval=interval,
            Format=form, WidthPixels=160, HeightPixels=120, PaginationConfig={"PageSize": 2})
        images = [one for page in pages for one in page["Images"]]
        check(len(images) >= count and all(base64.b64decode(one["ImageContent"]).startswith(magic) for one in images[:count]), images)
    refused("InvalidArgumentException", archived.get_images, StreamName=STREAM, ImageSelectorType="PRODUCER_TIMESTAMP",
            StartTimestamp=start, EndTimestamp=start + HOUR, SamplingInterval=interval, Format="JPEG")


def main():
    video = client(ENDPOINT, "kinesisvideo")
    stream_life(video)
    edge(video)
    channels(video)

    def reached(service, name):
        endpoint = video.get_data_endpoint(StreamName=STREAM, APIName=name)["DataEndpoint"]
        check(endpoint == ENDPOINT, endpoint)
        return client(endpoint, service)

    archived = reached("kinesis-video-archived-media", "LIST_FRAGMENTS")
    found = fragments(archived, reached("kinesis-video-media", "GET_MEDIA"))
    start, end = found[0][1], datetime.datetime.now(datetime.timezone.utc)
    sessions(archived, start, end)
    cuts(archived, start, found[-1][1], end)
    print(json.dumps({"boto3": boto3.__version__, "checked": VIDEO.checked, "fragments": [number for number, _ in found]}))


main()
