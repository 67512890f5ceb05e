"""Every codec from a real encoder and muxer to every player that can take it, and a clear refusal for those that cannot.

Goal: media of ffmpeg and GStreamer are put by a producer, listed, read back by GetMedia, cut into clips, and played by ffmpeg and by hls.js
in headless Chromium, with every frame that was put: packets by their hashes where they come as they went in, decoded pictures by
their hashes where they are remuxed, and by their number in the browser. What a player cannot take is refused in words that say which
codec it is, and what takes it.
"""
import json
import os
import pathlib
import subprocess
import time
import urllib.error
import urllib.request
from typing import NamedTuple

from harness import Server, check, frame_hashes, main, run
from matroska import Source, cluster, document_head
from producers import CProducer
from video_streams import H264, all_fragments, call, make_media, open_media, read_chunks, tag

SECONDS, RATE = 3, 25
FRAMES = SECONDS * RATE
AAC, OPUS = ("-c:a", "aac"), ("-c:a", "libopus")
PCM = ("-ar", "8000", "-ac", "1", "-c:a")
KEY_FRAMES = ("-g", str(RATE), "-keyint_min", str(RATE))
VP8, VP9 = (("-c:v", encoder, "-deadline", "realtime", "-cpu-used", "8", "-lag-in-frames", "0", *KEY_FRAMES)
            for encoder in ("libvpx", "libvpx-vp9"))


# The ways to play it, as docs/codecs.md has them: HLS in fragmented MP4, in Chromium too, and in MPEG-TS; DASH; MP4 by the export and
# by GetClip. MKV is exported of all of them.
HLS, CHROMIUM, TS, DASH, MP4, CLIP = "hls", "chromium", "ts", "dash", "mp4", "clip"
ALL = frozenset({HLS, CHROMIUM, TS, DASH, MP4, CLIP})


class Codec(NamedTuple):
    video: tuple  # ffmpeg's options
    audio: tuple = ()
    ways: frozenset = frozenset()
    sound_kept: bool = True  # as it came; else it is made AAC for players


CODECS = {
    "h264-aac": Codec(H264, AAC, ALL),
    "h264-mulaw": Codec(H264, (*PCM, "pcm_mulaw"), ALL, sound_kept=False),
    "h265-aac": Codec(("-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
                        f"log-level=error:keyint={RATE}:min-keyint={RATE}:scenecut=0:bframes=0:pools=1"), AAC, ALL - {CHROMIUM}),
    "av1-opus": Codec(("-c:v", "libsvtav1", "-preset", "12", "-svtav1-params", "pred-struct=1:scd=0", *KEY_FRAMES), OPUS, ALL - {TS}),
    "vp9-opus": Codec(VP9, OPUS, ALL - {TS}),
    "vp9-alaw": Codec(VP9, (*PCM, "pcm_alaw"), ALL - {TS}, sound_kept=False),
    "vp8": Codec(VP8),
}


def gstreamer_media(path):
    """H.264 as GStreamer's muxer writes it."""
    run("gst-launch-1.0", "-q", "videotestsrc", f"num-buffers={FRAMES}", "!", "video/x-raw,width=320,height=240,framerate=25/1", "!",
        "x264enc", "tune=zerolatency", f"key-int-max={RATE}", "speed-preset=ultrafast", "!", "h264parse", "!", "matroskamux",
        "offset-to-zero=true", "!", "filesink", f"location={path}")
    return Source(path)


def put(server, stream, source, start_ms):
    call(server, "/createStream", StreamName=stream, DataRetentionInHours=24)
    with CProducer(server.endpoint, stream) as producer:
        producer.send(document_head(source))
        for one in source.clusters:
            producer.send(cluster(start_ms + one.timestamp_ms, one.frames))
        producer.end()
        check(len(producer.timecodes("PERSISTED")) == len(source.clusters), f"{stream}: {producer.acks[-2:]}")


def selector(start_ms, kind="PRODUCER_TIMESTAMP"):
    return {"FragmentSelectorType": kind, "TimestampRange": {"StartTimestamp": start_ms / 1000, "EndTimestamp": start_ms / 1000 + 60}}


def read_back(server, directory, name, file, source, sound):
    """Packets as they were put, by GetMedia; the numbers as they are listed."""
    listed = [one["FragmentNumber"] for one in all_fragments(server, name)]
    check(len(listed) == len(source.clusters), f"{name}: {len(listed)} fragments are listed")
    with open_media(server, name) as media:
        chunks = read_chunks(media, len(listed))
    check([tag(one, b"FRAGMENT_NUMBER") for one in chunks] == listed, f"{name}: GetMedia's numbers")
    for track in ("v", "a") if sound else ("v",):
        got = []
        for i, chunk in enumerate(chunks):  # each is a document of its own
            one = directory / f"{name}-{i}.mkv"
            one.write_bytes(chunk)
            got += frame_hashes(one, track, False)
        check(got == frame_hashes(file, track, False), f"{name}: GetMedia's packets ({track})")


def refusal_of(work):
    try:
        work()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    raise AssertionError("it was answered")


def session_of(server, name, kind, start_ms, **more):
    """The address of a playback session of "HLS" or "DASH"."""
    answer = call(server, f"/get{kind}StreamingSessionURL", StreamName=name, PlaybackMode="ON_DEMAND",
                  **{f"{kind}FragmentSelector": selector(start_ms)}, **more)
    return answer[f"{kind}StreamingSessionURL"]


