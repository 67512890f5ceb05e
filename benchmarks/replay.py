#!/usr/bin/env python3
"""How fast the past is analysed: `millrace replay` over recorded footage, against a bare decoding of the same pictures.

    benchmarks/replay.py [--minutes 10] [--cameras 2] [--rounds 3] [--json FILE]

  motion     5 pictures a second are analysed; every frame is decoded
  thumbnails key frames alone

Footage: 1080p25 H.264, 4 Mbit/s, a key frame every 2 s, in a server's log. Floor: as many ffmpeg processes as there are cores, each with
one thread, that decode the same frames and scale them to the analyzer's size, from a file. Figures: hours of one camera's footage an
hour of the clock, and of CPU (of the replay and its server, or of the floor). All on loopback; rounds take turns, medians are told.
"""
import argparse
import json
import os
import pathlib
import resource
import subprocess
import tempfile
import time

from servers import BUILD, ROOT, cpu_seconds, median_of, millrace, show
from video import SETTINGS, write_footage
from video_clients import FRAGMENT_MS, make_clip

# The analyzer's own default frames, and what ffmpeg decodes of them.
ANALYZERS = {"motion": ([], "fps=5,scale=320:-2,format=gray"), "thumbnails": (["-skip_frame", "nokey"], "scale=320:-2")}


def children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def figures(hours, seconds, cpu):
    return {"camera_hours_an_hour": hours / (seconds / 3600), "camera_hours_a_cpu_hour": hours / (cpu / 3600)}


def replay(address, pid, analyzer, cameras, number, hours):
    command = [BUILD / "millrace", "--endpoint", f"http://{address}", "replay", *cameras, "--analyzer", analyzer, "--jobs", os.cpu_count(),
               "--from", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 7 * 3600)),
               "--output", f"replayed-{analyzer}-{number}"]
    before, own, started = children_cpu(), cpu_seconds(pid), time.monotonic()
    subprocess.run(list(map(str, command)), check=True, timeout=1200, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.monotonic() - started
    return figures(hours, seconds, children_cpu() - before + cpu_seconds(pid) - own)


def floor(clip, analyzer, minutes, cameras):
    options, filters = ANALYZERS[analyzer]
    jobs = os.cpu_count()
    each = minutes * 60 * cameras / jobs
    command = ["ffmpeg", "-v", "error", "-nostdin", "-threads", "1", *options, "-stream_loop", "-1", "-t", f"{each}", "-i", str(clip),
               "-an", "-vf", filters, "-f", "null", "-"]
    before, started = children_cpu(), time.monotonic()
    running = [subprocess.Popen(command) for _ in range(jobs)]
    if any(process.wait(1200) for process in running):
        raise SystemExit("ffmpeg failed")
    return figures(minutes * cameras / 60, time.monotonic() - started, children_cpu() - before)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--cameras", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    results = {"load_average_at_start": os.getloadavg()[0]}
    cameras = [f"camera{number}" for number in range(arguments.cameras)]
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="millrace-replay-", dir=ROOT / "build") as base:
        directory = pathlib.Path(base)
        clip = directory / "clip.mkv"
        make_clip(clip, "1920x1080", 25, 4000, 10)
        for camera in cameras:
            write_footage(directory, camera, clip, arguments.minutes * 60_000 // FRAGMENT_MS)
        with millrace(directory, **SETTINGS) as (address, pid):
            for analyzer in ANALYZERS:
                ours, bare = [], []
                for number in range(arguments.rounds):
                    ours.append(replay(address, pid, analyzer, cameras, number, arguments.minutes * arguments.cameras / 60))
                    bare.append(floor(clip, analyzer, arguments.minutes, arguments.cameras))
                ours, bare = median_of(ours), median_of(bare)
                results[analyzer] = {"millrace": ours, "ffmpeg": bare,
                                     **{f"{name} ratio": round(ours[name] / bare[name], 3) for name in ours}}
                show(analyzer, results[analyzer])
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
