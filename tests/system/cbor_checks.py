"""A client that speaks CBOR 1.1 as the Java SDK v2 does: containers of indefinite length, times as integer milliseconds with tag 1,
data as byte strings. Run by aws_clients_test.py, by a Python that has cbor2:

    cbor_checks.py ENDPOINT
"""
import sys
import time

from data_streams import DataStreams, ServiceError, check_lineage
from harness import check, wait_for
from service_model import MODEL, Instant

client = DataStreams(sys.argv[1], encoding="cbor")
STREAM = "cbor"


def refused(code, operation, **members):
    try:
        client.call(operation, **members)
    except ServiceError as error:
        check(error.code == code, f"wanted {code}, got {error}")
        return
    raise AssertionError(f"wanted {code}, but {operation} was answered")


def active():
    def settled():
        told = client.call("DescribeStreamSummary", StreamName=STREAM)["StreamDescriptionSummary"]
        return told if told["StreamStatus"] == "ACTIVE" else None
    return wait_for("the stream to be ACTIVE", settled)


def read(shard, kind="TRIM_HORIZON", **more):
    """The records up to the tip or the end, and the children."""
    iterator, records = client.iterator(STREAM, shard, kind, **more), []
    while True:
        page = client.call("GetRecords", ShardIterator=iterator, Limit=1000)
        records += page["Records"]
        iterator = page.get("NextShardIterator")
        if not iterator or not page["Records"]:
            return records, page.get("ChildShards", [])


client.call("CreateStream", StreamName=STREAM, ShardCount=1, StreamModeDetails={"StreamMode": "PROVISIONED"}, Tags={"a": "ä"})
summary = active()
check(isinstance(summary["StreamCreationTimestamp"], Instant), "a time with tag 1")
check(abs(summary["StreamCreationTimestamp"] / 1000 - time.time()) < 3600, "milliseconds")
every_byte = bytes(range(256))
first = client.call("PutRecord", StreamARN=summary["StreamARN"], PartitionKey="schlüssel", Data=every_byte)
put = client.call("PutRecords", StreamName=STREAM,
                  Records=[{"PartitionKey": f"k{i}", "Data": i.to_bytes(4, "big"), "ExplicitHashKey": str(i << 120)}
                           for i in range(200)])
check(not put.get("FailedRecordCount") and len(put["Records"]) == 200, put)
records, _ = read(first["ShardId"])
check([one["Data"] for one in records] == [every_byte] + [i.to_bytes(4, "big") for i in range(200)], "what was put is read")
check(records[0]["PartitionKey"] == "schlüssel", records[0])
arrival = records[0]["ApproximateArrivalTimestamp"]
check(isinstance(arrival, Instant), "a time with tag 1")
check(read(first["ShardId"], "AT_TIMESTAMP", Timestamp=arrival)[0] == records, "from the time of the first record")
check(not read(first["ShardId"], "LATEST")[0], "nothing behind LATEST")

client.call("SplitShard", StreamName=STREAM, ShardToSplit=first["ShardId"], NewStartingHashKey=str(1 << 127))
active()
ended, children = read(first["ShardId"])
check(ended == records and len(children) == 2, children)
client.call("MergeShards", StreamName=STREAM, ShardToMerge=children[0]["ShardId"], AdjacentShardToMerge=children[1]["ShardId"])
active()
client.call("UpdateShardCount", StreamName=STREAM, TargetShardCount=2, ScalingType="UNIFORM_SCALING")
check(active()["OpenShardCount"] == 2, "after scaling")
check_lineage(client.shards(STREAM))
consumer = client.call("RegisterStreamConsumer", StreamARN=summary["StreamARN"], ConsumerName="reader")["Consumer"]
check(isinstance(consumer["ConsumerCreationTimestamp"], Instant), consumer)
client.call("ListStreamConsumers", StreamARN=summary["StreamARN"])
client.call("DeregisterStreamConsumer", ConsumerARN=consumer["ConsumerARN"])

refused("ResourceInUseException", "CreateStream", StreamName=STREAM, ShardCount=1)
refused("InvalidArgumentException", "GetRecords", ShardIterator="AAAA")
refused("SerializationException", "PutRecord", StreamName=STREAM, PartitionKey="k", Data=17)
refused("ValidationException", "PutRecord", StreamName=STREAM, PartitionKey="")
refused("UnknownOperationException", "NoSuchOperation")
client.call("DeleteStream", StreamName=STREAM, EnforceConsumerDeletion=True)
print(f"checked: {dict(MODEL.checked)}")