def played(server, directory, name, file, codec, start_ms):
    """By ffmpeg, every way there is; gives the address that the browser is to play."""
    pictures = frame_hashes(file, "v", True)
    check(len(pictures) == FRAMES, f"{name}: {len(pictures)} pictures were made")
    sound = frame_hashes(file, "a", False) if codec.audio else []
    start, end = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start_ms / 1000 + at)) for at in (0, 60))
    friendly = f"{server.endpoint}/hls/{name}/index.m3u8?start={start}&end={end}"
    addresses = {HLS: lambda: friendly,
                 TS: lambda: session_of(server, name, "HLS", start_ms, ContainerFormat="MPEG_TS"),
                 DASH: lambda: session_of(server, name, "DASH", start_ms)}
    for way, address in addresses.items():
        if way not in codec.ways:
            continue
        url = address()
        check(frame_hashes(url, "v", True) == pictures, f"{name}: the pictures of {url}")
        if codec.audio and not codec.sound_kept:
            check(sound_of(url) == "aac", f"{name}: {sound_of(url)} in {url}")
        elif codec.audio and way == TS:  # each packet in a frame of its own (ADTS)
            check(len(frame_hashes(url, "a", False)) == len(sound), f"{name}: the sound of {url}")
        elif codec.audio:
            check(frame_hashes(url, "a", False) == sound, f"{name}: the sound of {url}")
    for way, take in ((MP4, lambda: server.get_bytes(f"/v1/streams/{name}/export?start={start}&end={end}")),
                      (CLIP, lambda: clip_bytes(server, name, start_ms))):
        if way in codec.ways:
            clip = directory / f"{name}-{way}.mp4"
            clip.write_bytes(take())
            check(frame_hashes(clip, "v", True, "-ignore_editlist", "1") == pictures, f"{name}: the pictures of the {way}")
    clip = directory / f"{name}-export.mkv"
    clip.write_bytes(server.get_bytes(f"/v1/streams/{name}/export?start={start}&end={end}&format=mkv"))
    check(frame_hashes(clip, "v", False) == frame_hashes(file, "v", False), f"{name}: the pictures of the MKV")
    check(not sound or frame_hashes(clip, "a", False) == sound, f"{name}: the sound of the MKV")
    return [friendly] if HLS in codec.ways else []


def sound_of(source):
    done = run("ffprobe", "-v", "error", "-select_streams", "a", "-show_entries", "stream=codec_name", "-of", "csv=p=0", source)
    return done.stdout.split()[0].rstrip(",")


def clip_bytes(server, name, start_ms):
    body = {"StreamName": name, "ClipFragmentSelector": selector(start_ms)}
    request = urllib.request.Request(server.endpoint + "/getClip", json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def in_chromium(server, wanted):
    """`wanted`: addresses, and whether each plays there."""
    done = subprocess.run(["node", os.environ["PLAY_HLS"], server.endpoint + "/", os.environ["HLS_JS"], *wanted], capture_output=True,
                          text=True, timeout=500)
    check(done.returncode == 0, f"the browser: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    for (url, codec), line in zip(wanted.items(), done.stdout.splitlines(), strict=True):
        result = json.loads(line)
        if CHROMIUM in codec.ways:
            check(result.get("frames") == FRAMES, f"hls.js in Chromium on {url}: {result}")
            check(result["sound"] == bool(codec.audio), f"its sound: {result}")
        else:
            check("incompatible" in result.get("error", "").lower(), f"hls.js in Chromium on {url}: {result}")


def refused_for_vp8(server, start_ms):
    """In words that say what it is, and what takes it."""
    start, end = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start_ms / 1000 + at)) for at in (0, 60))
    status, text = refusal_of(lambda: server.get_bytes(f"/hls/vp8/index.m3u8?start={start}&end={end}"))
    check(status == 501 and "vp8" in text.lower() and "WHEP" in text, f"HLS of VP8: {status} {text}")
    status, text = refusal_of(lambda: clip_bytes(server, "vp8", start_ms))
    check(status == 400 and "vp8" in text.lower() and ("MKV" in text or "Matroska" in text), f"a clip of VP8: {status} {text}")


def test(directory):
    start_ms = int(time.time() - 120) * 1000
    server = Server(directory)
    try:
        in_browser = {}
        for name, codec in CODECS.items():
            began, file = time.monotonic(), directory / f"{name}.mkv"
            source = make_media(file, SECONDS, codec.video, codec.audio)
            put(server, name, source, start_ms)
            read_back(server, directory, name, file, source, bool(codec.audio))
            in_browser |= dict.fromkeys(played(server, directory, name, file, codec, start_ms), codec)
            print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)
        refused_for_vp8(server, start_ms)
        in_chromium(server, in_browser)
        file = pathlib.Path(directory, "gstreamer.mkv")
        source = gstreamer_media(file)
        put(server, "gstreamer", source, start_ms)
        read_back(server, directory, "gstreamer", file, source, False)
        played(server, directory, "gstreamer", file, Codec(H264, (), ALL), start_ms)
        check(server.terminate() == 0, "the server ends in order")
    finally:
        server.kill()


main(test)
