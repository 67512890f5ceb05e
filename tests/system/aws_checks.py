"""What boto3 makes of a running server: run by aws_clients_test.py, by the Python that has the boto3 to be tried.

    aws_checks.py ENDPOINT PREFIX STREAM OUTPUT_DIRECTORY

Every answer is checked against boto3's own service model: required members, types, enums. Prints one JSON object with
what the caller goes on with.
"""
import datetime
import json
import pathlib
import sys

import boto3
import botocore
import botocore.config
import botocore.exceptions

from harness import check, wait_for

ENDPOINT, PREFIX, STREAM, OUTPUT = sys.argv[1:5]
EBML = b"\x1a\x45\xdf\xa3"
TOKEN_TAG = b"AWS_KINESISVIDEO_CONTINUATION_TOKEN"
ALL_TIME = {"StartTimestamp": 0, "EndTimestamp": 4_000_000_000}

checked = {}


def check_shape(shape, value, where):
    kinds = {"structure": dict, "map": dict, "list": list, "string": str, "integer": int, "long": int, "boolean": bool,
             "timestamp": datetime.datetime, "blob": (bytes, object)}
    check(isinstance(value, kinds.get(shape.type_name, object)), f"{where} is no {shape.type_name}: {value!r}")
    if shape.type_name == "structure":
        for name in shape.required_members:
            check(name in value, f"{where}.{name} is required by the model")
        for name, member in value.items():
            check(name in shape.members, f"{where}.{name} is not in the model")
            check_shape(shape.members[name], member, f"{where}.{name}")
    elif shape.type_name == "list":
        for i, item in enumerate(value):
            check_shape(shape.member, item, f"{where}[{i}]")
    elif shape.type_name == "string" and getattr(shape, "enum", None):
        check(value in shape.enum, f"{where} is {value!r}, none of {shape.enum}")


def client(service):
    made = boto3.client(service, endpoint_url=ENDPOINT,
                        config=botocore.config.Config(retries={"max_attempts": 2}, read_timeout=30))

    def after(parsed, model, **_):
        if "Error" in parsed or model.output_shape is None:
            return
        members = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
        check_shape(model.output_shape, members, model.name)
        checked[model.name] = checked.get(model.name, 0) + 1

    made.meta.events.register("after-call", after)
    return made


