"""What boto3 makes of a running server: run by aws_clients_test.py, by the Python that has the boto3 to be tried.

    aws_checks.py ENDPOINT PREFIX STREAM OUTPUT_DIRECTORY

Every answer is checked against a service model: what boto3 makes of it against its own, and those of data streams as they
came from the wire against the newest (service_model.py). Prints one JSON object with what the caller goes on with.
"""
import datetime
import json
import pathlib
import sys

import boto3
import botocore

import aws_stream_checks
from aws_boto3 import checked, client, read_shard, refused
from harness import check, wait_for
from service_model import MODEL

ENDPOINT, PREFIX, STREAM, OUTPUT = sys.argv[1:5]
EBML = b"\x1a\x45\xdf\xa3"
TOKEN_TAG = b"AWS_KINESISVIDEO_CONTINUATION_TOKEN"
ALL_TIME = {"StartTimestamp": 0, "EndTimestamp": 4_000_000_000}

def descriptors(kinesis):
    found = []
    for shard in kinesis.list_shards(StreamName="millrace-fragments")["Shards"]:
        for record in read_shard(kinesis, {"ShardIteratorType": "TRIM_HORIZON"}, ShardId=shard["ShardId"],
                                 StreamName="millrace-fragments"):
            found.append(json.loads(record["Data"]))
    return [one for one in found if one["stream"] == STREAM]


def read_media(media, selector, chunks):
    """The body up to the end of as many chunks, cut where their last tags end."""
    body = b""
    payload = media.get_media(StreamName=STREAM, StartSelector=selector)["Payload"]
    while body.count(TOKEN_TAG) < chunks:
        piece = payload.read(65536)
        check(piece, "the body ended")
        body += piece
    payload.close()
    documents = [EBML + one for one in body.split(EBML)[1:]]
    return documents[:chunks]


def tag(document, name):
    at = document.index(name)
    # The value: TagString (44 87), a size of one byte, text.
    at = document.index(b"\x44\x87", at)
    return document[at + 3:at + 3 + (document[at + 2] & 0x7F)].decode()


def video_streams():
    endpoint = client(ENDPOINT, "kinesisvideo").get_data_endpoint(StreamName=STREAM, APIName="GET_MEDIA")["DataEndpoint"]
    check(endpoint == ENDPOINT, endpoint)
    archived, media = client(ENDPOINT, "kinesis-video-archived-media"), client(ENDPOINT, "kinesis-video-media")
    by_time = {}
    for kind in ("PRODUCER_TIMESTAMP", "SERVER_TIMESTAMP"):
        pages = archived.get_paginator("list_fragments").paginate(
            StreamName=STREAM, FragmentSelector={"FragmentSelectorType": kind, "TimestampRange": ALL_TIME},
            PaginationConfig={"PageSize": 2})
        by_time[kind] = [one for page in pages for one in page["Fragments"]]
    listed = [one["FragmentNumber"] for one in by_time["PRODUCER_TIMESTAMP"]]
    check(listed == sorted(set(listed)) and len(listed) >= 3, listed)
    check(set(listed) <= {one["FragmentNumber"] for one in by_time["SERVER_TIMESTAMP"]}, "both selectors")

    of_log = {one["fragment_number"]: one for one in descriptors(client(ENDPOINT, "kinesis"))}
    check(set(listed) <= set(of_log), "every fragment has its descriptor")
    arn = of_log[listed[0]]["stream_arn"]
    asked = [listed[2], listed[0], listed[1]]
    body = archived.get_media_for_fragment_list(StreamARN=arn, Fragments=asked)["Payload"].read()
    got = [tag(EBML + one, b"AWS_KINESISVIDEO_FRAGMENT_NUMBER") for one in body.split(EBML)[1:]]
    check(got == asked, f"{got} for {asked}")
    in_order = archived.get_media_for_fragment_list(StreamName=STREAM, Fragments=listed[:3])["Payload"].read()
    pathlib.Path(OUTPUT, f"{PREFIX}-list.mkv").write_bytes(in_order)

    # From the beginning into the present, hang up, go on with the token: nothing twice, nothing left out.
    first = read_media(media, {"StartSelectorType": "EARLIEST"}, len(listed) + 1)
    token = tag(first[-1], TOKEN_TAG)
    then = read_media(media, {"StartSelectorType": "CONTINUATION_TOKEN", "ContinuationToken": token}, 2)
    numbers = [tag(one, b"AWS_KINESISVIDEO_FRAGMENT_NUMBER") for one in first + then]
    # The counter stands in the number's hexadecimal form behind a leading 1.
    counters = [int(f"{int(one):x}"[1:17], 16) for one in numbers]
    check(counters == list(range(counters[0], counters[0] + len(counters))), f"a gap in {counters}")
    check(numbers[:len(listed)] == listed, "the order of the numbers")
    pathlib.Path(OUTPUT, f"{PREFIX}-live.mkv").write_bytes(b"".join(first + then))
    start = by_time["PRODUCER_TIMESTAMP"][1]["ProducerTimestamp"]
    inside = read_media(media, {"StartSelectorType": "PRODUCER_TIMESTAMP",
                                "StartTimestamp": start + datetime.timedelta(seconds=1)}, 1)
    check(tag(inside[0], b"AWS_KINESISVIDEO_FRAGMENT_NUMBER") == listed[1], "the fragment that contains the time")

    refused("ResourceNotFoundException", media.get_media, StreamName="nowhere", StartSelector={"StartSelectorType": "NOW"})
    refused("InvalidArgumentException", media.get_media, StreamName=STREAM,
            StartSelector={"StartSelectorType": "FRAGMENT_NUMBER"})

    def described():  # what is watched live may come before it is durable
        of_log.update({one["fragment_number"]: one for one in descriptors(client(ENDPOINT, "kinesis"))})
        return set(numbers) <= set(of_log)

    wait_for("the descriptors of all", described)
    frames = {kind: {number: sum(track["frames"] for track in of_log[number]["tracks"] if track["kind"] == kind)
                     for number in numbers} for kind in ("video", "audio")}
    return {"listed": listed, "numbers": numbers, "frames": frames}


def faces(frames):
    """A record of the face analyzer, and the fragment that it speaks of."""
    kinesis, archived = client(ENDPOINT, "kinesis"), client(ENDPOINT, "kinesis-video-archived-media")
    shard = kinesis.list_shards(StreamName="millrace-faces")["Shards"][0]["ShardId"]
    where = {"ShardId": shard, "StreamName": "millrace-faces"}
    records = read_shard(kinesis, {"ShardIteratorType": "TRIM_HORIZON"}, **where)
    of_stream = [json.loads(one["Data"]) for one in records if one["PartitionKey"] == STREAM]
    inputs = [one["InputInformation"]["KinesisVideo"] for one in of_stream]
    check(all("FaceSearchResponse" in one for one in of_stream), of_stream[:3])
    known = [one["FragmentNumber"] for one in inputs if one["FragmentNumber"] in frames["video"]]
    check(known, f"no analysed fragment among {len(inputs)} records")
    body = archived.get_media_for_fragment_list(StreamARN=inputs[0]["StreamArn"], Fragments=known[:1])["Payload"].read()
    pathlib.Path(OUTPUT, f"{PREFIX}-face.mkv").write_bytes(body)
    return known[0]


aws_stream_checks.data_streams(ENDPOINT, PREFIX)
answer = video_streams()
answer["face"] = faces(answer["frames"])
print(json.dumps({"boto3": boto3.__version__, "botocore": botocore.__version__, "checked": {**checked, **MODEL.checked}, **answer}))
