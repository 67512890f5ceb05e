"""Publishers behind a bad line: 2% of the packets lost, the others 10 to 110 ms late and out of order; then the line is cut.

Goal: what is recorded as good is good: each fragment that is not marked as damaged holds pictures that were sent, bit for
bit, each followed by its successor, and decodes without a complaint; between two good fragments nothing is missing either. Lost packets
are asked for again, so that most footage is there; a key frame is asked for when a picture is lost for good.
The whole recording plays, from before the cut to after it. Method: publishers log the hash of each picture that they send, H.264 and VP8.
The line is the kernel's netem, in a network namespace of the test's own; where there is none, or with MILLRACE_WEBRTC_LINE=relay, a
relay with a seed.
"""
import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import time

import harness
from harness import Server, check, run, seconds_of, wait_for
from lossy_line import LossyLine
from matroska import Source
from video_streams import media_of
from webrtc_sim import WebrtcSim

SEED = int(os.environ.get("MILLRACE_WEBRTC_LOSS_SEED", "7"))
LOSS = 0.02
DELAY_S = (0.010, 0.110)
DELAY_WORDS = ("delay", f"{(DELAY_S[0] + DELAY_S[1]) * 500:.0f}ms", f"{(DELAY_S[1] - DELAY_S[0]) * 500:.0f}ms")
CUT_S = 1.5
GOOD_MIN = 0.6  # of the footage before the line is cut, some twelve fragments
KEY_FRAME_S = 1
CODECS = ("h264", "vp8")
NETEM = os.environ.get("MILLRACE_WEBRTC_NETEM") == "1"  # this process is in the namespace


def enter_netem():
    """Runs this test again where loopback is a bad line; says why not where that cannot be."""
    if os.environ.get("MILLRACE_WEBRTC_LINE") == "relay" or NETEM:
        return
    line = f"ip link set lo up && tc qdisc add dev lo root netem loss {LOSS:.0%} {' '.join(DELAY_WORDS)}"
    tried = subprocess.run(["unshare", "-rn", "sh", "-c", line], capture_output=True, text=True)
    if tried.returncode != 0:
        print(f"no netem here ({tried.stderr.strip() or tried.returncode}): the test's own relay is the line", flush=True)
        return
    environment = {**os.environ, "MILLRACE_WEBRTC_NETEM": "1"}
    os.execvpe("unshare", ["unshare", "-rn", "sh", "-c", f'{line} && exec "$0" "$@"', sys.executable, *sys.argv], environment)


class Netem:
    """The namespace's loopback: one line for all."""
    @staticmethod
    def cut(seconds):
        for loss in ("100%", f"{LOSS:.0%}"):
            run("tc", "qdisc", "change", "dev", "lo", "root", "netem", "loss", loss, *DELAY_WORDS)
            if loss == "100%":
                time.sleep(seconds)  # the length of the cut

    @staticmethod
    def stop():
        pass


def metric(server, name):
    values = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", server.get_bytes("/metrics").decode(), re.M)
    check(len(values) == 1, f"{name}: {values}")
    return float(values[0])


def picture_hash(codec, data):
    """As webrtc-sim logs it."""
    if codec != "h264":
        return hashlib.md5(data).hexdigest()
    digest, at = hashlib.md5(), 0
    while at + 4 < len(data):
        size = int.from_bytes(data[at:at + 4], "big")
        if 1 <= data[at + 4] & 0x1F <= 5:
            digest.update(data[at + 4:at + 4 + size])
        at += 4 + size
    return digest.hexdigest()


def places_of(file, codec, place):
    """The places of a fragment's pictures in what was sent; None: that was not sent."""
    # Track 1 is the video: it comes first in the offer.
    frames = [one for each in Source(file).clusters for one in each.frames if one.track == 1]
    check(not frames or frames[0].key, f"{codec}: does not begin with a key frame: {file}")
    return [place.get(picture_hash(codec, one.data)) for one in frames]


def decoded_pictures(file, *strict):
    """The hashes of the decoded pictures; with `strict`, of which none may have anything wrong."""
    done = run("ffmpeg", "-v", "error" if strict else "fatal", *strict, "-i", file, "-map", "0:v", "-vsync", "passthrough",
               "-enc_time_base", "-1", "-f", "framehash", "-")
    check(not done.stderr.strip(), f"{file}: {done.stderr}")
    return [line.split(",")[-1].strip() for line in done.stdout.splitlines() if not line.startswith("#")]


def check_good(directory, codec, fragment, document, place):
    file = directory / f"{codec}-{fragment['number']}.mkv"
    file.write_bytes(document)
    places = places_of(file, codec, place)
    check(None not in places, f"{codec}: a picture that was not sent in {fragment}, at {[i for i, p in enumerate(places) if p is None]}")
    check(places == [places[0] + i for i in range(len(places))], f"{codec}: pictures are missing in {fragment}: {places}")
    if not places:
        return places, []  # sound, before the first picture
    return places, decoded_pictures(file, "-err_detect", "explode", "-xerror")


