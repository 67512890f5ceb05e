"""Sound and picture of what a browser publishes are in step in the recording, from its beginning on.

Method: a page draws a bright picture and starts a beep in one turn, each second, and publishes both; in the recording the
times of flashes and beeps are compared. The page itself says by how much its sound comes later than its picture when it hands
them out (a beep waits for the next block of samples): that is its own, and taken off. Opus' look-ahead of 6.5 ms and the 20 ms
of a packet, by which Chromium's sender reports place sound too late, are not. MILLRACE_WEBRTC_SYNC_S: how long (default 12).
"""
import json
import os
import statistics

import harness
from browser import WhipBrowser
from harness import Server, check, run, seconds_of, wait_for

SECONDS = float(os.environ.get("MILLRACE_WEBRTC_SYNC_S", "12"))
STEP_MAX_S = 0.040
LOUD_DB = -25
QUIET_S = 0.1  # before a beep


def frames_of(source, tag):
    """(time, value) of each frame of a lavfi source."""
    done = run("ffprobe", "-v", "error", "-f", "lavfi", "-i", source, "-show_entries", f"frame=pts_time:frame_tags={tag}", "-of", "json")
    return [(float(frame["pts_time"]), float(frame["tags"][tag])) for frame in json.loads(done.stdout)["frames"]]


def flashes(file):
    pictures = frames_of(f"movie={file},signalstats", "lavfi.signalstats.YAVG")
    return [time for (_, before), (time, light) in zip(pictures, pictures[1:]) if before < 128 <= light]


def beeps(file):
    found, quiet_since = [], None
    for time, level in frames_of(f"amovie={file},asetnsamples=n=96:p=0,astats=metadata=1:reset=1", "lavfi.astats.Overall.RMS_level"):
        if level <= LOUD_DB:
            quiet_since = time if quiet_since is None else quiet_since
            continue
        if quiet_since is not None and time - quiet_since > QUIET_S:
            found.append(time)
        quiet_since = None
    return found


def check_step(server, browser, directory, stream, codec):
    session = browser.publish(stream, codec, source="marks")
    wait_for(f"{stream} live", lambda: any(each["name"] == stream and each["live"] for each in server.get("/v1/streams")["streams"]))
    wait_for("enough of it", lambda: (f := server.fragments(stream)) and seconds_of(f[-1]["end"]) - seconds_of(f[0]["start"]) >= SECONDS, 90)
    own = browser.marks(session)
    browser.close(session)
    check(len(own) >= SECONDS / 2, f"the page heard its beeps: {own}")
    own_s = statistics.median(own) / 1000
    fragments = server.fragments(stream)
    check(len({fragment["run"] for fragment in fragments}) == 1, fragments)
    file = directory / f"{stream}.mkv"
    done = server.cli("export", stream, "--start", fragments[0]["start"], "--end", fragments[-1]["end"], "-o", file)
    check(done.returncode == 0, done.stderr)
    heard = beeps(file)
    steps = [min((beep - flash for beep in heard), key=abs) - own_s for flash in flashes(file)]
    steps = [step for step in steps if abs(step) < 0.5]  # the first and the last may have lost their other half
    check(len(steps) >= SECONDS / 2, f"flashes with a beep: {steps}; beeps: {heard}")
    print(f"{codec}: sound less picture, ms: {[round(step * 1000) for step in steps]}; "
          f"median {statistics.median(steps) * 1000:.0f}, the page's own {own_s * 1000:.0f} taken off")
    check(all(abs(step) <= STEP_MAX_S for step in steps), f"{codec}: out of step: {steps}")


def test(directory):
    (directory / "webrtc.yaml").write_text("webrtc: {ports: 30000-60000}\n")
    server = Server(directory, "--config", directory / "webrtc.yaml")
    browser = WhipBrowser(directory, server.endpoint)
    try:
        for codec in ("h264", "vp8"):
            check_step(server, browser, directory, f"marks-{codec}", codec)
        browser.end()
        check(server.terminate() == 0, "the server did not end well")
    finally:
        browser.kill()
        server.kill()


harness.main(test)
