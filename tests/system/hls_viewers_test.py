"""Two hundred viewers of one live stream: each gets every segment, and each segment is made once.

Method: a producer puts a fragment of a second four times a second; each viewer, over a connection of its own, follows the media playlist
as a player does and fetches what is new. What each got is compared with what the stream has, byte for byte; how often segments
were made is what /metrics says.
"""
import asyncio
import hashlib
import re
import threading
import urllib.parse

from harness import Server, check, main, wait_for
from matroska import cluster, document_head
from producers import CProducer
from video_streams import all_fragments, call, make_media

VIEWERS, FRAGMENTS = 200, 16
START_MS = 1_763_690_820_000


class Viewer:
    """One connection that stays; `segments`: hashes of what was fetched, by address."""

    def __init__(self, address, path):
        self.address, self.path, self.segments = address, path, {}

    async def get(self, path):
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: {self.address}\r\n\r\n".encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        check(" 200 " in head.split("\r\n")[0], f"{path}: {head}")
        return await self.reader.readexactly(int(re.search(r"(?i)content-length: (\d+)", head)[1]))

    async def watch(self, everything_is_put):
        host, port = self.address.rsplit(":", 1)
        self.reader, self.writer = await asyncio.open_connection(host, int(port))
        master = (await self.get(self.path)).decode()
        media = urllib.parse.urljoin(self.path, next(line for line in master.splitlines() if line and line[0] != "#"))
        last_look = False
        while True:
            playlist = (await self.get(media)).decode()
            new = [line for line in playlist.splitlines() if line and line[0] != "#" and line not in self.segments]
            for name in new:
                self.segments[name] = hashlib.md5(await self.get(urllib.parse.urljoin(media, name))).digest()
            if last_look:
                break
            last_look = everything_is_put.is_set()
            await asyncio.sleep(0.2)
        self.writer.close()


def metric(server, name):
    text = server.get_bytes("/metrics").decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


def put(server, source, everything_is_put):
    try:
        with CProducer(server.endpoint, "door") as producer:
            producer.send(document_head(source))
            for i in range(FRAGMENTS):
                producer.send(cluster(START_MS + 1000 * i, source.clusters[i % len(source.clusters)].frames))
                everything_is_put.wait(0.25)
            producer.end()
    finally:
        everything_is_put.set()


async def watch_all(server, everything_is_put):
    viewers = [Viewer(server.endpoint.removeprefix("http://"), "/hls/door/index.m3u8") for _ in range(VIEWERS)]
    await asyncio.gather(*[viewer.watch(everything_is_put) for viewer in viewers])
    return viewers


def test(directory):
    source = make_media(directory / "source.mkv", 4)
    server = Server(directory)
    try:
        call(server, "/createStream", StreamName="door", DataRetentionInHours=24)
        everything_is_put = threading.Event()
        producer = threading.Thread(target=put, args=(server, source, everything_is_put), daemon=True)
        producer.start()
        wait_for("the first fragment", lambda: all_fragments(server, "door"))
        viewers = asyncio.run(asyncio.wait_for(watch_all(server, everything_is_put), 120))
        producer.join()
        numbers = {one["FragmentNumber"] for one in all_fragments(server, "door")}
        check(len(numbers) == FRAGMENTS, f"{len(numbers)} fragments")
        for viewer in viewers:
            got = {re.search(r"\d{20,}", name)[0] for name in viewer.segments}
            check(got == numbers, f"a viewer lacks {sorted(numbers - got)}")
            check(viewer.segments == viewers[0].segments, "viewers got different bytes")
        made = metric(server, "millrace_hls_segment_seconds_count")
        check(made == FRAGMENTS, f"{made:.0f} segments were made for {FRAGMENTS}")
        check(server.terminate() == 0, "the server ends in order")
    finally:
        server.kill()


main(test)
