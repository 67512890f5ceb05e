#!/usr/bin/env python3
"""The Data Streams protocol under load: against its peers, for readers, for subscribers, and what security costs.

    benchmarks/wire.py [--seconds 5] [--rounds 3] [--only puts,reads,latency,subscribers,security]
                       [--peers kinesalite,ferrokinesis] [--json FILE]

Everything runs on loopback, one server at a time, and is driven by wire_load (benchmarks/wire_load/). Millrace answers a put when
it is on the disk (fdatasync); the peers keep everything in memory:
  kinesalite      npm, into build/wire-peers/kinesalite
  ferrokinesis    cargo install, into build/wire-peers/ferrokinesis, within 8 minutes
A peer that cannot be had is left out, and that is said. Rounds of what is compared take turns, and medians are told. CPU is what
the kernel charged the server.
"""
import argparse
import contextlib
import http.client
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

from servers import BUILD, ROOT, cpu_seconds, finish, median_of, memory_mib, millrace, show, wait_for

PEERS = ROOT / "build" / "wire-peers"
KEY = "MRBENCH:a-secret-of-some-length"
SHARDS = 4


def call(address, operation, **members):
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("POST", "/", json.dumps(members), {
        "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"Kinesis_20131202.{operation}",
        "X-Amz-Date": "20261121T000000Z", "Authorization": "AWS4-HMAC-SHA256 Credential=any/20261121/us-east-1/kinesis/"
                                                          "aws4_request, SignedHeaders=host, Signature=0"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{operation}: {answer.status} {body[:300]}")
    return json.loads(body or b"{}")


def create(address, stream, shards=SHARDS):
    call(address, "CreateStream", StreamName=stream, ShardCount=shards)
    wait_for(f"stream {stream}", lambda: call(address, "DescribeStream", StreamName=stream)["StreamDescription"][
        "StreamStatus"] == "ACTIVE")


def shard_ids(address, stream):
    return [one["ShardId"] for one in call(address, "ListShards", StreamName=stream)["Shards"]]


@contextlib.contextmanager
def peer(command, port):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"127.0.0.1:{port}"
        wait_for(command[0], lambda: "StreamNames" in call(address, "ListStreams"))
        yield address, process.pid
    finally:
        finish(process)


def load(what, address, *options, seconds=5, warm_up=1, pid=None):
    """A run of wire_load: what it prints, and the CPU that `pid` took meanwhile."""
    command = [BUILD / "benchmarks" / "wire_load", what, "--address", address, "--seconds", seconds, "--warm-up", warm_up, *options]
    before, started = cpu_seconds(pid), time.monotonic()
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=seconds + warm_up + 120)
    if done.returncode != 0:
        raise RuntimeError(f"{what}: {done.stderr[-1000:]}")
    result = json.loads(done.stdout.splitlines()[-1])
    result["server_cpu_cores"] = round((cpu_seconds(pid) - before) / (time.monotonic() - started), 3)
    result["cpu_us_a_record"] = round(result["server_cpu_cores"] * 1e6 / max(1, result["records_per_s"]), 1)
    return result


def many_of(flag, values):
    return [word for value in values for word in (flag, value)]


def kinesalite():
    place = PEERS / "kinesalite"
    binary = place / "node_modules/.bin/kinesalite"
    if not binary.exists():
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--prefix", place, "--no-audit", "--no-fund", "kinesalite@3.3.3"], capture_output=True,
                       timeout=300)
    return [str(binary), "--port", "14568", "--createStreamMs", "10"] if binary.exists() else None


def ferrokinesis():
    place = PEERS / "ferrokinesis"
    binary = place / "bin/ferrokinesis"
    if not binary.exists() and shutil.which("cargo"):
        place.mkdir(parents=True, exist_ok=True)
        print("building ferrokinesis, 8 minutes at most", file=sys.stderr)
        with contextlib.suppress(subprocess.TimeoutExpired):  # the next run goes on with what is in target/
            subprocess.run(["timeout", "480", "nice", "-n", "19", "cargo", "install", "ferrokinesis", "--root", place],
                           capture_output=True, timeout=500, env={**os.environ, "CARGO_TARGET_DIR": str(place / "target")})
    return [str(binary), "--port", "14569", "--create-stream-ms", "10"] if binary.exists() else None


