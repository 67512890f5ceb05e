"""What peers are told about the network: WHIP and WHEP over IPv6, with the ports, headers and STUN servers that the configuration says.

Goal: over IPv6 alone media come and go, VP9 among them, recorded and playable; the server is reached at ports of the configured range and
no others; pages are let in by what a preflight is told, and learn of STUN servers before the offer and with the answer.
Method: webrtc-sim publishes and watches on [::1]; requests by hand.
"""
import contextlib
import json
import socket
import urllib.request

import harness
from harness import Server, check, run, seconds_of, wait_for
from webrtc_sim import CANDIDATE, WebrtcSim

PORTS = range(24000, 24040)  # below those that the kernel gives out by itself
STUN = "stun:192.0.2.1:3478"
ORIGIN = "http://localhost:8000"  # while there are no users, pages of this machine alone may call


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as tried:
            tried.bind(("::1", 0))
        return True
    except OSError:
        return False


def check_candidates(sims):
    ports = []
    for answer in (answer for sim in sims for answer in sim.answers):
        found = CANDIDATE.findall(answer)
        check(len(found) == 1 and found[0][1] == "::1", f"not one candidate of IPv6: {answer}")
        ports.append(int(found[0][2]))
    check(all(port in PORTS for port in ports), f"ports {ports} are not all in {PORTS}")
    check(len(set(ports)) == len(ports), f"a port twice: {ports}")


def recorded(server, stream):
    """Three fragments in a row of a run that lacks nothing. (A busy machine may lose packets of others, and the first may be a run of its
    own, until reports say when its pictures were taken.)"""
    def found():
        fragments = server.fragments(stream)
        for three in zip(fragments, fragments[1:], fragments[2:]):
            if len({one["run"] for one in three}) == 1 and not any(one["damaged"] for one in three):
                return three
        return None

    return wait_for(f"{stream}'s fragments", found, 60)


def check_recording(server, directory, stream):
    first, _, last = recorded(server, stream)
    file = directory / f"{stream}.mkv"
    done = server.cli("export", stream, "--start", first["start"], "--end", last["end"], "-o", file)
    check(done.returncode == 0, done.stderr)
    run("ffmpeg", "-v", "error", "-xerror", "-i", file, "-f", "null", "-")
    streams = json.loads(run("ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", file).stdout)["streams"]
    check([one["codec_name"] for one in streams] == [stream, "opus"], streams)
    seconds = seconds_of(last["end"]) - seconds_of(first["start"])
    frames = int(streams[0]["nb_read_frames"])
    check(frames >= 10 * seconds, f"{frames} pictures in {seconds} s; of 25 a second a busy machine makes fewer")


def check_media(stack, directory, server):
    sims = []

    def start(name, role, path, *options):
        sim = WebrtcSim(directory, name, role, "--address", "::1", *options)
        stack.callback(sim.kill)
        sim.connect(server, path)
        sims.append(sim)
        return sim

    for codec in ("h264", "vp9"):
        start(codec, "publish", f"/whip/{codec}", "--codec", codec)
    for codec in ("h264", "vp9"):
        recorded(server, codec)
        watching = start(f"watch-{codec}", "watch", f"/whep/{codec}", "--codec", codec)
        wait_for(f"{codec}'s pictures", lambda: watching.stats()["frames"][0] > 50, 60)
    check_candidates(sims)
    for codec in ("h264", "vp9"):
        check_recording(server, directory, codec)


def check_headers(server):
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST",
             "Access-Control-Request-Headers": "authorization,content-type"}
    for path, allow in (("/whip/x", "POST, OPTIONS"), ("/whep/x", "POST, OPTIONS"), ("/whip/x/0123", "PATCH, DELETE, OPTIONS")):
        request = urllib.request.Request(server.endpoint + path, method="OPTIONS", headers=asked)
        with urllib.request.urlopen(request, timeout=60) as answer:
            told = answer.headers
        for name, value in {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "POST", "Allow": allow,
                            "Access-Control-Allow-Headers": "authorization,content-type", "Accept-Post": "application/sdp",
                            "Link": f'<{STUN}>; rel="ice-server"'}.items():
            check(told[name] == value, f"{path}: {name} is {told[name]}, not {value}")


def check_answer(stack, directory, server):
    sim = WebrtcSim(directory, "told", "publish")
    stack.callback(sim.kill)
    offer = json.loads(sim.wait_line("{", 60))["offer"]
    request = urllib.request.Request(server.endpoint + "/whip/told", method="POST", data=offer.encode(),
                                     headers={"Content-Type": "application/sdp", "Origin": ORIGIN})
    with urllib.request.urlopen(request, timeout=60) as answer:
        check(answer.status == 201 and answer.headers["Access-Control-Allow-Origin"] == "*", dict(answer.headers))
        exposed = answer.headers["Access-Control-Expose-Headers"].split(",")
        check({"Location", "ETag", "Link"} <= set(exposed), exposed)
        check(answer.headers["Link"] == f'<{STUN}>; rel="ice-server"', dict(answer.headers))


def test(directory):
    with contextlib.ExitStack() as stack:
        def serve(name, settings, listen):
            place = directory / name
            place.mkdir()
            (place / "webrtc.yaml").write_text(f"webrtc: {json.dumps(settings)}\n")
            server = Server(place, "--config", place / "webrtc.yaml", listen=listen)
            stack.callback(server.kill)
            return server

        if has_ipv6():
            server = serve("six", {"addresses": ["::1"], "ports": f"{PORTS[0]}-{PORTS[-1]}", "key_frame_s": 1}, "[::1]:0")
            check_media(stack, directory, server)
            check(server.terminate() == 0, "the server did not end well")
        else:
            print("this machine has no IPv6: media were not tried", flush=True)
        server = serve("stun", {"addresses": ["127.0.0.1"], "stun": [STUN]}, "127.0.0.1:0")
        check_headers(server)
        check_answer(stack, directory, server)
        check(server.terminate() == 0, "the server did not end well")


harness.main(test)
