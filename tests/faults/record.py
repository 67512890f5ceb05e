"""Records all scenarios of the fault matrix at once, and keeps what it saw for check.py: record.py DIRECTORY.

One server, one camera simulator, a camera for each scenario. Fails only where the server or the simulator does: how the
recordings came out is for the judges to say.
"""
import contextlib
import json
import pathlib
import shutil
import sys
import time
import urllib.error
import urllib.parse

import clocks  # noqa: F401
import media  # noqa: F401
import sessions  # noqa: F401
from matrix import SCENARIOS, SECONDS, VARIANTS

from harness import CameraSim, Server, check, wait_for

START_SECONDS = 25  # within which a camera that can is recorded; after it the clock runs without


class Watched:
    def __init__(self, number, scenario):
        self.number = number
        self.scenario = scenario
        self.started = time.time()
        self.first_frame = None
        self.stopped = None
        self.samples = []
        self.commands = sorted(scenario.commands)

    def since_first_frame(self, now):
        if not self.scenario.records:
            return now - self.started
        return now - self.first_frame if self.first_frame is not None else now - self.started - START_SECONDS

    def see(self, now, camera):
        self.samples.append({"at": now, **camera})
        if self.first_frame is None and camera["state"] == "recording":
            self.first_frame = now


def record(sim, server, watched):
    by_name = {each.scenario.name: each for each in watched}

    def look():
        cameras = server.get("/v1/cameras")["cameras"]
        now = time.time()
        for camera in cameras:
            by_name[camera["name"]].see(now, camera)
        for each in watched:
            while each.commands and each.since_first_frame(now) >= each.commands[0][0]:
                sim.tell(each.commands.pop(0)[1].format(n=each.number))
        return all(each.since_first_frame(now) >= SECONDS for each in watched)

    wait_for("every camera's time to be over", look, START_SECONDS + SECONDS + 60, every=0.25)


def stop(sim, server, watched):
    """Switches the cameras off, so that their last fragments are closed."""
    for each in watched:
        each.stopped = time.time()
        server.put_camera(each.scenario.name, sim.url(each.number), enabled=False)


def keep(server, watched, directory):
    for each in watched:
        name = each.scenario.name
        runs = {}
        for fragment in server.fragments(name):
            runs.setdefault(fragment["run"], []).append(fragment)
        files = []
        for number, fragments in sorted(runs.items()):
            query = urllib.parse.urlencode({"format": "mkv", "start": fragments[0]["start"], "end": fragments[-1]["end"]})
            try:
                media = server.get_bytes(f"/v1/streams/{name}/export?{query}")
                files.append(f"{name}-{number}.mkv")
                (directory / files[-1]).write_bytes(media)
            except urllib.error.HTTPError as error:
                files.append(f"! {error} {error.read().decode(errors='replace')}")
        start, end = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for at in (each.started - 60, each.stopped + 60))
        coverage = server.get(f"/v1/streams/{name}/coverage?start={start}&end={end}")["intervals"]
        (directory / f"{name}.json").write_text(json.dumps({
            "samples": each.samples, "started": each.started, "first_frame": each.first_frame, "stopped": each.stopped,
            "runs": [runs[number] for number in sorted(runs)], "files": files, "coverage": coverage}))


def main():
    directory = pathlib.Path(sys.argv[1])
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    options = ["--cameras", str(len(SCENARIOS)), "--width", "224", "--height", "128", "--fps", "25", "--gop", "25", "--bitrate",
               "200", "--duration", "10", "--report-interval", "1", "--dump", str(directory / "clip-main.mkv")]
    for name, keys in VARIANTS.items():
        options += ["--variant", f"{name}:{keys},dump={directory / f'clip-{name}.mkv'}"]
    for number, scenario in enumerate(SCENARIOS.values(), 1):
        for fault in scenario.faults:
            options += ["--fault", f"{fault}@{number}"]
    with contextlib.ExitStack() as stack:
        sim = CameraSim(directory, *options)
        stack.callback(sim.kill)
        (directory / "millrace.yaml").write_text("log: {level: info}\n")  # the limits of cameras as they are
        server = Server(directory, "--config", directory / "millrace.yaml")
        stack.callback(server.kill)
        watched = []
        for number, scenario in enumerate(SCENARIOS.values(), 1):
            watched.append(Watched(number, scenario))
            server.put_camera(scenario.name, sim.url(number), **scenario.settings)
        record(sim, server, watched)
        stop(sim, server, watched)
        keep(server, watched, directory)
        check(server.terminate() == 0, "the server did not end with 0 after SIGTERM")
    shutil.rmtree(directory / "data", ignore_errors=True)


main()
