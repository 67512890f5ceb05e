"""Data streams by boto3: everything that a client does with them, from their making to their end."""
import datetime
import json

from aws_boto3 import check_shape, client, read_shard, refused
from data_streams import check_lineage
from harness import check, wait_for


SOON = {"Delay": 1, "MaxAttempts": 60}


def data_streams(endpoint, prefix):
    kinesis = client(endpoint, "kinesis")
    name = f"{prefix}-events"
    kinesis.create_stream(StreamName=name, ShardCount=3)
    arn, first = records(kinesis, prefix, name)
    open_shards(kinesis, client(endpoint, "kinesis", attempts=0), name, first)
    settings(kinesis, name, arn)
    pushed(kinesis, name, arn)
    kinesis.delete_stream(StreamName=name, EnforceConsumerDeletion=True)
    kinesis.get_waiter("stream_not_exists").wait(StreamName=name, WaiterConfig=SOON)


def summary_of(kinesis, name):
    """When nothing is being done to the stream any more."""
    def settled():
        told = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        return told if told["StreamStatus"] == "ACTIVE" else None
    return wait_for(f"{name} to be ACTIVE", settled)


def records(kinesis, prefix, name):
    """Puts and reads: the stream's ARN and the shard of the key "k"."""
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig=SOON)
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
    refused("ResourceNotFoundException", kinesis.describe_stream, StreamName=f"{prefix}-nothing")
    refused("InvalidArgumentException", kinesis.get_records, ShardIterator="AAAA")
    refused("AccessDeniedException", kinesis.delete_stream, StreamName="millrace-fragments")
    kinesis.describe_stream(StreamName=name)
    return arn, first["ShardId"]


def open_shards(kinesis, impatient, name, first):
    """Splits, merges, scales; the records of the first shard, which a split closed, stay readable. `impatient`: a client that
    does not try again where it is limited."""
    def shards():
        found = kinesis.list_shards(StreamName=name)["Shards"]
        check_lineage(found)
        return found

    [parent] = [shard for shard in shards() if shard["ShardId"] == first]
    low, high = (int(parent["HashKeyRange"][f"{edge}HashKey"]) for edge in ("Starting", "Ending"))
    before = read_shard(kinesis, {"ShardIteratorType": "TRIM_HORIZON"}, ShardId=first, StreamName=name)
    refused("InvalidArgumentException", kinesis.split_shard, StreamName=name, ShardToSplit=first, NewStartingHashKey=str(low))
    kinesis.split_shard(StreamName=name, ShardToSplit=first, NewStartingHashKey=str((low + high) // 2))
    check(summary_of(kinesis, name)["OpenShardCount"] == 4, "after the split")
    children = [shard["ShardId"] for shard in shards() if shard.get("ParentShardId") == first]
    check(len(children) == 2, children)
    page = kinesis.get_records(ShardIterator=kinesis.get_shard_iterator(
        StreamName=name, ShardId=first, ShardIteratorType="LATEST")["ShardIterator"])
    check("NextShardIterator" not in page and not page["Records"], page)
    check([child["ShardId"] for child in page["ChildShards"]] == children, page["ChildShards"])
    after = read_shard(kinesis, {"ShardIteratorType": "TRIM_HORIZON"}, ShardId=first, StreamName=name)
    check([one["SequenceNumber"] for one in after] == [one["SequenceNumber"] for one in before], "the closed shard's records")

    refused("InvalidArgumentException", kinesis.merge_shards, StreamName=name, ShardToMerge=children[1],
            AdjacentShardToMerge=children[0])
    kinesis.merge_shards(StreamName=name, ShardToMerge=children[0], AdjacentShardToMerge=children[1])
    check(summary_of(kinesis, name)["OpenShardCount"] == 3, "after the merge")
    [merged] = [shard for shard in shards() if shard.get("AdjacentParentShardId") == children[1]]
    check(merged["ParentShardId"] == children[0] and merged["HashKeyRange"] == parent["HashKeyRange"], merged)
    told = kinesis.update_shard_count(StreamName=name, TargetShardCount=5, ScalingType="UNIFORM_SCALING")
    check((told["CurrentShardCount"], told["TargetShardCount"]) == (3, 5), told)
    check(summary_of(kinesis, name)["OpenShardCount"] == 5, "after scaling")
    refused("LimitExceededException", impatient.update_shard_count, StreamName=name, TargetShardCount=50,
            ScalingType="UNIFORM_SCALING")
    shards()


def settings(kinesis, name, arn):
    kinesis.describe_limits()
    kinesis.add_tags_to_stream(StreamName=name, Tags={"site": "north", "floor": "2"})
    kinesis.remove_tags_from_stream(StreamName=name, TagKeys=["floor"])
    told = kinesis.list_tags_for_stream(StreamName=name)
    check(told["Tags"] == [{"Key": "site", "Value": "north"}], told)
    kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
    refused("InvalidArgumentException", kinesis.increase_stream_retention_period, StreamName=name, RetentionPeriodHours=24)
    kinesis.decrease_stream_retention_period(StreamName=name, RetentionPeriodHours=24)
    kinesis.enable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["IncomingBytes"])
    kinesis.disable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["ALL"])
    kinesis.update_stream_mode(StreamARN=arn, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    check(summary_of(kinesis, name)["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}, "the mode")
    if not hasattr(kinesis, "update_max_record_size"):
        return  # Debian's model is older than these
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "000000000000"},
                                                      "Action": "kinesis:GetRecords", "Resource": arn}]}
    kinesis.put_resource_policy(ResourceARN=arn, Policy=json.dumps(policy))
    check(json.loads(kinesis.get_resource_policy(ResourceARN=arn)["Policy"]) == policy, "the policy")
    kinesis.delete_resource_policy(ResourceARN=arn)
    kinesis.tag_resource(ResourceARN=arn, Tags={"floor": "3"})
    kinesis.untag_resource(ResourceARN=arn, TagKeys=["site"])
    told = kinesis.list_tags_for_resource(ResourceARN=arn)
    check(told["Tags"] == [{"Key": "floor", "Value": "3"}], told)
    kinesis.update_max_record_size(StreamARN=arn, MaxRecordSizeInKiB=2048)
    check(summary_of(kinesis, name)["MaxRecordSizeInKiB"] == 2048, "the record size")
    kinesis.describe_account_settings()


