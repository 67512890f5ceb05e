#!/usr/bin/env python3
"""CPU and memory of recording N cameras, against as many bare pipelines in the same run.

The cameras are camera-sim's (1080p25, 4 Mbit/s H.264; `--audio` adds AAC), over RTSP on TCP. The floor is rtsp_floor: rtspsrc !
rtph264depay ! h264parse ! fakesink, one pipeline a camera, in one process. The candidate is `millrace serve`, recording durably.
Both are measured by what the kernel charged the process (user + system time) over the same number of seconds, after all cameras
flow, one after the other, with the simulator running for both.

    benchmarks/cameras.py [--cameras 20 --cameras 100] [--seconds 60] [--json FILE]
    benchmarks/cameras.py --cameras 50 --memory 30       memory of the server alone, minute by minute, for 30 minutes
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

from servers import BUILD, ROOT, cpu_seconds, finish, wait_for


def status_value(pid, path, key):
    for line in pathlib.Path(f"/proc/{pid}/{path}").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return 0


def sample(pid, seconds):
    """CPU over the next `seconds` (as a share of one core), then memory and threads."""
    before, started = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    cpu = (cpu_seconds(pid) - before) / (time.monotonic() - started)
    return {"cpu_cores": round(cpu, 4), **memory(pid)}


def read_ready(process, marker, seconds=300):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        line = process.stdout.readline()
        if not line:
            sys.exit(f"{process.args[0]} ended before it was ready")
        if line.startswith(marker):
            return line.split()
    sys.exit(f"{process.args[0]} was not ready within {seconds} s")


def measure_floor(prefix, count, seconds):
    process = subprocess.Popen([BUILD / "benchmarks" / "rtsp_floor", prefix, str(count)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        flowing = int(read_ready(process, "ready")[1])
        time.sleep(5)
        return {"flowing": flowing, **sample(process.pid, seconds)}
    finally:
        finish(process)


def call(endpoint, method, path, body=None):
    request = urllib.request.Request(endpoint + path, method=method,
                                     data=None if body is None else json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"{}")


def memory(pid):
    return {"pss_mib": round(status_value(pid, "smaps_rollup", "Pss") / 1024, 1),
            "private_mib": round(status_value(pid, "smaps_rollup", "Private_Dirty") / 1024, 1),
            "threads": status_value(pid, "status", "Threads"),
            "descriptors": len(os.listdir(f"/proc/{pid}/fd"))}


def minute_by_minute(pid, minutes):
    """Memory at the start and after each minute."""
    samples = [memory(pid)]
    for _ in range(minutes):
        time.sleep(60)
        samples.append(memory(pid))
    return samples


def measure_millrace(prefix, count, port, measure):
    """`measure` gets the server's process id while all cameras record; its answer is part of ours."""
    data_dir = tempfile.mkdtemp(prefix="millrace-bench-", dir=ROOT / "build")
    endpoint = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([BUILD / "millrace", "serve", "--data-dir", data_dir, "--listen", f"127.0.0.1:{port}"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=open(ROOT / "build" / "cameras-bench.log", "w"))
    try:
        wait_for("the server", lambda: call(endpoint, "GET", "/v1/cameras") is not None, 60)
        for i in range(1, count + 1):
            call(endpoint, "PUT", f"/v1/cameras/cam{i}", {"url": f"{prefix}{i}", "retention_hours": 1})

        def recording():
            return [c for c in call(endpoint, "GET", "/v1/cameras")["cameras"] if c["state"] == "recording"]

        wait_for("all cameras recording", lambda: len(recording()) == count, 300)
        time.sleep(5)
        frames_before, started = sum(c["frames"] for c in call(endpoint, "GET", "/v1/cameras")["cameras"]), time.monotonic()
        result = measure(process.pid)
        seconds = time.monotonic() - started
        frames = sum(c["frames"] for c in call(endpoint, "GET", "/v1/cameras")["cameras"]) - frames_before
        return {"flowing": len(recording()), "frames_per_second_camera": round(frames / seconds / count, 2), **result}
    finally:
        finish(process)
        shutil.rmtree(data_dir, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", type=int, action="append")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--port", type=int, default=14567)
    parser.add_argument("--audio", action="store_true")
    parser.add_argument("--memory", type=int, metavar="MINUTES", help="only the server's memory, minute by minute")
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--bitrate", type=int, default=4000, help="kbit/s")
    parser.add_argument("--json")
    arguments = parser.parse_args()

    width, height = arguments.size.split("x")
    results = []
    for count in arguments.cameras or [20, 100]:
        clip = ROOT / "build" / f"bench-clip-{height}p25-{arguments.bitrate}"
        options = ["--cameras", str(count), "--port", "0", "--width", width, "--height", height, "--fps", "25",
                   "--gop", "50", "--bitrate", str(arguments.bitrate), "--cache", str(clip)]
        if not arguments.audio:
            options.append("--no-audio")
        simulator = subprocess.Popen([BUILD / "samples" / "camera-sim", *options], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            prefix = read_ready(simulator, "camera-sim ready")[2]
            if arguments.memory:
                results.append({"cameras": count, **measure_millrace(
                    prefix, count, arguments.port, lambda pid: {"minutes": minute_by_minute(pid, arguments.memory)})})
                continue
            floor = measure_floor(prefix, count, arguments.seconds)
            ours = measure_millrace(prefix, count, arguments.port, lambda pid: sample(pid, arguments.seconds))
        finally:
            finish(simulator)
        results.append({
            "cameras": count, "seconds": arguments.seconds, "floor": floor, "millrace": ours,
            "cpu_ratio": round(ours["cpu_cores"] / floor["cpu_cores"], 2),
            "memory_above_floor_mib_per_camera": round((ours["pss_mib"] - floor["pss_mib"]) / count, 2),
        })

    if arguments.memory:
        for r in results:
            print(f"{r['cameras']} cameras, {r['frames_per_second_camera']} frames/s each")
            print(f"{'minute':>7} {'MiB':>7} {'private':>8} {'threads':>8} {'descriptors':>12}")
            for minute, one in enumerate(r["minutes"]):
                print(f"{minute:>7} {one['pss_mib']:>7.1f} {one['private_mib']:>8.1f} {one['threads']:>8} {one['descriptors']:>12}")
    else:
        print_table(results)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(results, indent=1) + "\n")


def print_table(results):
    print(f"{'cameras':>8} {'floor CPU':>10} {'CPU':>7} {'ratio':>6} {'floor MiB':>10} {'MiB':>7} {'MiB/camera above':>17} "
          f"{'threads':>8} {'fps':>6}")
    for r in results:
        print(f"{r['cameras']:>8} {r['floor']['cpu_cores']:>10.3f} {r['millrace']['cpu_cores']:>7.3f} {r['cpu_ratio']:>6.2f} "
              f"{r['floor']['pss_mib']:>10.1f} {r['millrace']['pss_mib']:>7.1f} "
              f"{r['memory_above_floor_mib_per_camera']:>17.2f} {r['millrace']['threads']:>8} "
              f"{r['millrace']['frames_per_second_camera']:>6}")


if __name__ == "__main__":
    main()
