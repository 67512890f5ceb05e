"""A small client of the Data Streams protocol for tests: JSON 1.1 or CBOR 1.1 over HTTP/1.1, every answer checked against the
service model (service_model.py).

What it does not do is the point: it never tries again by itself, so a test knows which request was answered.
"""
import base64
import contextlib
import http.client
import json
import re
import socket
import struct
import urllib.parse
import zlib

from harness import Failure, check
from service_model import MODEL, Instant

HASH_KEYS = 1 << 128
BODY_TYPES = {"json": "application/x-amz-json-1.1", "cbor": "application/x-amz-cbor-1.1"}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What a client waits out: it is too fast, or the stream is being changed.
BUSY = {"ProvisionedThroughputExceededException", "LimitExceededException", "ResourceInUseException"}


class ServiceError(Exception):
    def __init__(self, operation, body):
        super().__init__(f"{operation}: {body.get('__type')}: {body.get('message', body.get('Message'))}")
        self.code = body.get("__type", "")
        self.message = body.get("message", "")


def event_messages(read):
    """The messages of an event stream as (headers, payload); `read(n)` gives exactly n bytes, or fewer at the end."""
    while True:
        prelude = read(12)
        if not prelude:
            return
        total, headers_length, crc = struct.unpack(">III", prelude)
        check(zlib.crc32(prelude[:8]) == crc, "the prelude's checksum")
        rest = read(total - 12)
        check(len(rest) == total - 12, "an event stream that ends within a message")
        check(zlib.crc32(prelude + rest[:-4]) == struct.unpack(">I", rest[-4:])[0], "a message's checksum")
        headers, at = {}, 0
        while at < headers_length:
            name_length = rest[at]
            name = rest[at + 1:at + 1 + name_length].decode()
            at += 1 + name_length
            kind, length = struct.unpack(">BH", rest[at:at + 3])
            check(kind == 7, f"header {name} is no string, but of type {kind}")
            headers[name] = rest[at + 3:at + 3 + length].decode()
            at += 3 + length
        yield headers, rest[headers_length:-4]


