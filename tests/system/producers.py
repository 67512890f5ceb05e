"""Producers of video streams that behave as the public ones do, and the Signature Version 4 that they sign with.

    with CProducer(endpoint, "door", credentials) as producer:     as producer-c (kvssink) over libcurl
        producer.send(document_head(source)); producer.send(cluster(...)); producer.end()
    with JavaProducer(endpoint, "door", start_s, credentials) …    as the Java SDK: RELATIVE, UNSIGNED-PAYLOAD

Each acknowledgement is kept as it came (`acks`), together with the size of the HTTP chunk that brought it (`chunk_sizes`).
"""
import contextlib
import hashlib
import hmac
import json
import socket
import threading
import time
from typing import NamedTuple

from harness import Failure, check, wait_for

REGION, SERVICE = "us-east-1", "kinesisvideo"
EMPTY_HASH = hashlib.sha256(b"").hexdigest()


class Credentials(NamedTuple):
    access_key: str
    secret_key: str


def authorization(credentials, path, headers, payload_hash):
    """The Authorization header of a POST without a query that is signed with all of `headers` (names in lower case)."""
    stamp = headers["x-amz-date"]
    scope = f"{stamp[:8]}/{REGION}/{SERVICE}/aws4_request"
    names = sorted(headers)
    canonical = "\n".join(["POST", path, "", *[f"{name}:{headers[name].strip()}" for name in names], "", ";".join(names), payload_hash])
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4" + credentials.secret_key.encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    return f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"


class Refused(Failure):
    def __init__(self, status, head, body):
        super().__init__(f"{status}: {body!r:.300}")
        self.status, self.head, self.body = status, head, body


class Producer:
    """Sends what it is told to, and reads the acknowledgements meanwhile. `headers`: in the order in which they are sent."""

    def __init__(self, endpoint, headers, expect_continue=False):
        host, port = endpoint.removeprefix("http://").rsplit(":", 1)
        self.acks, self.chunk_sizes, self.ended = [], [], False
        self.socket = socket.create_connection((host, int(port)), timeout=60)
        self._answer = self.socket.makefile("rb")
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.socket.sendall(f"POST /putMedia HTTP/1.1\r\n{lines}\r\n".encode())
        if expect_continue:
            status, head = self._head()
            if status == 100:
                status, head = self._head()
            else:
                check(status != 200, "a producer that waits is told to go ahead before it is answered")
        else:
            status, head = self._head()
        if status != 200:
            length = next((int(line.split(":")[1]) for line in head if line.lower().startswith("content-length:")), 0)
            raise Refused(status, head, self._answer.read(length))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _head(self):
        lines = []
        while (line := self._answer.readline()) not in (b"\r\n", b""):
            lines.append(line.decode().rstrip())
        if not lines:
            raise Failure("the server closed the connection")
        return int(lines[0].split()[1]), lines

    def _read(self):
        try:
            while size := int(self._answer.readline() or b"0", 16):
                text = self._answer.read(size)
                self.chunk_sizes.append(size)
                self.acks.append(json.loads(text))
                self._answer.readline()
            self.ended = True
        except (OSError, ValueError):
            pass

    def send(self, data, piece=65536):
        for at in range(0, len(data), piece):
            part = data[at:at + piece]
            self.socket.sendall(b"%x\r\n" % len(part) + part + b"\r\n")

    def end(self):
        """The body is over; returns when the answer is."""
        self.socket.sendall(b"0\r\n\r\n")
        self._reader.join(60)
        check(not self._reader.is_alive() and self.ended, "the answer ends when all is acknowledged")

    def die(self):
        """As a process that is killed: with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RD)  # wakes the reader, which holds the socket
        self._reader.join(60)
        self._answer.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def timecodes(self, kind):
        return [ack["FragmentTimecode"] for ack in list(self.acks) if ack["EventType"] == kind]

    def errors(self):
        return [ack["ErrorCode"] for ack in list(self.acks) if ack["EventType"] == "ERROR"]

    def wait_persisted(self, count):
        wait_for(f"{count} durable fragments", lambda: len(self.timecodes("PERSISTED")) >= count or self.errors())
        check(not self.errors(), self.acks[-1])


def _stamp():
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())


class CProducer(Producer):
    """Signs a Host without its port and an empty body, waits for 100-continue, prints milliseconds without zeros in front."""

    def __init__(self, endpoint, stream, credentials=None, token=None, tamper=()):
        now_ms = int(time.time() * 1000)
        headers = {"host": endpoint.removeprefix("http://").rsplit(":", 1)[0], "x-amzn-stream-name": stream,
                   "x-amzn-producer-start-timestamp": f"{now_ms // 1000}.{now_ms % 1000}",
                   "x-amzn-fragment-acknowledgment-required": "1", "x-amzn-fragment-timecode-type": "ABSOLUTE",
                   "transfer-encoding": "chunked", "connection": "keep-alive", "content-type": "application/json",
                   "user-agent": "AWS-SDK-KVS/3.6.0 GCC/12.2.0 Linux/6.1 x86_64", "x-amz-date": _stamp()}
        if credentials:
            headers["authorization"] = authorization(credentials, "/putMedia", headers, EMPTY_HASH)
            if token:
                headers["x-amz-security-token"] = token  # behind the signature, and none of it
        headers.update(tamper)
        super().__init__(endpoint, {**headers, "expect": "100-continue"}, expect_continue=True)


class JavaProducer(Producer):
    def __init__(self, endpoint, stream, start_s, credentials=None, more=()):
        host = endpoint.removeprefix("http://").rsplit(":", 1)[0]
        headers = {"host": host, "x-amzn-stream-name": stream, "x-amzn-fragment-timecode-type": "RELATIVE",
                   "x-amzn-producer-start-timestamp": f"{start_s:.3f}", "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
                   "x-amz-date": _stamp()}
        if credentials:
            headers["authorization"] = authorization(credentials, "/putMedia", headers, "UNSIGNED-PAYLOAD")
        super().__init__(endpoint, {**headers, "transfer-encoding": "chunked", "connection": "keep-alive",
                                    "user-agent": "aws-sdk-java/1.12 Linux/6.1 OpenJDK", **dict(more)})
