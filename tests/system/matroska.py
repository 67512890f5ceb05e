"""Matroska as producers send it, made of a file that a muxer wrote. Needs nothing but Python.

    source = Source(path)                     what stands before the first Cluster, and the Clusters' frames
    document_head(source)                     EBML header, a Segment of unknown size, Info, Tracks
    cluster(timestamp_ms, frames)             a Cluster of unknown size, as producer-c lays it out
"""
import pathlib
from typing import NamedTuple

EBML, SEGMENT, INFO, TRACKS, CLUSTER, TAGS = 0x1A45DFA3, 0x18538067, 0x1549A966, 0x1654AE6B, 0x1F43B675, 0x1254C367
TIMESTAMP, SIMPLE_BLOCK, BLOCK_GROUP, BLOCK, REFERENCE_BLOCK, DISCARD_PADDING = 0xE7, 0xA3, 0xA0, 0xA1, 0xFB, 0x75A2


class Frame(NamedTuple):
    track: int
    time_ms: int  # after the Cluster's Timestamp
    key: bool
    data: bytes
    discard_padding: bytes = b""  # the element's value: of Opus, at its end


class Cluster(NamedTuple):
    timestamp_ms: int
    frames: list


def _vint(data, at, keep_marker):
    """The value at `at`, and where what follows begins."""
    length = 9 - data[at].bit_length()
    value = int.from_bytes(data[at:at + length], "big")
    return (value if keep_marker else value & ((1 << 7 * length) - 1)), at + length


def elements(data, at=0, end=None):
    """(id, begin, payload, end) of each element of known size, one after the other; a Segment ends with the data."""
    end = len(data) if end is None else end
    while at < end:
        identity, payload = _vint(data, at, True)
        size, payload = _vint(data, payload, False)
        stop = end if identity == SEGMENT else payload + size
        if stop > end:
            raise ValueError(f"element {identity:x} at {at} is cut off")
        yield identity, at, payload, stop
        at = stop


def element(identity, payload, size_length=None):
    head = identity.to_bytes((identity.bit_length() + 7) // 8, "big")
    length = size_length or next(n for n in range(1, 9) if len(payload) < (1 << 7 * n) - 1)
    return head + (len(payload) | 1 << 7 * length).to_bytes(length, "big") + payload


def _frames(data, payload, end):
    """A Cluster's Timestamp and frames; no lacing."""
    timestamp, found = 0, []
    for identity, _, begin, stop in elements(data, payload, end):
        key, padding = None, b""
        if identity == TIMESTAMP:
            timestamp = int.from_bytes(data[begin:stop], "big")
        elif identity == BLOCK_GROUP:
            parts = {one: (first, last) for one, _, first, last in elements(data, begin, stop)}
            key = REFERENCE_BLOCK not in parts
            padding = data[slice(*parts.get(DISCARD_PADDING, (0, 0)))]
            begin, stop = parts[BLOCK]
        elif identity == SIMPLE_BLOCK:
            key = False
        if key is None:
            continue
        track, begin = _vint(data, begin, False)
        if identity == SIMPLE_BLOCK:
            key = bool(data[begin + 2] & 0x80)
        found.append(Frame(track, int.from_bytes(data[begin:begin + 2], "big", signed=True), key, data[begin + 3:stop],
                           padding))
    return Cluster(timestamp, found)


class Source:
    """A file whose Clusters have known sizes (ffmpeg's, mkvmerge's)."""

    def __init__(self, path):
        data = pathlib.Path(path).read_bytes()
        self.clusters, self.info, self.tracks = [], b"", b""
        for identity, begin, payload, end in elements(data):
            if identity == EBML:
                self.ebml = data[begin:end]
            if identity != SEGMENT:
                continue
            for child, first, inside, last in elements(data, payload, end):
                if child == INFO:
                    self.info = data[first:last]
                elif child == TRACKS:
                    self.tracks = data[first:last]
                elif child == CLUSTER:
                    self.clusters.append(_frames(data, inside, last))

    @property
    def frames(self):
        return sum(len(one.frames) for one in self.clusters)


def document_head(source):
    return source.ebml + SEGMENT.to_bytes(4, "big") + b"\xff" + source.info + source.tracks


def block(frame):
    """A SimpleBlock, as every SDK writes it; what that cannot hold is a BlockGroup."""
    head = bytes([0x80 | frame.track]) + frame.time_ms.to_bytes(2, "big", signed=True)
    if frame.discard_padding:
        return element(BLOCK_GROUP, element(BLOCK, head + b"\0" + frame.data) + element(DISCARD_PADDING, frame.discard_padding))
    return element(SIMPLE_BLOCK, head + (b"\x80" if frame.key else b"\0") + frame.data, 8)


def cluster_head(timestamp_ms):
    return CLUSTER.to_bytes(4, "big") + b"\xff" + element(TIMESTAMP, timestamp_ms.to_bytes(8, "big"))


def cluster(timestamp_ms, frames):
    return cluster_head(timestamp_ms) + b"".join(map(block, frames))


def tags(values):
    """A producer's tags: a Tag without Targets, with sizes of 8 bytes."""
    simple = b"".join(element(0x67C8, element(0x45A3, name.encode(), 8) + element(0x4487, value.encode(), 8), 8)
                      for name, value in values.items())
    return element(TAGS, element(0x7373, simple, 8), 8)
