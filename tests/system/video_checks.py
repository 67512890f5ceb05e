"""What boto3 makes of a server of video streams: run by video_clients_test.py, by the Python that has the boto3 to be tried.

    video_checks.py ENDPOINT PREFIX STREAM OUTPUT_DIRECTORY

STREAM has some seconds of footage that ended just now. Every answer is checked against the service models, as boto3 understood
it and as it came (service_model.py). Prints one JSON object: what was checked, and how many fragments were taken.
"""
import json
import pathlib
import sys

import boto3

from aws_boto3 import client, refused
from harness import check, wait_for
from service_model import VIDEO

ENDPOINT, PREFIX, STREAM, OUTPUT = sys.argv[1:5]


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


def main():
    video = client(ENDPOINT, "kinesisvideo")
    stream_life(video)

    def reached(service, name):
        endpoint = video.get_data_endpoint(StreamName=STREAM, APIName=name)["DataEndpoint"]
        check(endpoint == ENDPOINT, endpoint)
        return client(endpoint, service)

    archived = reached("kinesis-video-archived-media", "LIST_FRAGMENTS")
    found = fragments(archived, reached("kinesis-video-media", "GET_MEDIA"))
    print(json.dumps({"boto3": boto3.__version__, "checked": VIDEO.checked, "fragments": [number for number, _ in found]}))


main()
