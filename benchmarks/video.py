#!/usr/bin/env python3
"""Video streams under load: producers, readers and players, each against a floor or a peer of the same run.

    benchmarks/video.py [--seconds 5] [--rounds 3] [--only put,beside,get,hls,cold,list] [--json FILE]

  put    PutMedia of 1 and 50 producers, acknowledged when it is on the disk, against raw append + fdatasync of the same bytes
  beside from a fragment's last byte to PERSISTED, alone and beside producers and readers that misbehave
  get    GetMedia from the oldest fragment on, 1 and 4 readers, against nginx and a file of the same bytes
  hls    segments from the cache, against nginx and files of the same bytes
  cold   the first segment of an hour of footage, by a server that was just started and with nothing in the page cache
  list   ListFragments over a month of fragments of 2 s

Footage: 1080p25 H.264, 4 Mbit/s, a key frame every 2 s (1 MB a fragment); for `list` a small one. All on loopback. "a core" is by
the CPU time (user and system) that the kernel charged the server, which suffers less than rates where other work shares the
machine. Rounds take turns, and medians are told.
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import tempfile
import threading
import time

from servers import BUILD, ROOT, cpu_seconds_fine, finish, median_of, millrace, show, wait_for
from video_clients import (FRAGMENT_MS, begin_put, call, connect, fetch_all, get, in_parallel, make_clip, media_request, put,
                           put_steadily, raw_until_idle, read_raw)

MB = 1_000_000
DAY_S = 24 * 3600
SETTINGS = {"storage": {"free_min_mib": 0, "free_min_percent": 0}}


def charged(pid, work):
    """What `work()` gives, the seconds it took, and the CPU of the process meanwhile."""
    before, started = cpu_seconds_fine(pid), time.monotonic()
    given = work()
    return given, time.monotonic() - started, cpu_seconds_fine(pid) - before


def rates(size, seconds, cpu):
    return {"mb_per_s": size / MB / seconds, "mb_per_cpu_s": size / MB / cpu}


def against(ours, theirs, *figures):
    return {f"{name} ratio": round(ours[name] / theirs[name], 3) for name in figures}


def write_footage(directory, stream, clip, fragments, until=None):
    """Into the data directory, with no server on it."""
    command = [BUILD / "benchmarks" / "footage_writer", "--data-dir", directory / "data", "--stream", stream, "--mkv", clip,
               "--fragments", fragments, *(["--until", until] if until else [])]
    subprocess.run(list(map(str, command)), check=True, timeout=300, stdout=subprocess.DEVNULL)


def forget_pages(directory):
    """The page cache keeps nothing of the files below."""
    for file in directory.rglob("*"):
        if file.is_file():
            handle = os.open(file, os.O_RDONLY)
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


@contextlib.contextmanager
def nginx(directory, root):
    """Serves the files below `root`: (address, pid)."""
    place = directory / "nginx"
    place.mkdir(exist_ok=True)
    temporary = "".join(f"{kind}_temp_path {place}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    address = "127.0.0.1:14570"
    # sendfile and tcp_nopush as Debian's configuration has them.
    (place / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {place}/pid; error_log {place}/error.log; events {{ worker_connections 512; }}"
        f"http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; {temporary}"
        f"server {{ listen {address}; root {root}; location /copied/ {{ sendfile off; alias {root}/; }} }} }}")
    binary = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    process = subprocess.Popen([binary, "-c", place / "nginx.conf", "-p", place], stdin=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        wait_for("nginx", lambda: get(address, "/ready") == b"ready")
        yield address, process.pid
    finally:
        finish(process)


def serve_files(directory, files):
    root = directory / "files"
    root.mkdir()
    (root / "ready").write_bytes(b"ready")
    for name, data in files.items():
        (root / name).write_bytes(data)
    return root


def raw_append(directory, body, producers, each):
    """The floor: each producer appends to a file of its own and syncs after each fragment; from buffers that take turns, as
    what comes from a network is not in the processor's cache for ever."""
    buffers = [os.urandom(len(body)) for _ in range(64)]

    def produce(i):
        handle = os.open(directory / f"raw-{i}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for n in range(each):
            os.write(handle, buffers[(i + n) % len(buffers)])
            os.fdatasync(handle)
        os.close(handle)

    before, started = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    in_parallel(producers, produce)
    after, seconds = resource.getrusage(resource.RUSAGE_SELF), time.monotonic() - started
    for i in range(producers):
        (directory / f"raw-{i}").unlink()
    return rates(len(body) * producers * each, seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def parts_of(clip):
    """What stands before the first Cluster, and the Clusters."""
    cluster = b"\x1f\x43\xb6\x75"
    head, *bodies = clip.path.read_bytes().split(cluster)
    return head, [cluster + one for one in bodies]


def put_media(arguments, directory, clip):
    head, bodies = parts_of(clip)
    result = {}
    for producers in (1, 50):
        each = max(2, int(arguments.seconds * 100 / producers))
        size = producers * sum(len(bodies[i % len(bodies)]) for i in range(each))
        rounds = {"millrace": [], "raw": []}
        for number in range(arguments.rounds):
            with millrace(directory, **SETTINGS) as (address, pid):
                for i in range(producers):
                    call(address, "/createStream", StreamName=f"p{producers}-{number}-{i}", DataRetentionInHours=24)
                _, seconds, cpu = charged(pid, lambda: in_parallel(
                    producers, lambda i: put(address, f"p{producers}-{number}-{i}", head, bodies, each)))
                rounds["millrace"].append(rates(size, seconds, cpu))
            shutil.rmtree(directory / "data")
            rounds["raw"].append(raw_append(directory, bodies[0], producers, each))
        figures = {name: median_of(of) for name, of in rounds.items()}
        figures["against raw"] = against(figures["millrace"], figures["raw"], "mb_per_s", "mb_per_cpu_s")
        result[f"{producers} producers"] = figures
    return result


@contextlib.contextmanager
def misbehaving(address, head, bodies, count=12):
    """As many readers that read nothing, as many producers that stop within a fragment, and one that dies in it again and again."""
    for name in ("big", "dies", *(f"stops-{i}" for i in range(count))):
        call(address, "/createStream", StreamName=name, DataRetentionInHours=24)
    put(address, "big", head, bodies, 60)
    half = bodies[0][:len(bodies[0]) // 2]
    half = b"%x\r\n" % len(half) + half + b"\r\n"
    over = threading.Event()

    def die():
        while not over.wait(0.02):
            with begin_put(address, "dies", head) as link:
                link.sendall(half)

    with contextlib.ExitStack() as open_links:
        for i in range(count):
            open_links.enter_context(connect(address)).sendall(media_request(address, "big"))
            open_links.enter_context(begin_put(address, f"stops-{i}", head)).sendall(half)
        dying = threading.Thread(target=die)
        dying.start()
        try:
            yield
        finally:
            over.set()
            dying.join()


def beside(arguments, directory, clip):
    head, bodies = parts_of(clip)
    ways = {"alone": contextlib.nullcontext, "beside": lambda address: misbehaving(address, head, bodies)}
    taken = {way: [] for way in ways}
    for _ in range(arguments.rounds):
        for way, others in ways.items():
            with millrace(directory, **SETTINGS) as (address, _):
                call(address, "/createStream", StreamName="steady", DataRetentionInHours=24)
                with others(address):
                    taken[way] += put_steadily(address, "steady", head, bodies, arguments.seconds)
            shutil.rmtree(directory / "data")
    result = {}
    for way, of in taken.items():
        of.sort()
        result[way] = {"fragments": len(of), "p50_ms": round(statistics.median(of), 2), "p99_ms": round(of[int(len(of) * 0.99)], 2)}
    return {**result, "against alone": against(result["beside"], result["alone"], "p50_ms", "p99_ms")}


def get_media(arguments, directory, clip):
    write_footage(directory, "footage", clip.path, int(arguments.seconds * 100))
    result = {}
    with millrace(directory, **SETTINGS) as (address, pid):
        request = media_request(address, "footage")
        body = raw_until_idle(address, request)  # and everything is in the page cache
        with nginx(directory, serve_files(directory, {"footage": body})) as (peer, peer_pid):
            of_file, copied = (f"GET /{path} HTTP/1.1\r\nHost: {peer}\r\n\r\n".encode() for path in ("footage", "copied/footage"))
            ways = (("millrace", address, request, pid), ("nginx", peer, of_file, peer_pid),
                    ("nginx without sendfile", peer, copied, peer_pid))
            for readers in (1, 4):
                rounds = {name: [] for name, *_ in ways}
                for _ in range(arguments.rounds):
                    for name, where, asked, process in ways:
                        _, seconds, cpu = charged(process, lambda: in_parallel(
                            readers, lambda _, where=where, asked=asked: read_raw(where, asked, len(body))))
                        rounds[name].append(rates(readers * len(body), seconds, cpu))
                figures = {name: median_of(of) for name, of in rounds.items()}
                for name in ("nginx", "nginx without sendfile"):
                    figures[f"against {name}"] = against(figures["millrace"], figures[name], "mb_per_s", "mb_per_cpu_s")
                result[f"{readers} readers"] = figures
    return result


def segments_of(address, stream, query=""):
    """The paths of a playlist's init segment and of its segments."""
    playlist = get(address, f"/hls/{stream}/media.m3u8{query}").decode()
    init = re.search(r'EXT-X-MAP:URI="([^"]+)"', playlist)[1]
    return f"/hls/{stream}/{init}", [f"/hls/{stream}/{line}" for line in playlist.splitlines() if line and line[0] != "#"]


def hls(arguments, directory, clip):
    count = 60  # of about 1 MB: less than the cache holds
    write_footage(directory, "footage", clip.path, count)
    with millrace(directory, **SETTINGS) as (address, pid):
        start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - DAY_S))
        _, paths = segments_of(address, "footage", f"?start={start}")
        files = {f"{i}.m4s": get(address, path) for i, path in enumerate(paths)}
        with nginx(directory, serve_files(directory, files)) as (peer, peer_pid):
            rounds = {"millrace": [], "nginx": []}
            for _ in range(arguments.rounds):
                for name, where, of, process in (("millrace", address, paths, pid),
                                                 ("nginx", peer, [f"/{file}" for file in files], peer_pid)):
                    (answers, size, seconds), _, cpu = charged(
                        process, lambda where=where, of=of: fetch_all(where, of, 8, arguments.seconds))
                    rounds[name].append({"segments_per_s": answers / seconds, "segments_per_cpu_s": answers / cpu,
                                         **rates(size, seconds, cpu)})
    figures = {name: median_of(of) for name, of in rounds.items()}
    figures["against nginx"] = against(figures["millrace"], figures["nginx"], "segments_per_s", "segments_per_cpu_s")
    return figures


def cold(arguments, directory, clip):
    hour = 3600 * 1000 // FRAGMENT_MS
    write_footage(directory, "footage", clip.path, hour)
    start, end = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + at)) for at in (-4500, 60))
    query, taken = f"?start={start}&end={end}", []
    for _ in range(arguments.rounds):
        forget_pages(directory)
        with millrace(directory, **SETTINGS) as (address, _):
            times = [time.monotonic()]

            def lap():
                times.append(time.monotonic())

            get(address, f"/hls/footage/index.m3u8{query}")
            lap()
            init, paths = segments_of(address, "footage", query)
            lap()
            get(address, init)
            lap()
            get(address, paths[0])
            lap()
            laps = [1000 * (after - before) for before, after in zip(times, times[1:])]
            taken.append({"multivariant_ms": laps[0], "media_playlist_ms": laps[1], "init_ms": laps[2], "segment_ms": laps[3],
                          "all_ms": sum(laps), "segments": len(paths)})
    return median_of(taken)


