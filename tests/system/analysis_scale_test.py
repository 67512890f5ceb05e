"""Three workers over eight shards, one killed at random, another joining, shards split and merged meanwhile: each fragment is
analysed, none is lost, none has its results twice; and analysing it all again gives the same results.

Method: cameras record into a fragment log of eight shards; workers are processes of their own, with the test analyzer, over the
public protocol. Afterwards the cameras are switched off, analysis catches up, and another application analyses everything from
the beginning. MILLRACE_TEST_SEED replays a run.
"""
import contextlib
import json
import os
import random
import subprocess

from analysis import LIBRARY, analysed, begin, check_once, kinesis, results, start_server, video_of
from harness import MILLRACE, CameraSim, check, main, wait_for

SEED = int(os.environ.get("MILLRACE_TEST_SEED", str(random.randrange(1 << 32))))
CAMERAS = [f"gate-{i}" for i in range(1, 7)]
SHARDS = 8
LOG = "millrace-fragments"


class Workers:
    """Processes that analyse; each is named, and ends with the test."""

    def __init__(self, server, log, stack):
        self.server, self.log, self.running = server, log, {}
        stack.callback(lambda: [self.kill(name) for name in list(self.running)])

    def start(self, name, application="millrace-test"):
        self.running[name] = subprocess.Popen(
            [MILLRACE, "--endpoint", self.server.endpoint, "analyze", "--plugin", LIBRARY, "--streams", ",".join(CAMERAS),
             "--owner", name, "--application", application, "--output", application, "--start", "TRIM_HORIZON"],
            stdout=self.log, stderr=self.log)

    def kill(self, name):
        process = self.running.pop(name)
        process.kill()
        process.wait()


def leases(server, application="millrace-test"):
    return server.get(f"/v1/applications/{application}")["leases"]


def owners(server):
    return {lease["owner"] for lease in leases(server) if lease["ready"] and not lease["expired"]} - {None}


def open_shards(server):
    return [shard for shard in kinesis(server, "ListShards", StreamName=LOG)["Shards"]
            if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]


def keys_of(shard):
    return int(shard["HashKeyRange"]["StartingHashKey"]), int(shard["HashKeyRange"]["EndingHashKey"])


def split(server, rng):
    shard = rng.choice(open_shards(server))
    first, last = keys_of(shard)
    kinesis(server, "SplitShard", StreamName=LOG, ShardToSplit=shard["ShardId"],
            NewStartingHashKey=str((first + last) // 2 + 1))


def merge(server, rng):
    shards = sorted(open_shards(server), key=keys_of)
    at = rng.randrange(len(shards) - 1)
    kinesis(server, "MergeShards", StreamName=LOG, ShardToMerge=shards[at]["ShardId"],
            AdjacentShardToMerge=shards[at + 1]["ShardId"])


def findings(server, stream):
    """Of each frame: what was found in it, without what is the analysis's own."""
    return {(video_of(record)["FragmentNumber"], video_of(record)["FrameOffsetInSeconds"]):
            json.dumps(record.get("TestResponse"), sort_keys=True) for record in results(server, stream)}


def test(directory):
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    with contextlib.ExitStack() as stack:
        sim = CameraSim(directory, "--cameras", str(len(CAMERAS)), "--width", "320", "--height", "240", "--fps", "10",
                        "--gop", "10", "--duration", "10", "--no-audio")
        stack.callback(sim.kill)
        log = stack.enter_context(open(directory / "workers.log", "wb"))
        server = start_server(directory)
        stack.callback(lambda: server.kill())
        while len(open_shards(server)) < SHARDS:
            shard = max(open_shards(server), key=lambda each: keys_of(each)[1] - keys_of(each)[0])
            first, last = keys_of(shard)
            kinesis(server, "SplitShard", StreamName=LOG, ShardToSplit=shard["ShardId"],
                    NewStartingHashKey=str((first + last) // 2 + 1))
        begin(server)
        for i, name in enumerate(CAMERAS, 1):
            server.put_camera(name, sim.url(i))
        workers = Workers(server, log, stack)
        for name in ("one", "two", "three"):
            workers.start(name)
        wait_for("three workers to share the shards", lambda: owners(server) == {"one", "two", "three"})
        wait_for("first results", lambda: len(analysed(server)) >= 2 * len(CAMERAS))

        split(server, rng)
        victim = rng.choice(["one", "two", "three"])
        server.live_for(rng.uniform(0, 1))
        workers.kill(victim)
        split(server, rng)
        workers.start("four")
        wait_for("the fourth worker to have a share", lambda: "four" in owners(server))
        merge(server, rng)
        done = len(analysed(server))
        wait_for("analysis to go on", lambda: len(analysed(server)) >= done + len(CAMERAS))
        wait_for("the shards of the one that was killed to be others'", lambda: victim not in owners(server))

        for i, name in enumerate(CAMERAS, 1):
            server.put_camera(name, sim.url(i), enabled=False)
        wait_for("the cameras to be off", lambda: all(server.camera(name)["state"] == "disabled" for name in CAMERAS))

        def caught_up(stream):
            recorded = {fragment["number"] for name in CAMERAS for fragment in server.fragments(name)}
            return recorded <= {video_of(record)["FragmentNumber"] for record in results(server, stream)}
        wait_for("analysis to catch up", lambda: caught_up("millrace-test"), 180, 0.3)
        fragments, records = check_once(server, CAMERAS)

        kinesis(server, "CreateStream", StreamName="again", ShardCount=2)
        workers.start("fifth", "again")
        wait_for("everything to be analysed again", lambda: caught_up("again"), 180, 0.3)
        check(findings(server, "again") == findings(server, "millrace-test"), "analysing again gives other results")
        check(server.terminate() == 0, "the server stops")
        print(f"{fragments} fragments, {records} results, '{victim}' was killed")


main(test)