class Subscription:
    """One SubscribeToShard call. Iterating gives its events until the server ends it, or hang_up() is called (any thread)."""

    def __init__(self, connection, sock, response):
        self.connection, self.sock, self.response = connection, sock, response

    def __iter__(self):
        first = True
        for headers, payload in event_messages(self.response.read):
            kind = headers[":message-type"]
            if kind == "exception":
                raise ServiceError("SubscribeToShard", {"__type": headers[":exception-type"], **json.loads(payload or b"{}")})
            check(kind == "event", f"an event stream's {headers}")
            if first:
                check(headers[":event-type"] == "initial-response", f"the first message is {headers}")
                check(payload in (b"", b"{}"), f"the first message says {payload!r}")
                first = False
                continue
            check(headers[":event-type"] == "SubscribeToShardEvent", f"an event {headers}")
            event = json.loads(payload)
            MODEL.check_event("SubscribeToShardEvent", event)
            yield event

    def hang_up(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.response.close()
        self.connection.close()


class DataStreams:
    """One connection, kept open. Threads: one at a time. OSError, http.client.HTTPException: no answer came, or not all of it."""

    def __init__(self, endpoint, encoding="json", seconds=60):
        self.address = urllib.parse.urlsplit(endpoint).netloc
        self.encoding = encoding
        self.seconds = seconds
        self.connection = http.client.HTTPConnection(self.address, timeout=seconds)

    def close(self):
        self.connection.close()

    def _encode(self, members):
        if self.encoding == "cbor":
            import cbor2
            tagged = {name: cbor2.CBORTag(1, int(value)) if isinstance(value, Instant) else value
                      for name, value in members.items()}
            return cbor2.dumps(tagged, indefinite_containers=True)  # as the Java SDK writes them
        return json.dumps(members, default=lambda data: base64.b64encode(data).decode()).encode()

    def _decode(self, body):
        if not body:
            return None
        if self.encoding == "cbor":
            import cbor2
            return cbor2.loads(body, semantic_decoders={1: lambda value, _: Instant(value)})
        return json.loads(body)

    def _send(self, connection, operation, members):
        body_type = BODY_TYPES[self.encoding]
        connection.request("POST", "/", self._encode(members),
                           {"Content-Type": body_type, "Accept": body_type, "X-Amz-Target": f"Kinesis_20131202.{operation}"})
        response = connection.getresponse()
        check(UUID.fullmatch(response.headers["x-amzn-RequestId"] or ""), f"{operation}: no request id")
        return response

    def _fail(self, operation, response):
        content_type = response.headers["Content-Type"]
        body = response.read()
        check(content_type == BODY_TYPES[self.encoding], f"{operation}: {response.status} {content_type} {body!r:.200}")
        body = self._decode(body)
        MODEL.check_error(operation, response.status, body)
        raise ServiceError(operation, body)

    def call(self, operation, **members):
        """The answer's members. Bytes among the members are blobs."""
        try:
            response = self._send(self.connection, operation, members)
            if response.status != 200:
                self._fail(operation, response)
            check(response.headers["Content-Type"] == BODY_TYPES[self.encoding], f"{operation}: {response.headers}")
            answer = self._decode(response.read())
        except (OSError, http.client.HTTPException):
            self.connection.close()  # the next call makes a new one
            raise
        MODEL.check_answer(operation, answer)
        return answer or {}

    def subscribe(self, consumer_arn, shard, **position):
        """SubscribeToShard, on a connection of its own: Type and, where it needs them, SequenceNumber or Timestamp."""
        connection = http.client.HTTPConnection(self.address, timeout=60)  # an event comes every 5 s
        connection.connect()
        sock = connection.sock  # http.client lets go of it where the server says that it closes
        response = self._send(connection, "SubscribeToShard",
                              {"ConsumerARN": consumer_arn, "ShardId": shard, "StartingPosition": position})
        if response.status != 200:
            try:
                self._fail("SubscribeToShard", response)
            finally:
                connection.close()
        check(response.headers["Content-Type"] == "application/vnd.amazon.eventstream", f"{response.headers}")
        MODEL.checked["SubscribeToShard"] += 1
        return Subscription(connection, sock, response)

    def shards(self, stream, **more):
        """All shards of a stream, by as many pages as it takes."""
        found, token = [], None
        while True:
            page = self.call("ListShards", **({"NextToken": token} if token else {"StreamName": stream, **more}))
            found += page["Shards"]
            token = page.get("NextToken")
            if not token:
                return found

    def iterator(self, stream, shard, kind="TRIM_HORIZON", **more):
        return self.call("GetShardIterator", StreamName=stream, ShardId=shard, ShardIteratorType=kind, **more)["ShardIterator"]


def hash_range(shard):
    return tuple(int(shard["HashKeyRange"][name]) for name in ("StartingHashKey", "EndingHashKey"))


def data_of(record):
    """A record's data, of either encoding."""
    return record["Data"] if isinstance(record["Data"], bytes) else base64.b64decode(record["Data"])


def check_lineage(shards):
    """The open shards cover every hash key once, and each closed one's range is covered by its children's."""
    parents = {one for shard in shards for one in (shard.get("ParentShardId"), shard.get("AdjacentParentShardId")) if one}
    ranges = sorted(hash_range(shard) for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"])
    edges = [0] + [end + 1 for _, end in ranges]
    if [start for start, _ in ranges] != edges[:-1] or edges[-1] != HASH_KEYS:
        raise Failure(f"the open shards' ranges have gaps or overlap: {ranges}")
    for shard in shards:
        closed = "EndingSequenceNumber" in shard["SequenceNumberRange"]
        if closed != (shard["ShardId"] in parents):
            raise Failure(f"{shard['ShardId']} is {'closed' if closed else 'open'}, and "
                          f"{'has no' if closed else 'has'} children")
