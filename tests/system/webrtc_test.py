"""Browsers publish by WHIP and watch by WHEP.

Goal: what a real Chromium publishes, as H.264 and as VP8, is recorded without a hole and seen in another page;
every edge of the HTTP protocol answers as RFC 9725 says; a newer publisher takes over, one that vanishes is noticed, and
nothing is left of connections that are over. Method: one Chromium with its fake camera and microphone, on loopback.
MILLRACE_WEBRTC_CONNECTS says how often it connects in a row (default 8).
"""
import json
import os
import urllib.error
import urllib.request

import harness
from browser import WhipBrowser
from harness import Server, check, run, seconds_of, wait_for

CONNECTS = int(os.environ.get("MILLRACE_WEBRTC_CONNECTS", "8"))
GAP_MAX_S = 0.15  # a frame at 20 a second, and what a busy machine adds
DATA_CHANNEL_ALONE = "\r\n".join([
    "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 0.0.0.0", "a=mid:0", "a=sctp-port:5000", ""])


def status_of(server, method, path, body=None, **headers):
    request = urllib.request.Request(server.endpoint + path, method=method, data=body,
                                     headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def is_gone(server, session):
    return status_of(server, "PATCH", session["session"], b"a=end-of-candidates\r\n",
                     Content_Type="application/trickle-ice-sdpfrag", If_Match=session["etag"]) == 404


def check_recording(server, directory, stream, codec):
    fragments = server.fragments(stream)
    check(len(fragments) >= 3, f"{stream}: {fragments}")
    for one, other in zip(fragments, fragments[1:]):
        gap = seconds_of(other["start"]) - seconds_of(one["end"])
        check(abs(gap) <= GAP_MAX_S, f"{stream}: {gap} s between {one} and {other}")
    check(not any(fragment["damaged"] for fragment in fragments), fragments)
    check(all(fragment["independent"] for fragment in fragments), fragments)
    # Key frames come when they are asked for: every 2 s.
    check(all(seconds_of(f["end"]) - seconds_of(f["start"]) < 4 for f in fragments), fragments)
    file = directory / f"{stream}.mkv"
    done = server.cli("export", stream, "--start", fragments[0]["start"], "--end", fragments[-2]["end"], "-o", file)
    check(done.returncode == 0, done.stderr)
    run("ffmpeg", "-v", "error", "-xerror", "-i", file, "-f", "null", "-")
    packets = run("ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time", "-of", "csv=p=0", file).stdout
    times = sorted(float(time) for time in packets.replace(",", " ").split())
    longest = max(other - one for one, other in zip(times, times[1:]))
    check(longest <= GAP_MAX_S, f"{stream}: {longest} s without a picture")
    streams = json.loads(run("ffprobe", "-v", "error", "-show_streams", "-of", "json", file).stdout)["streams"]
    check([each["codec_name"] for each in streams] == [codec, "opus"], streams)


def check_watching(browser, watching):
    for each in watching:
        shown = wait_for("pictures", lambda: (seen := browser.stats(each)).get("video", {}).get("frames", 0) > 20 and seen)
        check(shown["width"] == 640, shown)
        wait_for("more pictures", lambda: browser.stats(each)["video"]["frames"] > shown["video"]["frames"] + 20)
        wait_for("sound", lambda: browser.stats(each).get("audio", {}).get("frames", 0) > 0)


def check_edges(server, browser, session):
    path = session["session"]
    fragment = {"Content_Type": "application/trickle-ice-sdpfrag"}
    empty = b"a=end-of-candidates\r\n"
    sdp = {"Content_Type": "application/sdp"}
    for expected, got in {
            "415 for an offer that is JSON": status_of(server, "POST", "/whip/x", b"{}", Content_Type="application/json"),
            "415 for an offer to watch that is JSON": status_of(server, "POST", "/whep/x", b"{}", Content_Type="text/plain"),
            "400 for no SDP": status_of(server, "POST", "/whip/x", b"hello", **sdp),
            "400 for an SDP without media": status_of(server, "POST", "/whip/x", b"v=0\r\ns=-\r\n", **sdp),
            "406 for a data channel alone": status_of(server, "POST", "/whip/x", DATA_CHANNEL_ALONE.encode(), **sdp),
            "404 for a stream that there is not": status_of(server, "POST", "/whep/x", DATA_CHANNEL_ALONE.encode(), **sdp),
            "428 without an ETag": status_of(server, "PATCH", path, empty, **fragment),
            "412 for a stale ETag": status_of(server, "PATCH", path, empty, If_Match='"0"', **fragment),
            "422 for an ICE restart": status_of(server, "PATCH", path, empty, If_Match="*", **fragment),
            "415 for candidates that are JSON": status_of(server, "PATCH", path, b"{}", Content_Type="application/json"),
            "400 for candidates that are none": status_of(server, "PATCH", path, b"?", If_Match=session["etag"], **fragment),
            "204 for the end of candidates": status_of(server, "PATCH", path, empty, If_Match=session["etag"], **fragment),
            "404 for a session of another stream": status_of(server, "DELETE", path.replace("/front/", "/side/")),
            "404 for a session that there is not": status_of(server, "DELETE", "/whip/front/0123"),
            "405 for looking at it": status_of(server, "GET", path),
            "200 for asking what is possible": status_of(server, "OPTIONS", "/whip/front", Origin=server.endpoint),
    }.items():
        check(got == int(expected.split()[0]), f"{expected}: {got}")
    # None of this made a stream, or disturbed the publisher.
    check([each["name"] for each in server.get("/v1/streams")["streams"]] == ["front", "side"], server.get("/v1/streams"))
    check(browser.stats(session)["state"] == "connected", browser.stats(session))


def check_take_over(server, browser, session):
    newer = browser.publish("front")
    wait_for("the older publisher's end", lambda: is_gone(server, session))
    before = server.fragments("front")
    wait_for("the newer one's fragments", lambda: len(server.fragments("front")) > len(before) + 1)
    fragments = server.fragments("front")
    runs = sorted({fragment["run"] for fragment in fragments})
    check(len(runs) == 2, fragments)
    last = max(seconds_of(f["end"]) for f in fragments if f["run"] == runs[0])
    first = min(seconds_of(f["start"]) for f in fragments if f["run"] == runs[1])
    check(first - last < 2, f"{first - last} s without footage")
    browser.close(session)
    return newer


def check_camera_takes_it(server, browser):
    """A camera goes before a publisher, whose end is then no gap of its own."""
    session = browser.publish("yard")
    wait_for("the publisher's fragments", lambda: status_of(server, "GET", "/v1/streams/yard") == 200
             and len(server.fragments("yard")) > 0)
    server.put_camera("yard", "rtsp://127.0.0.1:9/", stream="yard")
    wait_for("the publisher's end", lambda: is_gone(server, session))
    intervals = server.get("/v1/streams/yard/coverage")["intervals"]
    check(not any(each.get("detail") == "the publisher is gone" for each in intervals), intervals)
    browser.close(session)
    check(status_of(server, "DELETE", "/v1/cameras/yard?footage=purge") == 200, "the camera stays")


def check_stream_is_made_again(server, browser):
    """Who watches a stream that is deleted is told; who watches the next one of its name sees it."""
    for _ in range(2):
        session = browser.publish("brief")
        wait_for("brief live", lambda: status_of(server, "GET", "/v1/streams/brief") == 200
                 and server.get("/v1/streams/brief")["live"])
        watching = browser.watch("brief")
        check_watching(browser, [watching])
        check(status_of(server, "DELETE", "/v1/streams/brief") == 200, "the stream stays")
        for each in (session, watching):
            wait_for("the session's end", lambda: is_gone(server, each))
            browser.close(each)


def check_connects(server, browser):
    def connect():
        session = browser.publish("again")
        watching = None
        wait_for("frames", lambda: browser.stats(session).get("video", {}).get("frames", 0) > 0)
        if server.get("/v1/streams/again")["live"]:
            watching = browser.watch("again")
        for each in [session, watching]:
            if each is None:
                continue
            check(status_of(server, "DELETE", each["session"]) == 200, each)
            check(is_gone(server, each), each)
            browser.close(each)

    def threads_are(count):
        return lambda: server.resources().threads <= count

    connect()
    wait_for("quiet", lambda: not any(name in server.thread_names() for name in ("rtpsession", "nicesrc")))
    before = server.resources()
    for _ in range(CONNECTS):
        connect()
    wait_for(f"{before} again, not {server.resources()}", threads_are(before.threads))
    after = server.resources()
    check(after.memory_mib - before.memory_mib <= 4 + CONNECTS // 2, f"{before} became {after}")
    check(after.descriptors <= before.descriptors + 2, f"{before} became {after}")


def test(directory):
    (directory / "webrtc.yaml").write_text('webrtc: {silence_timeout_s: 2, ports: 30000-60000}\n')
    server = Server(directory, "--config", directory / "webrtc.yaml")
    browser = WhipBrowser(directory, server.endpoint)
    try:
        front = browser.publish("front", "h264")
        side = browser.publish("side", "vp8")
        for name in ("front", "side"):
            wait_for(f"{name} live", lambda: server.get(f"/v1/streams/{name}")["live"])
        watching = [browser.watch(name) for name in ("front", "side")]
        check_watching(browser, watching)
        wait_for("four fragments", lambda: all(len(server.fragments(name)) >= 4 for name in ("front", "side")), 60)
        check_recording(server, directory, "front", "h264")
        check_recording(server, directory, "side", "vp8")
        check_edges(server, browser, front)
        newer = check_take_over(server, browser, front)
        check_watching(browser, watching[:1])  # who watches notices nothing but a moment
        check(status_of(server, "DELETE", side["session"]) == 200, side)
        wait_for("the stream's end", lambda: not server.get("/v1/streams/side")["live"])
        browser.close(newer)
        wait_for("the publisher that vanished is noticed", lambda: is_gone(server, newer))
        for each in (side, *watching):
            browser.close(each)
        check_camera_takes_it(server, browser)
        check_stream_is_made_again(server, browser)
        check_connects(server, browser)
        browser.end()
        check(server.terminate() == 0, "the server did not end well")
    finally:
        browser.kill()
        server.kill()


harness.main(test)
