"""What is done to a data stream while it is tried: producers that know what was acknowledged, and a hand that splits and
merges its shards at random.

A record's data are "{key}/{serial}/{attempt}": the serials of a key are put one after the other, the next when the last was
acknowledged. An attempt without an answer may or may not be in the stream, so each has a number of its own.
"""
import http.client
import random
import threading

from data_streams import BUSY, HASH_KEYS, DataStreams, ServiceError, hash_range
from harness import check


class Producer(threading.Thread):
    """Puts records of its own keys until it is stopped, one by one or many at a time. `acknowledged` grows: (key, serial,
    attempt, shard, sequence number). Threads: its own; stop() from any."""

    def __init__(self, endpoint, stream, name, seed, pause_s=0.0, outages=False):
        super().__init__(daemon=True)
        self.endpoint, self.stream = endpoint, stream
        self.rng = random.Random(seed)
        self.keys = {f"{name}-{i}": 0 for i in range(self.rng.randrange(4, 12))}  # and the next serial
        self.pause_s = pause_s
        self.outages = outages  # whether the server may be away
        self.acknowledged = []
        self.attempts = 0
        self.busy = 0
        self.failure = None
        self.stopping = threading.Event()

    def run(self):
        try:
            client = DataStreams(self.endpoint())
            while not self.stopping.is_set():
                try:
                    if self.rng.random() < 0.3:
                        self._put_many(client)
                    else:
                        self._put(client, self.rng.choice(sorted(self.keys)))
                except (OSError, http.client.HTTPException):
                    if not self.outages:
                        raise
                    client.close()
                    self.stopping.wait(0.02)
                    client = DataStreams(self.endpoint())
                except ServiceError as error:
                    if error.code not in BUSY and not (self.outages and error.code == "InternalFailure"):
                        raise
                    self.busy += 1
                    self.stopping.wait(0.05)
                self.stopping.wait(self.pause_s)
        except BaseException as failure:
            self.failure = failure

    def stop(self):
        self.stopping.set()
        self.join(60)
        check(not self.is_alive(), "a producer does not end")
        if self.failure:
            raise self.failure

    def _entry(self, key):
        self.attempts += 1
        return {"PartitionKey": key, "Data": f"{key}/{self.keys[key]}/{self.attempts}".encode()}

    def _note(self, entry, receipt):
        key, serial, attempt = entry["Data"].decode().split("/")
        self.acknowledged.append((key, int(serial), int(attempt), receipt["ShardId"], receipt["SequenceNumber"]))
        self.keys[key] += 1

    def _put(self, client, key):
        entry = self._entry(key)
        self._note(entry, client.call("PutRecord", StreamName=self.stream, **entry))

    def _put_many(self, client):
        # Each key once: records of one call are in no promised order.
        entries = [self._entry(key) for key in self.rng.sample(sorted(self.keys), self.rng.randrange(1, len(self.keys)))]
        answer = client.call("PutRecords", StreamName=self.stream, Records=entries)
        check(len(answer["Records"]) == len(entries), "as many receipts as records")
        check(answer.get("FailedRecordCount", 0) == sum("ErrorCode" in one for one in answer["Records"]), answer)
        for entry, receipt in zip(entries, answer["Records"]):
            if "ErrorCode" in receipt:
                self.busy += 1
            else:
                self._note(entry, receipt)


class Resharder(threading.Thread):
    """Splits, merges and scales at random, between 1 and `most` open shards. Threads: its own; stop() from any."""

    def __init__(self, endpoint, stream, seed, most=8, pause_s=(0.1, 0.6), outages=False):
        super().__init__(daemon=True)
        self.endpoint, self.stream, self.most = endpoint, stream, most
        self.rng = random.Random(seed)
        self.pause_s = pause_s
        self.outages = outages
        self.done = {"split": 0, "merge": 0, "scale": 0}
        self.failure = None
        self.stopping = threading.Event()

    def run(self):
        try:
            client = DataStreams(self.endpoint())
            while not self.stopping.wait(self.rng.uniform(*self.pause_s)):
                try:
                    self._step(client)
                except (OSError, http.client.HTTPException):
                    if not self.outages:
                        raise
                    client.close()
                    client = DataStreams(self.endpoint())
                except ServiceError as error:
                    if error.code not in BUSY and not (self.outages and error.code == "InternalFailure"):
                        raise
        except BaseException as failure:
            self.failure = failure

    def stop(self):
        self.stopping.set()
        self.join(60)
        check(not self.is_alive(), "the resharder does not end")
        if self.failure:
            raise self.failure

    def _step(self, client):
        shards = client.shards(self.stream, ShardFilter={"Type": "AT_LATEST"})
        shards.sort(key=hash_range)
        count = len(shards)
        if self.done["scale"] < 6 and self.rng.random() < 0.1:  # ten a day are allowed
            target = self.rng.randint((count + 1) // 2, min(2 * count, self.most))
            if target != count:
                client.call("UpdateShardCount", StreamName=self.stream, TargetShardCount=target, ScalingType="UNIFORM_SCALING")
                self.done["scale"] += 1
        elif count == 1 or (count < self.most and self.rng.random() < 0.5):
            self._split(client, self.rng.choice(shards))
        else:
            at = self.rng.randrange(count - 1)
            client.call("MergeShards", StreamName=self.stream, ShardToMerge=shards[at]["ShardId"],
                        AdjacentShardToMerge=shards[at + 1]["ShardId"])
            self.done["merge"] += 1

    def _split(self, client, shard):
        low, high = hash_range(shard)
        if high - low < HASH_KEYS >> 12:
            return
        middle = self.rng.choice([(low + high) // 2, self.rng.randrange(low + 2, high)])
        client.call("SplitShard", StreamName=self.stream, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(middle))
        self.done["split"] += 1
