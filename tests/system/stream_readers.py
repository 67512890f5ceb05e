"""Readers of a whole data stream that follow the rule for its order: a shard is read when its parents are read to their end.

Both give each record once to `take(shard_id, record)`, and go on from where they were whatever is done to the stream. Every
contract of the protocol that a reader can see is checked on the way: sequence numbers rise within a shard, children come
with the end of their parents and name them, a record's hash key lies in its shard's range.
"""
import hashlib
import http.client
import threading
import time

from data_streams import BUSY, DataStreams, ServiceError, check_lineage, hash_range
from harness import Failure, check

POLL_S = 0.22  # within five reads a second of a shard, once there is nothing new


class Lineage:
    """Which shards may be read, by what their parents' ends said. Threads: any, except `begin`."""

    def __init__(self, client, stream):
        self.client, self.stream = client, stream
        self.lock = threading.Lock()
        self.ranges = {}  # by shard
        self.ended = set()
        self.begun = set()
        self.waiting = {}  # shard -> parents, of children that were told of
        self.last = {}  # shard -> the last record's sequence number

    def begin(self):
        """The shards that have no parents (that are still kept)."""
        shards = self.client.shards(self.stream)
        ids = {shard["ShardId"] for shard in shards}
        roots = [shard for shard in shards if shard.get("ParentShardId") not in ids]
        for shard in roots:
            self.ranges[shard["ShardId"]] = hash_range(shard)
            self.begun.add(shard["ShardId"])
        return [shard["ShardId"] for shard in roots]

    def check_record(self, shard, record):
        number = int(record["SequenceNumber"])
        with self.lock:
            check(number > self.last.get(shard, 0), f"{shard}: {number} comes behind {self.last.get(shard)}")
            self.last[shard] = number
            low, high = self.ranges[shard]
        key = int.from_bytes(hashlib.md5(record["PartitionKey"].encode()).digest(), "big")
        check(low <= key <= high, f"{shard} has a record of key {record['PartitionKey']}, which is not in its range")

    def end(self, shard, children):
        """A shard was read to its end: the children that are to be read from now on."""
        check(children, f"{shard} ended without children")
        with self.lock:
            check(shard not in self.ended, f"{shard} ended twice")
            self.ended.add(shard)
            for child in children:
                check(shard in child["ParentShards"], f"{child} is no child of {shard}")
                self.waiting[child["ShardId"]] = set(child["ParentShards"])
                self.ranges[child["ShardId"]] = hash_range(child)
            ready = [one for one, parents in self.waiting.items() if parents <= self.ended]
            for one in ready:
                del self.waiting[one]
                check(one not in self.begun, f"{one} begins twice")
                self.begun.add(one)
        return ready

    def open_shards(self):
        with self.lock:
            return self.begun - self.ended

    def check_whole(self):
        """Nothing was left out: the shards that were read are those of the stream."""
        shards = self.client.shards(self.stream)
        check_lineage(shards)
        ids = {shard["ShardId"] for shard in shards}
        if self.begun != ids:
            raise Failure(f"read {sorted(self.begun)}, the stream has {sorted(ids)}")


