"""Producers and readers of video streams that behave as the public ones do, and such as behave badly.

Goal: what producer-c and the Java SDK send and sign is taken, with users and keys in force, and what is tampered with is not. Producers
that die within a fragment, send again, send times that go back or feed a stream that another one feeds lose nothing that was
acknowledged; readers that are slow or read nothing hold little memory, and slow nobody down. Method: plain sockets (producers.py)
against the real server, with footage of ffmpeg's.
"""
import contextlib
import http.client
import json
import queue
import socket
import threading
import time

from harness import Failure, Server, add_user, check, main, wait_for
from matroska import cluster, document_head, tags
from producers import CProducer, Credentials, JavaProducer, Refused
from video_streams import all_fragments, call, make_media, media_of, open_media, read_chunks, tag

START_MS = 1_763_690_820_000
NEVER_READ, BIG_FRAGMENTS, BIG_MIB = 12, 6, 8
# What readers hold is bounded for all of them together (api/video_streams); beside it some for each connection.
GROWTH_MAX_MIB = 160


def clusters(source, start_ms):
    return [cluster(start_ms + one.timestamp_ms, one.frames) for one in source.clusters]


def put_all(producer, source, pieces, piece=65536):
    producer.send(document_head(source), piece)
    for one in pieces:
        producer.send(one, piece)


def starts(server, stream, credentials=None):
    """The fragments' starts in milliseconds after START_MS, in the order of their numbers."""
    return [round(1000 * one["ProducerTimestamp"]) - START_MS for one in all_fragments(server, stream, credentials=credentials)]


def settings(directory):
    """Configuration with users: ann may do everything, bob may look."""
    found = {}
    for name, policy in (("ann", "administrator"), ("bob", "viewer")):
        key = add_user(directory / "users.yaml", name, policy)
        found[name] = Credentials(key["access_key_id"], key["secret_access_key"])
    config = directory / "users-config.yaml"
    config.write_text(f"auth: {{file: {directory / 'users.yaml'}}}\n")
    return config, found


def as_the_public_ones(directory, source):
    config, users = settings(directory)
    server = Server(directory, "--config", config)
    ann, bob = users["ann"], users["bob"]
    wanted = [one.timestamp_ms for one in source.clusters]
    try:
        for name in ("c", "java"):
            call(server, "/createStream", ann, StreamName=name, DataRetentionInHours=24)
        with CProducer(server.endpoint, "c", ann, token="a-session-token") as producer:
            put_all(producer, source, clusters(source, START_MS), 1_313)
            producer.send(tags({"AWS_KINESISVIDEO_END_OF_FRAGMENT": ""}))
            producer.wait_persisted(len(wanted))
            producer.end()
            for kind in ("BUFFERING", "RECEIVED", "PERSISTED"):
                check(producer.timecodes(kind) == [START_MS + at for at in wanted], f"{kind}: {producer.acks}")
            # One acknowledgement a chunk, each below what producer-c takes in one piece.
            check(len(producer.chunk_sizes) == len(producer.acks) and max(producer.chunk_sizes) <= 1024, producer.chunk_sizes)
        check(starts(server, "c", ann) == wanted, "what producer-c sent is listed")
        with JavaProducer(server.endpoint, "java", START_MS / 1000, ann) as producer:
            put_all(producer, source, clusters(source, 0))
            producer.end()
            check(producer.timecodes("PERSISTED") == wanted, f"relative timecodes stay relative: {producer.acks}")
        check(starts(server, "java", ann) == wanted, "and their times are the producer's start and they")
        for why, status, make in (
                ("nobody", 401, lambda: CProducer(server.endpoint, "c")),
                ("a viewer", 401, lambda: CProducer(server.endpoint, "c", bob)),
                ("a viewer", 401, lambda: JavaProducer(server.endpoint, "java", START_MS / 1000, bob)),
                ("another key", 401, lambda: CProducer(server.endpoint, "c", Credentials(ann.access_key, "x" * 40))),
                ("another stream than was signed", 401,
                 lambda: CProducer(server.endpoint, "c", ann, tamper={"x-amzn-stream-name": "java"})),
                ("another day", 401, lambda: CProducer(server.endpoint, "c", ann, tamper={"x-amz-date": "20200101T000000Z"})),
                ("no such stream", 404, lambda: CProducer(server.endpoint, "nowhere", ann))):
            try:
                make().close()
            except Refused as refused:
                check(refused.status in (status, 403 if status == 401 else status), f"{why}: {refused}")
                check(any(line.lower().startswith("x-amzn-errortype:") for line in refused.head), f"{why}: {refused.head}")
            else:
                raise Failure(f"{why} may put media")
        check(server.terminate() == 0, "the server ends in order")
    finally:
        server.kill()