def refused(name, call, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        check(error.response["Error"]["Code"] == name, f"wanted {name}, got {error}")
        check(len(error.response["ResponseMetadata"]["RequestId"]) == 36, f"request id of {error}")
        return
    raise AssertionError(f"wanted {name}, but it was answered")


def read_shard(kinesis, start, **stream):
    iterator = kinesis.get_shard_iterator(**start, **stream)["ShardIterator"]
    records = []
    while iterator:
        page = kinesis.get_records(ShardIterator=iterator, Limit=100)
        records += page["Records"]
        iterator = page.get("NextShardIterator")
        if not page["Records"] and page["MillisBehindLatest"] == 0:
            return records
    return records


def data_streams():
    kinesis = client("kinesis")
    name = f"{PREFIX}-events"
    kinesis.create_stream(StreamName=name, ShardCount=3)
    kinesis.get_waiter("stream_exists").wait(StreamName=name)
    summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    arn = summary["StreamARN"]
    check(summary["OpenShardCount"] == 3, summary)
    names = kinesis.list_streams()["StreamNames"]
    check(name in names and "millrace-fragments" not in names, names)

    first = kinesis.put_record(StreamName=name, PartitionKey="k", Data=b"first")
    second = kinesis.put_record(StreamName=name, PartitionKey="k", Data=b"second",
                                SequenceNumberForOrdering=first["SequenceNumber"])
    check(int(second["SequenceNumber"]) > int(first["SequenceNumber"]), "order")
    # AT_TIMESTAMP is sent in whole seconds.
    boundary = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(seconds=1)
    wait_for("the next second", lambda: datetime.datetime.now(datetime.timezone.utc) >= boundary)
    many = [{"PartitionKey": f"key-{i % 7}", "Data": f"{i}".encode()} for i in range(500)]
    put = kinesis.put_records(StreamName=name, Records=many)
    check(put["FailedRecordCount"] == 0 and len(put["Records"]) == 500, put)

    shards = [shard for page in kinesis.get_paginator("list_shards").paginate(
        StreamName=name, PaginationConfig={"PageSize": 2}) for shard in page["Shards"]]
    check(len(shards) == 3, shards)
    seen = []
    for shard in shards:
        where = {"ShardId": shard["ShardId"], "StreamName": name}
        seen += read_shard(kinesis, {"ShardIteratorType": "TRIM_HORIZON"}, **where)
        check(not read_shard(kinesis, {"ShardIteratorType": "LATEST"}, **where), "nothing behind LATEST")
        later = read_shard(kinesis, {"ShardIteratorType": "AT_TIMESTAMP",
                                     "Timestamp": boundary}, **where)
        check(all(record["PartitionKey"] != "k" for record in later), "AT_TIMESTAMP")
    check(sorted(record["Data"] for record in seen) ==
          sorted([b"first", b"second"] + [record["Data"] for record in many]), "what was put is read, once")
    for key in {record["PartitionKey"] for record in many}:
        values = [int(record["Data"]) for record in seen if record["PartitionKey"] == key]
        check(values == sorted(values), f"{key} is out of order")
    where = {"ShardId": first["ShardId"], "StreamName": name}
    if "StreamARN" in kinesis.meta.service_model.operation_model("GetShardIterator").input_shape.members:
        where = {"ShardId": first["ShardId"], "StreamARN": arn}
    number = first["SequenceNumber"]
    at = read_shard(kinesis, {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": number}, **where)
    after = read_shard(kinesis, {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": number}, **where)
    check(at[0]["Data"] == b"first" and after[0]["Data"] == b"second", "by sequence number")
    check(len(at) == len(after) + 1, "by sequence number")

    refused("ResourceInUseException", kinesis.create_stream, StreamName=name, ShardCount=1)
    refused("ResourceNotFoundException", kinesis.describe_stream, StreamName=f"{PREFIX}-nothing")
    refused("InvalidArgumentException", kinesis.get_records, ShardIterator="AAAA")
    refused("AccessDeniedException", kinesis.delete_stream, StreamName="millrace-fragments")
    refused("UnknownOperationException", kinesis.describe_limits)
    kinesis.describe_stream(StreamName=name)
    kinesis.delete_stream(StreamName=name, EnforceConsumerDeletion=True)
    kinesis.get_waiter("stream_not_exists").wait(StreamName=name)


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
    endpoint = client("kinesisvideo").get_data_endpoint(StreamName=STREAM, APIName="GET_MEDIA")["DataEndpoint"]
    check(endpoint == ENDPOINT, endpoint)
    archived, media = client("kinesis-video-archived-media"), client("kinesis-video-media")
    by_time = {}
    for kind in ("PRODUCER_TIMESTAMP", "SERVER_TIMESTAMP"):
        pages = archived.get_paginator("list_fragments").paginate(
            StreamName=STREAM, FragmentSelector={"FragmentSelectorType": kind, "TimestampRange": ALL_TIME},
            PaginationConfig={"PageSize": 2})
        by_time[kind] = [one for page in pages for one in page["Fragments"]]
    listed = [one["FragmentNumber"] for one in by_time["PRODUCER_TIMESTAMP"]]
    check(listed == sorted(set(listed)) and len(listed) >= 3, listed)
    check(set(listed) <= {one["FragmentNumber"] for one in by_time["SERVER_TIMESTAMP"]}, "both selectors")

    of_log = {one["fragment_number"]: one for one in descriptors(client("kinesis"))}
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
    of_log.update({one["fragment_number"]: one for one in descriptors(client("kinesis"))})
    frames = {kind: {number: sum(track["frames"] for track in of_log[number]["tracks"] if track["kind"] == kind)
                     for number in numbers} for kind in ("video", "audio")}
    return {"listed": listed, "numbers": numbers, "frames": frames}


def faces(frames):
    """A record of the face analyzer, and the fragment that it speaks of."""
    kinesis, archived = client("kinesis"), client("kinesis-video-archived-media")
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


data_streams()
answer = video_streams()
answer["face"] = faces(answer["frames"])
print(json.dumps({"boto3": boto3.__version__, "botocore": botocore.__version__, "checked": checked, **answer}))
