"""Footage that ffmpeg muxes and a producer puts is played back by ffmpeg, frame for frame, and survives a kill.

The producer is a plain socket that sends the file in uneven chunks, as fast as the server takes it, and reads the
acknowledgements meanwhile. What the server serves as HLS and as GetMedia has the frames of the file.
"""
import json
import socket
import threading
import time
import urllib.request

from harness import Failure, Server, check, frame_hashes, main, run, wait_for

SECONDS = 6
START_S = 1_763_690_820


def make_mkv(path):
    # Clusters begin at key frames alone: reordered pictures must not reach over.
    run("ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=size=320x240:rate=25:duration={SECONDS}",
                    "-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={SECONDS}",
                    "-c:v", "libx264", "-preset", "veryfast", "-threads", "1", "-pix_fmt", "yuv420p",
                    "-x264-params", "bframes=2:keyint=50:scenecut=0:open-gop=0", "-c:a", "aac", "-shortest",
                    "-cluster_time_limit", "20000", "-cluster_size_limit", "50M", "-f", "matroska", path)


def call(server, path, body):
    request = urllib.request.Request(server.endpoint + path, method="POST", data=json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"{}")


class Producer:
    def __init__(self, server, stream):
        host, port = server.endpoint.removeprefix("http://").rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=60)
        self.socket.sendall((f"POST /putMedia HTTP/1.1\r\nHost: {host}\r\nx-amzn-stream-name: {stream}\r\n"
                             "x-amzn-fragment-timecode-type: RELATIVE\r\n"
                             f"x-amzn-producer-start-timestamp: {START_S}.000\r\n"
                             "x-millrace-sparse-tracks: 1\r\n"
                             "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n").encode())
        self.answer = self.socket.makefile("rb")
        self.acks = []
        check(b" 100 " in self._head(), "a producer that waits is told to go ahead")
        check(b" 200 " in self._head(), "the answer begins before the body")
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _head(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.answer.readline()
            if not line:
                raise Failure("the server closed the connection")
            head += line
        return head

    def _read(self):
        try:
            while size := int(self.answer.readline() or b"0", 16):
                self.acks.append(json.loads(self.answer.read(size)))
                self.answer.readline()
        except (OSError, ValueError):
            pass

    def send(self, data):
        for at in range(0, len(data), 9_973):
            piece = data[at:at + 9_973]
            self.socket.sendall(b"%x\r\n" % len(piece) + piece + b"\r\n")

    def end(self):
        self.socket.sendall(b"0\r\n\r\n")
        self.reader.join(60)
        check(not self.reader.is_alive(), "the answer ends when all is acknowledged")

    def timecodes(self, kind):
        return [ack["FragmentTimecode"] for ack in list(self.acks) if ack["EventType"] == kind]


def test(directory):
    mkv = directory / "put.mkv"
    make_mkv(mkv)
    expected = frame_hashes(mkv, "v", True)
    check(len(expected) == SECONDS * 25, f"{len(expected)} pictures")
    data = mkv.read_bytes()

    server = Server(directory)
    call(server, "/createStream", {"StreamName": "door", "DataRetentionInHours": 24})
    info = call(server, "/describeStream", {"StreamName": "door"})["StreamInfo"]
    check(info["Status"] == "ACTIVE" and info["DataRetentionInHours"] == 24, str(info))
    endpoint = call(server, "/getDataEndpoint", {"StreamName": "door", "APIName": "PUT_MEDIA"})["DataEndpoint"]
    check(endpoint == server.endpoint, endpoint)

    # The server is killed when half of it has arrived; what it said was durable is there.
    producer = Producer(server, "door")
    producer.send(data[:len(data) * 2 // 3])
    persisted = wait_for("the first fragment to be durable", lambda: producer.timecodes("PERSISTED"))
    server.kill()
    server = Server(directory)
    listed = call(server, "/listFragments", {"StreamName": "door", "FragmentSelector": {
        "FragmentSelectorType": "PRODUCER_TIMESTAMP",
        "TimestampRange": {"StartTimestamp": START_S - 1, "EndTimestamp": START_S + 60}}})["Fragments"]
    starts = {round((one["ProducerTimestamp"] - START_S) * 1000) for one in listed}
    check(set(persisted) <= starts, f"durable: {persisted}, there: {starts}")

    # It sends all of it again, and nothing is there twice.
    producer = Producer(server, "door")
    producer.send(data)
    producer.end()
    received = producer.timecodes("RECEIVED")
    check(producer.timecodes("PERSISTED") == received == producer.timecodes("BUFFERING"), str(producer.acks))
    check(not producer.timecodes("ERROR"), str(producer.acks))
    listed = call(server, "/listFragments", {"StreamName": "door", "FragmentSelector": {
        "FragmentSelectorType": "PRODUCER_TIMESTAMP",
        "TimestampRange": {"StartTimestamp": START_S - 1, "EndTimestamp": START_S + 60}}})["Fragments"]
    check(len(listed) == len(received), f"{len(listed)} fragments for {len(received)} that were sent")

    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START_S - 1))
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START_S + 60))
    played = frame_hashes(f"{server.endpoint}/hls/door/index.m3u8?start={start}&end={end}", "v", True)
    check(played == expected, f"HLS plays {len(played)} pictures, {len(expected)} were put")
    exported = directory / "clip.mp4"
    exported.write_bytes(server.get_bytes(f"/v1/streams/door/export?start={start}&end={end}"))
    check(frame_hashes(exported, "v", True, "-ignore_editlist", "1") == expected, "the export has every picture")
    check(server.terminate() == 0, "the server ends in order")


main(test)