PUTS = {"PutRecord": ["--connections", 16, "--batch", 1], "PutRecords": ["--connections", 16, "--batch", 100]}


def puts(arguments, directory):
    """PutRecord and PutRecords of 1 KiB, against the peers."""
    servers = {"millrace": lambda: millrace(directory)}
    for name, find, port in (("kinesalite", kinesalite, 14568), ("ferrokinesis", ferrokinesis, 14569)):
        if name not in arguments.peers.split(","):
            continue
        if command := find():
            servers[name] = lambda command=command, port=port: peer(command, port)
        else:
            print(f"{name} cannot be had here: left out", file=sys.stderr)
    rounds = {(name, what): [] for name in servers for what in PUTS}
    for i in range(arguments.rounds):
        for name, start in servers.items():
            with start() as (address, pid):
                create(address, f"puts-{i}")
                for what, options in PUTS.items():
                    rounds[name, what].append(load("put", address, "--stream", f"puts-{i}", *options, seconds=arguments.seconds,
                                                   pid=pid))
    result = {}
    for what in PUTS:
        result[what] = {name: median_of(rounds[name, what]) for name in servers}
        ours = result[what]["millrace"]
        for name in set(servers) - {"millrace"}:
            theirs = result[what][name]
            result[what][f"against {name}"] = {
                "records_per_s_ratio": round(ours["records_per_s"] / theirs["records_per_s"], 2),
                "cpu_a_record_ratio": round(ours["cpu_us_a_record"] / theirs["cpu_us_a_record"], 2)}
    return result


def reads(arguments, directory):
    """GetRecords of 1 KiB records, all of a stream that was filled before."""
    with millrace(directory) as (address, pid):
        create(address, "reads")
        load("put", address, "--stream", "reads", *PUTS["PutRecords"], seconds=arguments.seconds, pid=pid)
        shards = many_of("--shard", shard_ids(address, "reads"))
        return {f"{connections} connections": median_of([
            load("get", address, "--stream", "reads", *shards, "--connections", connections, seconds=arguments.seconds, pid=pid)
            for _ in range(arguments.rounds)]) for connections in (1, SHARDS)}


def latency(arguments, directory):
    """From a put to its arrival, at 1,000 records a second of 1 KiB."""
    with millrace(directory) as (address, pid):
        create(address, "latency")
        arn = call(address, "DescribeStreamSummary", StreamName="latency")["StreamDescriptionSummary"]["StreamARN"]
        consumer = call(address, "RegisterStreamConsumer", StreamARN=arn, ConsumerName="reader")["Consumer"]["ConsumerARN"]
        readers = {"pushed": ["--consumer", consumer], "polled each 200 ms": ["--poll-ms", 200]}
        shards = many_of("--shard", shard_ids(address, "latency"))
        rounds = {name: [] for name in readers}
        for i in range(arguments.rounds):
            for name, options in readers.items():
                if i > 0 and name == "pushed":
                    time.sleep(5)  # until the subscription of the round before may be taken over
                rounds[name].append(load("latency", address, "--stream", "latency", *shards, *options, "--rate", 1000,
                                         seconds=arguments.seconds, pid=pid))
        return {name: median_of(rounds[name]) for name in readers}