class NeverReads:
    """Asks for all media, and reads nothing of it."""

    def __init__(self, server, stream):
        host, port = server.endpoint.removeprefix("http://").rsplit(":", 1)
        body = json.dumps({"StreamName": stream, "StartSelector": {"StartSelectorType": "EARLIEST"}})
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect((host, int(port)))
        self.socket.sendall(f"POST /getMedia HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        check(self.socket.recv(4) == b"HTTP", "the answer begins")

    def still_there(self):
        self.socket.setblocking(False)
        return len(self.socket.recv(256, socket.MSG_PEEK)) > 0


class Reading:
    """Takes an open answer as it comes, and gives it on."""

    def __init__(self, media):
        self.media, self.pieces = media, queue.Queue()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            while piece := self.media.read1(1 << 16):
                self.pieces.put(piece)
        self.pieces.put(b"")

    def read1(self, _):
        return self.pieces.get(timeout=120)


class Steady(threading.Thread):
    """A producer and a reader that behave, while others do not: a fragment each 100 ms, until told to stop."""

    def __init__(self, server, source):
        super().__init__(daemon=True)
        self.source, self.stopping, self.sent, self.failure = source, threading.Event(), 0, None
        self.producer = CProducer(server.endpoint, "steady")
        self.producer.send(document_head(source))
        self.media = None
        self.server = server

    def run(self):
        try:
            while not self.stopping.wait(0.1):
                self.producer.send(cluster(START_MS + 1000 * self.sent, self.source.clusters[0].frames))
                self.sent += 1
            self.producer.end()
        except Exception as error:  # told by finish()
            self.failure = error

    def goes_on(self, fragments=20):
        """While what is bad is there: as many more are sent, and acknowledged."""
        wanted = self.sent + fragments
        wait_for("the steady producer to go on", lambda: len(self.producer.timecodes("PERSISTED")) >= wanted or self.failure)
        check(self.failure is None, f"the steady producer: {self.failure}")

    def finish(self):
        self.stopping.set()
        self.join(60)
        check(not self.is_alive() and self.failure is None, f"the steady producer: {self.failure}")
        wanted = [START_MS + 1000 * i for i in range(self.sent)]
        check(self.producer.timecodes("PERSISTED") == wanted, f"{len(self.producer.timecodes('PERSISTED'))} of {self.sent} are durable")
        chunks = read_chunks(self.media, self.sent)
        seen = [round(1000 * float(tag(one, b"PRODUCER_TIMESTAMP"))) for one in chunks]
        check(seen == wanted, f"the steady reader has a gap: {seen}")


def bad_readers(server, source):
    """Twelve that read nothing of a stream of large fragments, and one that reads a little now and then."""
    big = source.clusters[0].frames[0]._replace(data=b"\0\0\0\1\x65" + bytes(BIG_MIB << 20), time_ms=0)
    call(server, "/createStream", StreamName="big", DataRetentionInHours=24)
    with CProducer(server.endpoint, "big") as producer:
        put_all(producer, source, [cluster(START_MS + 2000 * i, [big]) for i in range(BIG_FRAGMENTS)])
        producer.end()
        check(len(producer.timecodes("PERSISTED")) == BIG_FRAGMENTS, producer.acks[-3:])
    before = server.resources().memory_mib
    never = [NeverReads(server, "big") for _ in range(NEVER_READ)]
    slow = open_media(server, "big")
    for _ in range(20):
        check(slow.read(8192), "a slow reader is served")
        time.sleep(0.02)
    return before, never, slow


def misbehaving_producers(server, source):
    pieces = clusters(source, START_MS)
    wanted = [one.timestamp_ms for one in source.clusters]
    for name in ("dies", "back", "two"):
        call(server, "/createStream", StreamName=name, DataRetentionInHours=24)

    # Dies within the third fragment; what was durable is there, and all of it once when it has sent again.
    producer = CProducer(server.endpoint, "dies")
    put_all(producer, source, [*pieces[:2], pieces[2][:len(pieces[2]) // 2]])
    producer.wait_persisted(2)
    durable = producer.timecodes("PERSISTED")
    producer.die()
    check(starts(server, "dies") == [at - START_MS for at in durable], "what was acknowledged is there, and no half of a fragment")
    with CProducer(server.endpoint, "dies") as producer:
        put_all(producer, source, pieces)
        producer.end()
        check(producer.timecodes("PERSISTED") == [START_MS + at for at in wanted], producer.acks)
    check(starts(server, "dies") == wanted, "nothing is there twice")

    # Time goes back within a connection: refused in its place, and what came before is kept.
    with CProducer(server.endpoint, "back") as producer:
        put_all(producer, source, [pieces[2], pieces[0]])
        wait_for("the refusal", producer.errors)
        check(producer.errors() == ["FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS"], producer.acks)
        wait_for("the end of the answer", lambda: producer.ended)
    check(starts(server, "back") == [wanted[2]], "the fragment before the refusal is kept")
    # On a connection of its own it is an older recording, which is taken.
    with CProducer(server.endpoint, "back") as producer:
        put_all(producer, source, pieces[:2])
        producer.end()
    check(starts(server, "back") == [wanted[2], *wanted[:2]], "an older recording that comes later")

    # Two feed one stream: the newer one takes over, and the older one is told.
    first, second = CProducer(server.endpoint, "two"), CProducer(server.endpoint, "two")
    with first, second:
        put_all(first, source, [pieces[0], pieces[1][:100]])
        first.wait_persisted(1)
        put_all(second, source, [pieces[2], pieces[3]])
        wait_for("the newer one's fragment", lambda: second.timecodes("BUFFERING"))
        first.send(pieces[1][100:])
        first.send(cluster(START_MS + 60_000, source.clusters[0].frames))
        wait_for("the older one to be told", first.errors)
        check(first.errors() == ["STREAM_READ_ERROR"], first.acks)
        second.end()
        durable = first.timecodes("PERSISTED") + second.timecodes("PERSISTED")
    check(set(starts(server, "two")) == {at - START_MS for at in durable}, "all that was acknowledged, of both")


def test(directory):
    source = make_media(directory / "source.mkv", 4)
    check([one.timestamp_ms for one in source.clusters] == [0, 1000, 2000, 3000], "four fragments of a second")
    as_the_public_ones(directory, source)

    (directory / "bad").mkdir()
    server = Server(directory / "bad")
    never = []
    try:
        call(server, "/createStream", StreamName="steady", DataRetentionInHours=24)
        steady = Steady(server, source)
        steady.start()
        wait_for("the steady producer", lambda: steady.producer.timecodes("PERSISTED"))
        steady.media = Reading(open_media(server, "steady"))
        before, never, slow = bad_readers(server, source)
        steady.goes_on()
        misbehaving_producers(server, source)
        steady.goes_on()
        grown = server.resources().memory_mib - before
        check(grown <= GROWTH_MAX_MIB, f"readers that do not read hold {grown} MiB")
        check(all(one.still_there() for one in never), "they are not thrown out at once")
        slow.close()
        steady.finish()
        check(media_of(server, "big", [all_fragments(server, "big")[0]["FragmentNumber"]]), "others read what they stopped at")
        check(server.terminate() == 0, "the server ends in order, with readers that do not read")
    finally:
        server.kill()
        for one in never:
            one.socket.close()


main(test)