def pushed(kinesis, name, arn):
    """SubscribeToShard, over HTTP/1.1 as boto3 has it."""
    told = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="reader")["Consumer"]
    consumer = told["ConsumerARN"]
    wait_for("the consumer", lambda: kinesis.describe_stream_consumer(ConsumerARN=consumer)["ConsumerDescription"][
        "ConsumerStatus"] == "ACTIVE")
    refused("ResourceInUseException", kinesis.register_stream_consumer, StreamARN=arn, ConsumerName="reader")
    check([one["ConsumerName"] for one in kinesis.list_stream_consumers(StreamARN=arn)["Consumers"]] == ["reader"], "consumers")
    event_shape = kinesis.meta.service_model.shape_for("SubscribeToShardEvent")

    def events(shard, **position):
        for event in kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId=shard, StartingPosition=position)["EventStream"]:
            event = event["SubscribeToShardEvent"]
            if not event.get("ChildShards"):
                check_shape(event_shape, event, "SubscribeToShardEvent")
            yield event

    # To the end of every closed shard, and no further.
    for shard in kinesis.list_shards(StreamName=name)["Shards"]:
        if "EndingSequenceNumber" not in shard["SequenceNumberRange"]:
            continue
        got = list(events(shard["ShardId"], Type="TRIM_HORIZON"))
        polled = read_shard(kinesis, {"ShardIteratorType": "TRIM_HORIZON"}, ShardId=shard["ShardId"], StreamName=name)
        check([one["Data"] for event in got for one in event["Records"]] == [one["Data"] for one in polled], "pushed as polled")
        check(got[-1]["ChildShards"] and "ContinuationSequenceNumber" not in got[-1], got[-1])
    # At the tip of an open one: what is put from now on.
    put = kinesis.put_record(StreamName=name, PartitionKey="live", Data=b"before")
    live = events(put["ShardId"], Type="AFTER_SEQUENCE_NUMBER", SequenceNumber=put["SequenceNumber"])
    kinesis.put_record(StreamName=name, PartitionKey="live", Data=b"pushed")
    check(next(one["Data"] for event in live for one in event["Records"]) == b"pushed", "what was pushed")
    live.close()
    refused("ResourceInUseException", kinesis.delete_stream, StreamName=name)
    kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="other")
    kinesis.deregister_stream_consumer(StreamARN=arn, ConsumerName="other")