class PollingReader:
    """GetRecords, shard by shard in turn. When the server was away, reconnect() asks `endpoint()` for the one that is there now,
    and the reader goes on with the iterators that it held. Threads: one."""

    def __init__(self, endpoint, stream, take):
        self.endpoint, self.take = endpoint, take
        self.client = DataStreams(endpoint())
        self.lineage = Lineage(self.client, stream)
        self.stream = stream
        self.iterators = dict.fromkeys(self.lineage.begin())  # by shard; None: it has not begun
        self.due = dict.fromkeys(self.iterators, 0.0)
        self.at_tip = {}

    def round(self):
        """One GetRecords of every shard whose time has come. True: all of them were at their tips when they were asked last."""
        for shard in list(self.iterators):
            if time.monotonic() >= self.due[shard]:
                self.at_tip[shard] = self._read(shard)
        return all(self.at_tip.get(shard) for shard in self.iterators)

    def _read(self, shard):
        if self.iterators[shard] is None:
            self.iterators[shard] = self.client.iterator(self.stream, shard)
        self.due[shard] = time.monotonic() + POLL_S
        try:
            page = self.client.call("GetRecords", ShardIterator=self.iterators[shard], Limit=2000)
        except ServiceError as error:
            if error.code not in BUSY:
                raise
            return False
        for record in page["Records"]:
            self.lineage.check_record(shard, record)
            self.take(shard, record)
        if page["Records"]:
            self.due[shard] = 0.0
        if page.get("NextShardIterator"):
            check("ChildShards" not in page, f"{shard} goes on, and has children")
            check(page["NextShardIterator"] != self.iterators[shard], f"{shard}: the iterator stays the same")
            self.iterators[shard] = page["NextShardIterator"]
            return not page["Records"] and page["MillisBehindLatest"] == 0
        del self.iterators[shard], self.due[shard]
        for child in self.lineage.end(shard, page.get("ChildShards", [])):
            self.iterators[child], self.due[child] = None, 0.0
        return False

    def reconnect(self):
        self.client.close()
        self.client = self.lineage.client = DataStreams(self.endpoint())

    def read_until(self, done, seconds):
        """Rounds until done() while all shards are at their tips, or a failure."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.round() and done():
                return
            time.sleep(0.01)
        raise Failure(f"the polling reader did not get everything within {seconds} s: {sorted(self.iterators)}")


class PushedReader:
    """SubscribeToShard, a thread for each shard. A subscription that ends, or that drop() closes, is made again behind the
    last position. Threads: its own; `take` is called by them, one at a time for each shard."""

    def __init__(self, endpoint, stream, consumer_arn, take):
        self.endpoint, self.stream, self.arn, self.take = endpoint, stream, consumer_arn, take
        self.client = DataStreams(endpoint())
        self.lineage = Lineage(self.client, stream)
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.failure = None
        self.subscriptions = {}
        self.caught_up = {}  # shard -> MillisBehindLatest of its last event
        self.threads = []
        self.again = 0  # how many subscriptions went on where another had ended
        for shard in self.lineage.begin():
            self._start(shard)

    def _start(self, shard):
        thread = threading.Thread(target=self._run, args=(shard,), daemon=True)
        self.threads.append(thread)
        thread.start()

    def _run(self, shard):
        try:
            self._follow(shard)
        except BaseException as failure:
            if not self.stopping.is_set():
                self.failure = self.failure or failure

    def _follow(self, shard):
        client = DataStreams(self.endpoint())
        position = {"Type": "TRIM_HORIZON"}
        while not self.stopping.is_set():
            try:
                subscription = client.subscribe(self.arn, shard, **position)
            except ServiceError as error:
                if error.code not in BUSY:
                    raise
                self.stopping.wait(0.3)  # the one before counts for 5 s
                continue
            with self.lock:
                self.subscriptions[shard] = subscription
            try:
                for event in subscription:
                    for record in event["Records"]:
                        self.lineage.check_record(shard, record)
                        self.take(shard, record)
                    if "ChildShards" in event:
                        for child in self.lineage.end(shard, event["ChildShards"]):
                            self._start(child)
                        return
                    self.caught_up[shard] = event["MillisBehindLatest"]
                    position = {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": event["ContinuationSequenceNumber"]}
            except (OSError, http.client.HTTPException):
                pass  # hung up by drop() or stop()
            finally:
                with self.lock:
                    self.subscriptions.pop(shard, None)
                subscription.close()
            self.again += 1

    def drop(self, rng):
        """Closes one of the subscriptions under its reader."""
        with self.lock:
            live = sorted(self.subscriptions)
            if live:
                self.subscriptions[rng.choice(live)].hang_up()

    def check(self):
        if self.failure:
            raise self.failure

    def stop(self):
        self.stopping.set()
        with self.lock:
            for subscription in self.subscriptions.values():
                subscription.hang_up()
        for thread in list(self.threads):
            thread.join(20)
