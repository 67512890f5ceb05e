"""boto3 clients of a running server whose answers are checked against service models."""
import datetime
import json

import boto3
import botocore.config
import botocore.exceptions

from harness import check
from service_model import MODEL, VIDEO

checked = {}


def check_shape(shape, value, where):
    if shape.serialization.get("eventstream"):
        return  # its events are checked as they come
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


def check_wire(response_dict, parsed_response, context=None, model=None, event_name="", **_):
    """An answer of Data Streams before boto3 leaves out what it does not know."""
    operation = event_name.rsplit(".", 1)[-1]
    if operation == "SubscribeToShard" and response_dict["status_code"] == 200:
        return
    body = json.loads(response_dict["body"]) if response_dict["body"] else None
    if response_dict["status_code"] == 200:
        MODEL.check_answer(operation, body)
    else:
        MODEL.check_error(operation, response_dict["status_code"], body)


def check_video_wire(response_dict, event_name="", **_):
    """Likewise of Video Streams; a body that is a stream is not read here."""
    body, status = response_dict["body"], response_dict["status_code"]
    VIDEO.check_operation(event_name.rsplit(".", 1)[-1], status, response_dict["headers"], body if isinstance(body, bytes) else None)


def client(endpoint, service, attempts=6):
    made = boto3.client(service, endpoint_url=endpoint,
                        config=botocore.config.Config(retries={"max_attempts": attempts}, read_timeout=60))
    if service == "kinesis":
        made.meta.events.register("response-received.kinesis", check_wire)
    else:
        made.meta.events.register(f"response-received.{made.meta.service_model.service_id.hyphenize()}", check_video_wire)

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