def check_playback(server, directory, codec, fragments, good):
    """The whole recording plays, from before the loss to after it, and damage stays where it is."""
    file = directory / f"{codec}-whole.mkv"
    done = server.cli("export", codec, "--start", fragments[0]["start"], "--end", fragments[-1]["end"], "-o", file)
    check(done.returncode == 0, done.stderr)
    sent = sum(one.track == 1 for each in Source(file).clusters for one in each.frames)
    shown = decoded_pictures(file)
    check(len(shown) == sent, f"{codec}: {len(shown)} pictures of {sent} are shown")
    for pictures in good:
        start = shown.index(pictures[0]) if pictures and pictures[0] in shown else 0
        check(shown[start:start + len(pictures)] == pictures, f"{codec}: a good fragment is shown otherwise in the whole: {pictures}")


def check_recording(server, directory, codec):
    fragments = sorted(server.fragments(codec), key=lambda one: (one["run"], one["start"]))
    sent = [json.loads(one)["md5"] for one in (directory / f"{codec}.sent").read_text().splitlines()]
    place = {digest: i for i, digest in enumerate(sent)}
    check(len(place) == len(sent), f"{codec}: the pictures that were sent are not unique")
    good = [one for one in fragments if not one["damaged"]]
    check(good, f"{codec}: nothing of it is good: {fragments}")
    documents = dict(zip((one["number"] for one in good), media_of(server, codec, [one["number"] for one in good])))
    last = None  # place of the picture before; none: something there is marked as damaged
    shown = []  # what the good ones show, each by itself
    for fragment in fragments:
        places = []
        if not fragment["damaged"]:
            places, pictures = check_good(directory, codec, fragment, documents[fragment["number"]], place)
            shown.append(pictures)
        if places and last is not None:
            check(places[0] == last + 1, f"{codec}: {places[0] - last - 1} pictures are missing before {fragment}")
        last = None if fragment["damaged"] else places[-1] if places else last
    check_playback(server, directory, codec, fragments, shown)
    return fragments, good


def length(fragments):
    return sum(seconds_of(one["end"]) - seconds_of(one["start"]) for one in fragments)


def publish(stack, directory, server, codec, number):
    relay = None if NETEM else LossyLine(SEED + number, LOSS, DELAY_S)
    line = relay or Netem()
    stack.callback(line.stop)
    sim = WebrtcSim(directory, codec, "publish", "--codec", codec, "--frames-log", directory / f"{codec}.sent")
    stack.callback(sim.kill)
    sim.connect(server, f"/whip/{codec}", line=relay)
    return sim, line


def test(directory):
    (directory / "webrtc.yaml").write_text(f'webrtc: {{addresses: ["127.0.0.1"], key_frame_s: {KEY_FRAME_S}}}\n')
    with contextlib.ExitStack() as stack:
        server = Server(directory, "--config", directory / "webrtc.yaml")
        stack.callback(server.kill)
        publishers = {codec: publish(stack, directory, server, codec, i) for i, codec in enumerate(CODECS)}

        def have(count):
            return all(len(server.fragments(codec)) >= count[codec] for codec in CODECS)

        for codec in CODECS:
            wait_for(f"{codec}'s first fragment", lambda: len(server.fragments(codec)) > 0, 60)
        wait_for("ten fragments", lambda: have(dict.fromkeys(CODECS, 10)), 90)
        before_cut = {codec: len(server.fragments(codec)) for codec in CODECS}
        lost = metric(server, "millrace_webrtc_lost_packets_total")
        for _, line in publishers.values():
            line.cut(CUT_S)
        wait_for("the loss that the cut makes",
                 lambda: metric(server, "millrace_webrtc_lost_packets_total") > lost + 10, 60)
        wait_for("five fragments after the cut", lambda: have({codec: n + 5 for codec, n in before_cut.items()}), 90)

        counted = {name: metric(server, f"millrace_webrtc_{name}_total")
                   for name in ("lost_packets", "retransmission_requests", "retransmitted_packets", "key_frame_requests")}
        stats = {codec: sim.stats() for codec, (sim, _) in publishers.items()}
        report = {"counted": counted, "sent": stats}
        for codec, (_, line) in publishers.items():
            fragments, good = check_recording(server, directory, codec)
            share = length(one for one in good if one in fragments[:before_cut[codec]]) / length(fragments[:before_cut[codec]])
            report[codec] = {"fragments": len(fragments), "good": len(good), "share_before_cut": round(share, 3),
                             **({} if NETEM else {"passed": line.passed, "lost": line.lost})}
            check(share >= GOOD_MIN, f"{codec}: of the footage before the cut {share:.0%} is good: {report}")
            # What the cut took is known, and what came after it is good again.
            check(any(one["damaged"] for one in fragments[before_cut[codec] - 1:]), f"{codec}: no damage: {fragments}")
            check(any(one in good for one in fragments[-3:]), f"{codec}: is not good again: {fragments[-4:]}")
            check(stats[codec]["retransmissions"] > 0, f"nothing was sent again: {report}")
            check(stats[codec]["key_frame_requests"] > 0, f"no key frame was asked for: {report}")
        check(all(value > 0 for value in counted.values()), f"not all is counted: {report}")
        print(json.dumps(report), flush=True)
        check(server.terminate() == 0, "the server did not end well")


enter_netem()
harness.main(test)