def list_fragments(arguments, directory, clip):
    month = 30 * DAY_S * 1000 // FRAGMENT_MS
    started = time.monotonic()
    write_footage(directory, "month", clip.small, month)
    result = {"fragments": month, "written_in_s": round(time.monotonic() - started, 1)}
    with millrace(directory, **SETTINGS) as (address, pid):
        for kind in ("PRODUCER_TIMESTAMP", "SERVER_TIMESTAMP"):
            selector = {"FragmentSelectorType": kind, "TimestampRange": {"StartTimestamp": time.time() - 40 * DAY_S,
                                                                         "EndTimestamp": time.time() + DAY_S}}
            pages, members = [], {"FragmentSelector": selector}
            before, until = cpu_seconds_fine(pid), time.monotonic() + 2 * arguments.seconds
            while time.monotonic() < until:
                began = time.monotonic()
                page = call(address, "/listFragments", StreamName="month", MaxResults=1000, **members)
                pages.append(1000 * (time.monotonic() - began))
                members = {"NextToken": page["NextToken"]} if page.get("NextToken") else {"FragmentSelector": selector}
            pages.sort()
            result[kind] = {"pages": len(pages), "p50_ms": round(statistics.median(pages), 2),
                            "p99_ms": round(pages[int(len(pages) * 0.99)], 2),
                            "cpu_ms_a_page": round(1000 * (cpu_seconds_fine(pid) - before) / len(pages), 2)}
    return result


PARTS = {"put": put_media, "beside": beside, "get": get_media, "hls": hls, "cold": cold, "list": list_fragments}


class Clip:
    """Made for this run alone."""

    def __init__(self, directory):
        self.path, self.small = directory / "clip.mkv", directory / "small.mkv"
        make_clip(self.path, "1920x1080", 25, 4000, 10)
        make_clip(self.small, "64x64", 1, 4, 10)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="parts, with commas between: " + ",".join(PARTS))
    parser.add_argument("--json")
    arguments = parser.parse_args()
    results = {"load_average_at_start": os.getloadavg()[0]}
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="millrace-video-", dir=ROOT / "build") as base:
        clip = Clip(pathlib.Path(base))
        for name in arguments.only.split(",") if arguments.only else PARTS:
            directory = pathlib.Path(base) / name
            directory.mkdir()
            results[name] = PARTS[name](arguments, directory, clip)
            shutil.rmtree(directory)
            show(name, results[name])
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
