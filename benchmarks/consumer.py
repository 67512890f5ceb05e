#!/usr/bin/env python3
"""The consumer library: records a second by polling and by push, and what an idle shard costs.

    benchmarks/consumer.py [--records 400000] [--bytes 100] [--rounds 3] [--shards 8] [--idle-shards 1000] [--seconds 15]
                           [--only reads,idle] [--json FILE]

reads: a stream that is there already is read to its tip, by turns: by a bare loop of GetRecords over the same client (one thread), by
a worker that polls, by a worker that is pushed, and by boto3's GetRecords in a loop (a tenth of the records). Medians are told.
idle: a worker that holds so many shards where nothing comes. CPU is what the kernel charged each side. All of it takes two minutes.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from servers import BUILD, ROOT, cpu_seconds, median_of, memory_mib, millrace, show
from wire import create, shard_ids

# Whoever has AWS's clients in the tests' folder reads with those, else with the system's.
sys.path.insert(0, str(ROOT / "build" / "aws-clients"))


def bench(what, address, *options, on_idle=None):
    command = [BUILD / "benchmarks" / "consumer_bench", what, "--endpoint", f"http://{address}", *options]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    try:
        for line in process.stdout:
            if line.strip() != "idle":
                return json.loads(line)
            on_idle()
        sys.exit(f"{what} failed")
    finally:
        process.wait(timeout=600)


def boto3_loop(address, stream, most):
    """records a second by boto3 alone; None: it is not installed."""
    try:
        import boto3
    except ImportError:
        return None
    client = boto3.client("kinesis", endpoint_url=f"http://{address}", region_name="us-east-1", aws_access_key_id="any",
                          aws_secret_access_key="any")
    count, started = 0, time.monotonic()
    for shard in shard_ids(address, stream):
        iterator = client.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        while iterator and count < most:
            page = client.get_records(ShardIterator=iterator, Limit=1000)
            count += len(page["Records"])
            iterator = page["NextShardIterator"] if page["MillisBehindLatest"] else None
    return {"records_per_s": round(count / (time.monotonic() - started))}


def reads(arguments, directory):
    with millrace(directory) as (address, pid):
        create(address, "bench", arguments.shards)
        size = ["--records", arguments.records, "--bytes", arguments.bytes]
        bench("fill", address, *size)
        rounds = {"bare": [], "poll": [], "push": []}
        for round_ in range(arguments.rounds):
            for what, found in rounds.items():
                before = cpu_seconds(pid)
                one = bench(what, address, *size, "--application", f"{what}-{round_}")
                one["server_cpu_us_a_record"] = (cpu_seconds(pid) - before) * 1e6 / arguments.records
                found.append(one)
        result = {what: median_of(found) for what, found in rounds.items()}
        result["boto3"] = boto3_loop(address, "bench", arguments.records // 10)
        for what in ("poll", "push", "boto3"):
            if result[what]:
                result[f"{what}_against_bare"] = round(result[what]["records_per_s"] / result["bare"]["records_per_s"], 2)
        return result


def idle(arguments, directory):
    result = {}
    for what in ("idle-poll", "idle-push"):
        place = directory / what
        place.mkdir()
        with millrace(place) as (address, pid):
            create(address, "bench", arguments.idle_shards)
            began = {}

            def note(began=began, pid=pid):
                began.update(cpu=cpu_seconds(pid), at=time.monotonic(), memory=memory_mib(pid))
            found = bench(what, address, "--seconds", arguments.seconds, on_idle=note)
            found["server_cpu_cores"] = round((cpu_seconds(pid) - began["cpu"]) / (time.monotonic() - began["at"]), 3)
            found["server_memory_mib"] = began["memory"]
            for side, cores in (("worker", "cpu_cores"), ("server", "server_cpu_cores")):
                found[f"{side}_millionths_of_a_core_a_shard"] = round(found[cores] * 1e6 / found["shards"], 1)
            found["kib_a_shard"] = round(found["memory_mib"] * 1024 / found["shards"], 1)
            result[what] = found
    return result


PARTS = {"reads": reads, "idle": idle}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=400_000)
    parser.add_argument("--bytes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--idle-shards", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--only", help="parts, with commas between: " + ",".join(PARTS))
    parser.add_argument("--json")
    arguments = parser.parse_args()
    started, results = time.monotonic(), {"load_average_at_start": os.getloadavg()[0]}
    for name in arguments.only.split(",") if arguments.only else PARTS:
        (ROOT / "build").mkdir(exist_ok=True)
        directory = pathlib.Path(tempfile.mkdtemp(prefix="millrace-consumer-", dir=ROOT / "build"))
        try:
            results[name] = PARTS[name](arguments, directory)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        show(name, results[name])
    results["seconds_it_took"] = round(time.monotonic() - started)
    print(f"{results['seconds_it_took']} seconds")
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
