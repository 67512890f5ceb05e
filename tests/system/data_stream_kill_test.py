"""`kill -9` while data streams are written, read, split and merged: what was acknowledged is there, once; no sequence number is
given again; iterators, sequence numbers and checkpoints from before go on.

Method: the server is killed at random moments by a timer. One reader goes on with its iterators through all kills. At the
end the streams are read anew from their beginning and compared with what was acknowledged and with what that reader was
given. MILLRACE_TEST_KILLS=300 for a long run, MILLRACE_TEST_SEED to replay one.
"""
import collections
import contextlib
import http.client
import json
import os
import random
import threading
import time
import urllib.error
import urllib.request

from data_streams import DataStreams, data_of
from harness import MILLRACE, Failure, Server, check, main, run
from service_model import MODEL
from stream_load import Producer, Resharder
from stream_readers import PollingReader

KILLS = int(os.environ.get("MILLRACE_TEST_KILLS", "8"))
SEED = int(os.environ.get("MILLRACE_TEST_SEED", str(random.randrange(1 << 32))))
AWAY = (OSError, http.client.HTTPException)


class Memory:
    """What a reader was given: (sequence number, data) by shard, in its order."""

    def __init__(self):
        self.by_shard = collections.defaultdict(list)
        self.count = 0

    def take(self, shard, record):
        self.by_shard[shard].append((record["SequenceNumber"], data_of(record).decode()))
        self.count += 1


class Checkpoints:
    """One worker that holds all leases of a stream and commits how far it is."""

    def __init__(self, server, stream):
        self.stream = stream
        self.noted = {}  # shard -> the checkpoints that it may have: the acknowledged one, then one without an answer
        self.counters = {}
        self._post(server, "begin", stream=stream, start="TRIM_HORIZON")
        for lease in self.leases(server):
            taken = self._post(server, "leases/take", stream=stream, shard=lease["shard"], owner="me", seconds=600)
            self.counters[lease["shard"]] = taken["counter"]

    @staticmethod
    def _post(server, what, **members):
        request = urllib.request.Request(f"{server.endpoint}/v1/applications/kill-test/{what}", method="POST",
                                         data=json.dumps(members).encode(), headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    @staticmethod
    def leases(server):
        return server.get("/v1/applications/kill-test")["leases"]

    def commit(self, server, shard, number):
        if self.noted.get(shard, [None])[0] == number:
            return
        self.noted.setdefault(shard, [None])[1:] = [number]
        self._post(server, "commit", stream=self.stream, shard=shard, owner="me", counter=self.counters[shard],
                   checkpoint=number, records=[])
        self.noted[shard] = [number]

    def check(self, server):
        for lease in self.leases(server):
            if lease["shard"] in self.noted:
                check(lease["checkpoint"] in self.noted[lease["shard"]],
                      f"the checkpoint of {lease} is none of {self.noted[lease['shard']]}")
                check(lease["counter"] == self.counters[lease["shard"]], f"the counter of {lease}")
                self.noted[lease["shard"]] = [lease["checkpoint"]]


def check_positions(client, stream, memory, rng):
    """Sequence numbers from before: AFTER_SEQUENCE_NUMBER goes on with what followed."""
    for shard, records in rng.sample(sorted(memory.by_shard.items()), min(3, len(memory.by_shard))):
        at = rng.randrange(len(records))
        iterator = client.iterator(stream, shard, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=records[at][0])
        page = client.call("GetRecords", ShardIterator=iterator, Limit=20)
        wanted = records[at + 1:at + 21]
        got = [(one["SequenceNumber"], data_of(one).decode()) for one in page["Records"]][:len(wanted)]
        check(got == wanted, f"{stream}, {shard}: behind {records[at]} comes {got}, it was {wanted}")


def check_stream(name, acknowledged, memory, final):
    for shard, records in memory.by_shard.items():
        check(final.by_shard[shard][:len(records)] == records,
              f"{name}, {shard}: the reader through all kills was given other records than are there")
    there = {(shard, number): data for shard, records in final.by_shard.items() for number, data in records}
    for key, serial, attempt, shard, number in acknowledged:
        check(there.get((shard, number)) == f"{key}/{serial}/{attempt}",
              f"{name}: {key}/{serial}/{attempt} was acknowledged at {shard} {number}; there is {there.get((shard, number))}")
    numbers = [number for _, number in there]
    check(len(set(numbers)) == len(numbers), f"{name}: a sequence number is there twice")
    data = list(there.values())
    check(len(set(data)) == len(data), f"{name}: an attempt is there twice")


def test(directory):
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    servers = [Server(directory)]
    streams = {"moving": Memory(), "still": Memory()}

    def endpoint():
        return servers[-1].endpoint

    with contextlib.ExitStack() as stack:
        stack.callback(lambda: servers[-1].kill())
        client = DataStreams(endpoint())
        client.call("CreateStream", StreamName="moving", ShardCount=3)
        client.call("CreateStream", StreamName="still", ShardCount=2)
        checkpoints = Checkpoints(servers[-1], "still")
        readers = {name: PollingReader(endpoint, name, memory.take) for name, memory in streams.items()}
        producers = [Producer(endpoint, name, f"{name}-{i}", rng.random(), outages=True, pause_s=0.005)
                     for i in range(3) for name in streams]
        resharder = Resharder(endpoint, "moving", rng.random(), most=6, pause_s=(0.2, 0.8), outages=True)
        for thread in [*producers, resharder]:
            thread.start()

        def live():
            """Reads and commits until the server is away."""
            while True:
                for name, reader in readers.items():
                    reader.round()
                for shard, records in streams["still"].by_shard.items():
                    checkpoints.commit(servers[-1], shard, records[-1][0])
                time.sleep(0.01)

        for kill in range(KILLS):
            timer = threading.Timer(rng.uniform(0.3, 1.8), servers[-1].child.kill)
            timer.start()
            try:
                live()
            except urllib.error.HTTPError as error:
                raise Failure(f"a commit was refused: {error.code} {error.read()[:500]}") from error
            except AWAY:
                servers[-1].child.wait(60)  # it was the kill
            timer.join()
            run(MILLRACE, "check", "--data-dir", directory / "data")
            servers.append(Server(directory))
            checkpoints.check(servers[-1])
            client = DataStreams(endpoint())
            for name, reader in readers.items():
                reader.reconnect()
                check_positions(client, name, streams[name], rng)
            check(all(one.is_alive() for one in producers), f"a producer ended: {[one.failure for one in producers]}")

        for one in [resharder, *producers]:
            one.stop()
        for name, memory in streams.items():
            acknowledged = [one for producer in producers if producer.stream == name for one in producer.acknowledged]
            readers[name].read_until(lambda: memory.count >= len(acknowledged), 120)
            final = Memory()
            fresh = PollingReader(endpoint, name, final.take)
            fresh.read_until(lambda: final.count >= memory.count, 120)
            readers[name].lineage.check_whole()
            check_stream(name, acknowledged, memory, final)
            check(final.count == memory.count, f"{name}: the reader was given {memory.count} of {final.count}")
            print(f"{name}: {len(acknowledged)} acknowledged, {final.count} there, {len(fresh.lineage.begun)} shards")
        print(f"{KILLS} kills; {resharder.done}; checked against the model: {dict(MODEL.checked)}")
        check(servers[-1].terminate() == 0, "the server did not stop cleanly")
        run(MILLRACE, "check", "--data-dir", directory / "data")


main(test)
