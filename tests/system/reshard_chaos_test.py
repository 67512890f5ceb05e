"""Shards split and merge at random while producers write and readers read: each partition key's records are read in order,
once; nothing is lost.

Method: producers put numbered records of their own keys; one reader polls, one subscribes (and has its subscriptions cut
off now and then); both follow the rule that a shard is read when its parents are read to their end. MILLRACE_TEST_RESHARD_S=3600 for a long run, MILLRACE_TEST_SEED to replay one.
"""
import collections
import os
import random
import threading
import time

from data_streams import DataStreams, data_of
from harness import Server, check, main, wait_for
from service_model import MODEL
from stream_load import Producer, Resharder
from stream_readers import PollingReader, PushedReader

SECONDS = float(os.environ.get("MILLRACE_TEST_RESHARD_S", "10"))
SEED = int(os.environ.get("MILLRACE_TEST_SEED", str(random.randrange(1 << 32))))
STREAM = "chaos"


class Seen:
    """What a reader was given, by partition key. Threads: any."""

    def __init__(self):
        self.lock = threading.Lock()
        self.by_key = collections.defaultdict(list)  # (serial, shard, sequence number)
        self.count = 0

    def take(self, shard, record):
        key, serial, _ = data_of(record).decode().split("/")
        check(key == record["PartitionKey"], f"{record['PartitionKey']} has a record of {key}")
        with self.lock:
            self.by_key[key].append((int(serial), shard, record["SequenceNumber"]))
            self.count += 1

    def compare(self, name, acknowledged):
        wanted = collections.defaultdict(list)
        for key, serial, _, shard, number in acknowledged:
            wanted[key].append((serial, shard, number))
        for key in wanted.keys() | self.by_key.keys():
            check(self.by_key[key] == wanted[key], f"{name}: {key} was read as {self.by_key[key][:50]}…, "
                                                   f"put as {wanted[key][:50]}…")


def test(directory):
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    server = Server(directory)
    try:
        client = DataStreams(server.endpoint)
        client.call("CreateStream", StreamName=STREAM, ShardCount=2)
        producers = [Producer(lambda: server.endpoint, STREAM, f"p{i}", rng.random(), pause_s=0.01) for i in range(4)]
        resharder = Resharder(lambda: server.endpoint, STREAM, rng.random(), pause_s=(0.1, 0.8))
        polled = Seen()
        poller = PollingReader(lambda: server.endpoint, STREAM, polled.take)
        pushed = Seen()
        arn = client.call("DescribeStreamSummary", StreamName=STREAM)["StreamDescriptionSummary"]["StreamARN"]
        consumer = client.call("RegisterStreamConsumer", StreamARN=arn, ConsumerName="pushed")["Consumer"]["ConsumerARN"]
        subscriber = PushedReader(lambda: server.endpoint, STREAM, consumer, pushed.take)
        for thread in [*producers, resharder]:
            thread.start()
        deadline = time.monotonic() + SECONDS

        def is_over():
            late = time.monotonic() - deadline
            return late >= 0 and (late >= 120 or (resharder.done["split"] and resharder.done["merge"]))

        while not is_over():
            poller.round()
            time.sleep(0.02)
            subscriber.check()
            if rng.random() < 0.02:
                subscriber.drop(rng)
            check(all(one.is_alive() for one in [*producers, resharder]),
                  f"ended: {[one.failure for one in [*producers, resharder]]}")
        resharder.stop()
        for producer in producers:
            producer.stop()
        acknowledged = [one for producer in producers for one in producer.acknowledged]
        poller.read_until(lambda: polled.count >= len(acknowledged), 120)
        polled.compare("polling", acknowledged)
        poller.lineage.check_whole()

        def pushed_all():
            subscriber.check()
            return pushed.count >= len(acknowledged) and poller.lineage.open_shards() == subscriber.lineage.open_shards()

        wait_for("all records by subscriptions", pushed_all, 120)
        subscriber.stop()
        subscriber.check()
        pushed.compare("pushed", acknowledged)
        subscriber.lineage.check_whole()
        numbers = [number for *_, number in acknowledged]
        check(len(set(numbers)) == len(numbers), "a sequence number was given twice")

        print(f"{len(acknowledged)} records of {len(polled.by_key)} keys, {len(poller.lineage.begun)} shards: {resharder.done}, "
              f"{sum(one.busy for one in producers)} told to wait, {subscriber.again} subscriptions went on")
        check(resharder.done["split"] > 0 and resharder.done["merge"] > 0, "nothing was done to the stream")
        print(f"checked against the model: {dict(MODEL.checked)}")
        check(server.terminate() == 0, "the server did not stop cleanly")
    finally:
        server.kill()


main(test)
