"""What the tests of video streams share: calls in the service's protocol, media made by ffmpeg, chunks of GetMedia."""
import hashlib
import json
import time
import urllib.error
import urllib.request

from harness import check, run
from matroska import Source
from producers import authorization

EBML = b"\x1a\x45\xdf\xa3"
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-threads", "1", "-pix_fmt", "yuv420p", "-x264-params",
        "keyint=25:scenecut=0:bframes=0")


def call(server, path, credentials=None, **members):
    body, headers = json.dumps(members).encode(), {"content-type": "application/json"}
    if credentials:
        headers |= {"host": server.endpoint.removeprefix("http://"), "x-amz-date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())}
        headers["authorization"] = authorization(credentials, path, headers, hashlib.sha256(body).hexdigest())
    with urllib.request.urlopen(urllib.request.Request(server.endpoint + path, body, headers), timeout=60) as answer:
        return json.loads(answer.read() or b"{}")


def refusal(server, path, **members):
    """The status, type and message of the error that a call is answered with."""
    try:
        call(server, path, **members)
    except urllib.error.HTTPError as error:
        return error.code, error.headers["x-amzn-ErrorType"], json.loads(error.read()).get("Message")
    raise AssertionError(f"{path} {members} was answered")


def make_media(path, seconds, video=H264, audio=(), size="320x240", rate=25, *options):
    """A Matroska file whose Clusters begin at key frames alone; `video`, `audio`: ffmpeg's options of the codec, () for none."""
    inputs = []
    if video:
        inputs += ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds}"]
    if audio:
        inputs += ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={seconds}"]
    run("ffmpeg", "-v", "error", "-y", *inputs, *video, *audio, "-cluster_time_limit", "20000", "-cluster_size_limit", "50M", *options,
        "-f", "matroska", path)
    return Source(path)


def all_fragments(server, stream, kind="PRODUCER_TIMESTAMP", credentials=None):
    """Of all times, in the order of their numbers."""
    found, members = [], {"FragmentSelector": {"FragmentSelectorType": kind,
                                               "TimestampRange": {"StartTimestamp": 0, "EndTimestamp": 4_000_000_000}}}
    while members:
        page = call(server, "/listFragments", credentials, StreamName=stream, **members)
        found += page["Fragments"]
        members = {"NextToken": page["NextToken"]} if page.get("NextToken") else None
    return sorted(found, key=lambda one: one["FragmentNumber"])


def media_of(server, stream, numbers):
    """GetMediaForFragmentList's body, as a list of documents."""
    request = urllib.request.Request(server.endpoint + "/getMediaForFragmentList", method="POST",
                                     data=json.dumps({"StreamName": stream, "Fragments": numbers}).encode())
    with urllib.request.urlopen(request, timeout=60) as answer:
        documents = [EBML + one for one in answer.read().split(EBML)[1:]]
    check(len(documents) == len(numbers), f"{len(documents)} documents for {len(numbers)} fragments")
    return documents


def open_media(server, stream, selector="EARLIEST", **more):
    """GetMedia's endless answer, to be read and closed."""
    body = {"StreamName": stream, "StartSelector": {"StartSelectorType": selector, **more}}
    request = urllib.request.Request(server.endpoint + "/getMedia", method="POST", data=json.dumps(body).encode())
    return urllib.request.urlopen(request, timeout=60)


def read_chunks(media, count):
    """As many whole chunks of an open answer: a chunk is over when its last tags are."""
    token, body, found, looked_to = b"AWS_KINESISVIDEO_CONTINUATION_TOKEN", bytearray(), 0, 0
    while True:
        # Behind the name stand TagString's id and size, 3 bytes, and a number of 47 digits.
        while found < count and 0 <= (at := body.find(token, looked_to)) <= len(body) - len(token) - 50:
            found, looked_to = found + 1, at + len(token)
        if found == count:
            return [EBML + one for one in bytes(body).split(EBML)[1:]][:count]
        piece = media.read1(1 << 16)
        check(piece, "the body ended")
        body += piece


def tag(document, name):
    """The value of a SimpleTag of the service's."""
    at = document.index(b"\x44\x87", document.index(name))  # TagString, a size of one byte, text
    return document[at + 3:at + 3 + (document[at + 2] & 0x7F)].decode()
