#!/usr/bin/env python3
"""Delay, CPU and memory of publishing and watching by WebRTC, against bare GStreamer elements in the same run, on loopback.

delay      from a picture that is drawn in a browser to the same picture shown in it: the time is burnt into the pictures and read back.
           Directly from the browser to itself, which is the floor of it; over `millrace serve`, recording.
publisher  what one more WHIP publisher costs: (N + 1 publishers - 1 publisher) / N, of 2 Mbit/s H.264 at 25 fps each.
viewer     what one more WHEP viewer of the first publisher's stream costs, of 50.

CPU is what the kernel charged the server (user + system time), as a share of one core; memory is its proportional share (PSS).
The peers are webrtc-sim's. webrtc_floor is webrtcbin ! rtph264depay ! h264parse ! rtph264pay ! webrtcbin, which records nothing.

    benchmarks/webrtc.py [--only delay] [--publishers 8] [--viewers 50] [--seconds 15] [--json FILE]
"""
import argparse
import contextlib
import json
import os
import pathlib
import queue
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

from servers import BUILD, ROOT, cpu_seconds, finish, memory_mib, millrace, show, wait_for

BITRATE_KBPS = 2000
DELAY_AIM_MS = 150
CONNECTING_MAX = 4


class Talker:
    """A program that is told and tells JSON, a line each. It ends when its input does."""

    def __init__(self, stack, command, log, **environment):
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=open(log, "ab"), text=True, env={**os.environ, **environment})
        self.log = log
        stack.callback(self._end)
        self.said = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.process.stdout:
            self.said.put(line)
        self.said.put("")

    def _end(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        finish(self.process)

    def _fail(self, why):
        sys.exit(f"{self.process.args[0]} {why}\n{pathlib.Path(self.log).read_text()[-2000:]}")

    def hear(self, seconds=60):
        try:
            line = self.said.get(timeout=seconds)
        except queue.Empty:
            self._fail(f"said nothing for {seconds} s")
        said = json.loads(line) if line else self._fail("ended")
        return said if "failed" not in said and "trouble" not in said else self._fail(said)

    def tell(self, **message):
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self._fail("ended")

    def ask(self, **message):
        self.tell(**message)
        return self.hear()


class Floor:
    name = "floor"

    def __init__(self, stack, directory):
        self.talker = Talker(stack, [BUILD / "benchmarks" / "webrtc_floor"], directory / "floor.log")
        self.pid, self.peers = self.talker.process.pid, 0

    def _answer(self, role, offer):
        payload_type = int(re.search(r"a=rtpmap:(\d+) H264/90000", offer)[1])
        answer = self.talker.ask(peer=self.peers, **{role: offer}, payload_type=payload_type)["answer"]
        self.peers += 1
        return answer

    def publish(self, _, offer):
        return self._answer("publish", offer)

    def watch(self, _, offer):
        return self._answer("watch", offer)


class Millrace:
    name = "millrace"

    def __init__(self, stack, directory):
        settings = {"publishers_max": 1000, "viewers_max": 1000, "addresses": ["127.0.0.1"]}
        self.endpoint, self.pid = stack.enter_context(millrace(directory, webrtc=settings))

    def _post(self, path, offer):
        request = urllib.request.Request(f"http://{self.endpoint}{path}", method="POST", data=offer.encode(),
                                         headers={"Content-Type": "application/sdp"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    def publish(self, stream, offer):
        return self._post(f"/whip/{stream}", offer)

    def watch(self, stream, offer):
        return self._post(f"/whep/{stream}", offer)


def with_patience(connect, seconds=30):
    """A stream can be watched once its first key frame is there."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return connect()
        except urllib.error.HTTPError as error:
            if error.code not in (404, 409) or time.monotonic() > deadline:
                sys.exit(f"{error.code}: {error.read().decode()}")
            time.sleep(0.2)


def percentiles(delays):
    if len(delays) < 20:
        sys.exit(f"only {len(delays)} pictures were read")
    ordered = sorted(delays)
    return {f"p{p}_ms": ordered[min(len(ordered) - 1, len(ordered) * p // 100)] for p in (50, 95, 99)} | {"max_ms": ordered[-1]}


def measure_delay(directory, seconds):
    results = {}
    modules = BUILD / "tests" / "console" / "packages"
    script = pathlib.Path(__file__).with_name("webrtc_delay.mjs")
    with contextlib.ExitStack() as stack:
        server = Millrace(stack, directory)
        browser = Talker(stack, ["node", script, f"http://{server.endpoint}"], directory / "browser.log",
                         MILLRACE_TEST_MODULES=os.environ.get("MILLRACE_TEST_MODULES", str(modules)))
        browser.hear(120)
        for way in ("direct", "millrace"):
            if way == "direct":
                peer = browser.ask(do="direct")["peer"]
            else:
                offer = browser.ask(do="publish")
                browser.ask(do="answer", peer=offer["peer"], sdp=server.publish("delay", offer["sdp"]))
                offer = browser.ask(do="watch")
                peer = offer["peer"]
                answer = with_patience(lambda: server.watch("delay", offer["sdp"]))
                browser.ask(do="answer", peer=peer, sdp=answer)
            browser.ask(do="measure", peer=peer, seconds=5)  # bit rate and jitter buffer settle
            browser.tell(do="measure", peer=peer, seconds=seconds)
            seen = browser.hear(seconds + 60)
            results[way] = {
                **percentiles(seen["delays_ms"]), "fps": seen["fps"], "unreadable": seen["unreadable"],
                "jitter_buffer_ms": seen["jitter_buffer_ms"]}
            browser.ask(do="close")
    results["meets_aim"] = results["millrace"]["p50_ms"] < DELAY_AIM_MS
    return results


def sample(pid, seconds):
    before, started = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return {"cpu": (cpu_seconds(pid) - before) / (time.monotonic() - started), "mib": memory_mib(pid),
            "threads": len(os.listdir(f"/proc/{pid}/task"))}


def connect(talker, count, answer_of):
    """Carries the offers of `count` peers, in their order, and waits until all are connected; a few connect at a time."""
    offers = dict(sorted((said["peer"], said["offer"]) for said in (talker.hear() for _ in range(count))))
    for done, (number, offer) in enumerate(offers.items(), 1):
        talker.tell(peer=number, answer=answer_of(number, offer))
        least = count if done == count else done - CONNECTING_MAX
        wait_for(f"{least} connections", lambda: talker.ask(do="stats")["connected"] >= least, 120)


def difference(more, less, count):
    return {"cpu_percent_of_a_core": round(100 * (more["cpu"] - less["cpu"]) / count, 3),
            "mib": round((more["mib"] - less["mib"]) / count, 2),
            "threads": round((more["threads"] - less["threads"]) / count, 1)}


def measure_server(kind, directory, publishers, viewers, seconds):
    def simulate(role, count, *options):
        return Talker(stack, [BUILD / "samples" / "webrtc-sim", role, "--count", count, "--no-audio", *options],
                      directory / f"{kind.name}-{role}.log")

    noise = ("--bitrate", BITRATE_KBPS, "--width", 640, "--height", 360, "--key-frame-every", 50)
    with contextlib.ExitStack() as stack:
        server = kind(stack, directory)
        first = simulate("publish", 1, *noise)
        connect(first, 1, lambda _, offer: server.publish("stream", offer))
        time.sleep(5)
        one = sample(server.pid, seconds)

        more = simulate("publish", publishers, *noise)
        connect(more, publishers, lambda number, offer: server.publish(f"more-{number}", offer))
        time.sleep(5)
        published = sample(server.pid, seconds)

        watchers = simulate("watch", viewers)
        connect(watchers, viewers, lambda _, offer: with_patience(lambda: server.watch("stream", offer)))
        time.sleep(5)
        before = watchers.ask(do="stats")["frames"]
        watched = sample(server.pid, seconds)
        frames = [now - then for now, then in zip(watchers.ask(do="stats")["frames"], before)]
    return {"one publisher": {"cpu_percent_of_a_core": round(100 * one["cpu"], 2), "mib": round(one["mib"], 1), "threads": one["threads"]},
            "a publisher more": difference(published, one, publishers),
            "a viewer more": {**difference(watched, published, viewers),
                              "fps_median": round(statistics.median(frames) / seconds, 1), "fps_least": round(min(frames) / seconds, 1)}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("delay", "cost"))
    parser.add_argument("--publishers", type=int, default=8)
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=15, help="of each measurement")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    results = {}

    def keep(what, value):
        """At once: what was measured stays when a later part fails."""
        results[what] = value
        show(what, value)
        sys.stdout.flush()
        if arguments.json:
            pathlib.Path(arguments.json).write_text(json.dumps(results, indent=1) + "\n")

    with tempfile.TemporaryDirectory(prefix="millrace-bench-", dir=ROOT / "build") as name:
        def place(part):
            made = pathlib.Path(name) / part
            made.mkdir()
            return made

        if arguments.only != "cost":
            keep("delay", measure_delay(place("delay"), arguments.seconds))
        if arguments.only != "delay":
            for kind in (Floor, Millrace):
                keep(kind.name, measure_server(kind, place(kind.name), arguments.publishers, arguments.viewers, arguments.seconds))
            keep("millrace / floor, CPU", {
                what: round(results["millrace"][what]["cpu_percent_of_a_core"] / max(results["floor"][what]["cpu_percent_of_a_core"], 0.001), 2)
                for what in ("one publisher", "a publisher more", "a viewer more")})


if __name__ == "__main__":
    main()
