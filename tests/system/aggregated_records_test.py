"""Records of aggregating producers come out as single ones.

Goal: what an independent encoder of the producer library's format makes is taken apart as it was put in: by the command line
and by the API that the console uses. Method: aws_kinesis_agg from PyPI, kept beside the AWS clients; where it cannot be had, the
encoder below alone; both are used where both are there.
"""
import base64
import hashlib
import json
import random
import sys

from aws_clients_test import PLACE, installed
from harness import Server, check, main, run

WANTED = ["aws_kinesis_agg==1.2.3", "protobuf", "six"]
ENCODE = """
import base64, json, sys
from aws_kinesis_agg.aggregator import RecordAggregator
records = RecordAggregator()
for key, hash_key, data in json.load(sys.stdin):
    assert records.add_user_record(key, base64.b64decode(data), hash_key) is None, "more than one record holds"
print(base64.b64encode(records.clear_and_get().get_contents()[2]).decode())
"""


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def encode(records):
    """The format by hand: a table entry for each record, the records before their tables."""
    def field(number, data):
        return varint(number << 3 | 2) + varint(len(data)) + data

    body, tables, hash_keys = b"", b"", 0
    for i, (key, hash_key, data) in enumerate(records):
        tables += field(1, key.encode())
        index = b""
        if hash_key is not None:
            tables += field(2, hash_key.encode())
            index = b"\x10" + varint(hash_keys)
            hash_keys += 1
        body += field(3, b"\x08" + varint(i) + index + field(3, data))
    return b"\xf3\x89\x9a\xc2" + body + tables + hashlib.md5(body + tables).digest()


def encode_by_package(python, records):
    import subprocess
    text = json.dumps([(key, hash_key, base64.b64encode(data).decode()) for key, hash_key, data in records])
    done = subprocess.run([python, "-c", ENCODE], input=text, capture_output=True, text=True, timeout=60)
    check(done.returncode == 0, done.stderr)
    return base64.b64decode(done.stdout)


def package():
    """The Python that has the package; None: it cannot be had."""
    place = PLACE.with_name(PLACE.name + "-aggregation")
    python = place / "bin/python"
    there = installed(place, WANTED, [sys.executable, "-m", "venv", place],
                      [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *WANTED])
    return python if there else None


def make_records(random_, count):
    keys = [f"key-{i}" for i in range(7)] + ["schlüssel", "鍵"]
    hash_keys = [None, None, "0", "17", str(2**128 - 1)]
    return [(random_.choice(keys), random_.choice(hash_keys), random_.randbytes(random_.randrange(0, 400))) for _ in range(count)]


def try_encoder(directory, server, label, encoder):
    random_ = random.Random(20261121)
    stream = f"aggregated-{label}"
    made = server.cli("stream", "create", stream)
    check(made.returncode == 0, made.stderr)
    wanted = []
    for count in (1, 2, 300):
        records = make_records(random_, count)
        wanted += [(i, key, data) for i, (key, _, data) in enumerate(records)]
        path = directory / f"{label}-{count}"
        path.write_bytes(encoder(records))
        put = server.cli("stream", "put", stream, "--file", path)
        check(put.returncode == 0, put.stderr)
    got = server.cli("stream", "get", stream, "--json")
    check(got.returncode == 0, got.stderr)
    lines = [json.loads(line) for line in got.stdout.splitlines()]
    found = [(one["SubSequenceNumber"], one["PartitionKey"], base64.b64decode(one["Data"])) for one in lines]
    check(found == wanted, f"{label}: {len(found)} user records are not the {len(wanted)} that were put")
    check(len({one["SequenceNumber"] for one in lines}) == 3, "three records were stored")
    shown = server.get(f"/v1/data-streams/{stream}/records")["records"]
    check([(one["sub_sequence"], one["partition_key"], one["bytes"]) for one in shown] ==
          [(i, key, len(data)) for i, key, data in wanted], f"{label}: the console is shown other records")
    print(f"{label}: {len(found)} user records of 3 records")


def test(directory):
    server = Server(directory)
    try_encoder(directory, server, "own", encode)
    python = package()
    if python:
        try_encoder(directory, server, "package", lambda records: encode_by_package(python, records))
    server.terminate()


if __name__ == "__main__":
    main(test)