def subscribers(arguments, directory):
    """1,000 subscribers to whom nothing comes: 20 consumers of 50 shards."""
    with millrace(directory) as (address, pid):
        create(address, "idle", 50)
        arn = call(address, "DescribeStreamSummary", StreamName="idle")["StreamDescriptionSummary"]["StreamARN"]
        consumers = [call(address, "RegisterStreamConsumer", StreamARN=arn, ConsumerName=f"c{i}")["Consumer"]["ConsumerARN"]
                     for i in range(20)]
        time.sleep(1)
        before, idle_cpu = memory_mib(pid), cpu_seconds(pid)
        time.sleep(arguments.seconds)
        idle_cpu = (cpu_seconds(pid) - idle_cpu) / arguments.seconds
        command = [BUILD / "benchmarks" / "wire_load", "idle", "--address", address, "--warm-up", 1, "--seconds",
                   3 * arguments.seconds + 5, *many_of("--consumer", consumers), *many_of("--shard", shard_ids(address, "idle"))]
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
        try:
            if "subscribed" not in process.stdout.readline():
                sys.exit("the subscribers did not come about")
            cpu, started = cpu_seconds(pid), time.monotonic()
            time.sleep(2 * arguments.seconds)  # with heartbeats among it
            cpu = (cpu_seconds(pid) - cpu) / (time.monotonic() - started)
            held = memory_mib(pid)
            result = json.loads(process.communicate(timeout=120)[0].splitlines()[-1])
        finally:
            process.kill()
            process.wait()
        return {"subscribers": result["subscribers"], "events_per_s": result["events_per_s"],
                "kib_a_subscriber": round((held - before) * 1024 / result["subscribers"], 1), "cpu_cores": round(cpu, 3),
                "cpu_cores_without": round(idle_cpu, 3)}


def security(arguments, directory):
    """PutRecord and PutRecords with encryption at rest, and with signatures that are checked, against neither."""
    master = directory / "master.key"
    users = directory / "users.yaml"
    for file, text in ((master, "00112233445566778899aabbccddeeff" * 2 + "\n"),
                       (users, json.dumps({"users": [{"name": "bench", "policies": "administrator", "keys": [
                           dict(zip(("id", "secret"), KEY.split(":")))]}]}))):
        file.write_text(text)
        file.chmod(0o600)
    encrypting = {"encryption": {"master_key_file": str(master), "data_streams": True}}
    ways = {"neither": ({}, []), "encrypted": (encrypting, []), "signed": ({"auth": {"file": str(users)}}, ["--key", KEY])}
    for way in ways:
        (directory / way).mkdir()
        # The stream first, by a server that lets everybody do so.
        with millrace(directory / way, **(encrypting if way == "encrypted" else {})) as (address, _):
            create(address, "puts")
    rounds = {(way, what): [] for way in ways for what in PUTS}
    for _ in range(arguments.rounds):
        for way, (settings, key) in ways.items():
            with millrace(directory / way, **settings) as (address, pid):
                for what, options in PUTS.items():
                    rounds[way, what].append(load("put", address, "--stream", "puts", *options, *key,
                                                  seconds=arguments.seconds, pid=pid))
    result = {}
    for what in PUTS:
        result[what] = {way: median_of(rounds[way, what]) for way in ways}
        plain = result[what]["neither"]
        for way in ("encrypted", "signed"):
            mine = result[what][way]
            result[what][f"{way}: cost in percent"] = {
                "throughput": round(100 * (1 - mine["records_per_s"] / plain["records_per_s"]), 1),
                "cpu": round(100 * (mine["cpu_us_a_record"] / plain["cpu_us_a_record"] - 1), 1)}
    return result


PARTS = {"puts": puts, "reads": reads, "latency": latency, "subscribers": subscribers, "security": security}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="parts, with commas between: " + ",".join(PARTS))
    parser.add_argument("--peers", default="kinesalite,ferrokinesis")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    results = {"load_average_at_start": os.getloadavg()[0]}
    for name in arguments.only.split(",") if arguments.only else PARTS:
        (ROOT / "build").mkdir(exist_ok=True)
        directory = pathlib.Path(tempfile.mkdtemp(prefix="millrace-wire-", dir=ROOT / "build"))
        try:
            results[name] = PARTS[name](arguments, directory)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        show(name, results[name])
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
