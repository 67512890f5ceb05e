"""`millrace replay`, killed or interrupted in its middle and run again: each fragment of the range has its results exactly once, in a
data stream of their own; what it tells, and its exit codes.

Method: two streams of footage that a producer puts (2 minutes each, a fragment a second; two jobs have four slots), replayed by the test
analyzer. Its results are read over the Data Streams protocol while it runs: once there are 30 it is killed.
"""
import json
import os
import re
import signal
import subprocess
import time

from analysis import LIBRARY, results, status_of, video_of
from harness import MILLRACE, Server, check, main, wait_for
from producers import JavaProducer
from video_streams import call, make_media

SECONDS = 120
START_S = 1_763_690_820
STREAMS = ["north", "south"]
OUTPUT = "millrace-replay-test"


def time_text(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


RANGE = ["--from", time_text(START_S), "--to", time_text(START_S + SECONDS)]
WHAT = ["--plugin", LIBRARY, *RANGE]


def put_footage(server, mkv):
    for stream in STREAMS:
        call(server, "/createStream", StreamName=stream, DataRetentionInHours=24 * 3650)
        producer = JavaProducer(server.endpoint, stream, START_S)
        producer.send(mkv.read_bytes())
        producer.end()
        check(len(server.fragments(stream)) == SECONDS, f"{len(server.fragments(stream))} fragments were put")


def seen(server, output=OUTPUT):
    """The fragments that have results, one frame each."""
    records = results(server, output)
    numbers = [(video_of(record)["StreamArn"], video_of(record)["FragmentNumber"]) for record in records]
    check(len(numbers) == len(set(numbers)), f"{len(numbers) - len(set(numbers))} fragments were analysed twice")
    check(all(status_of(record) == "RUNNING" for record in records), "each was analysed")
    return {number for _, number in numbers}


def recorded(server, *streams):
    return {fragment["number"] for stream in streams for fragment in server.fragments(stream)}


def check_refusals(server):
    def refused(code, said, *words, endpoint=server.endpoint):
        done = subprocess.run([MILLRACE, "--endpoint", endpoint, "replay", *words], capture_output=True, text=True, timeout=120)
        check(done.returncode == code and said in done.stderr and not done.stdout, f"{words}: {done}")

    refused(2, "name the streams, or say --all", *WHAT)
    refused(2, "'nobody' is no analyzer: there are ", "north", "--analyzer", "nobody", *RANGE)
    refused(3, "there is no analyzer at /nowhere.so", "north", "--plugin", "/nowhere.so", *RANGE)
    refused(2, "excludes", "north", "--analyzer", "motion", *WHAT)
    refused(2, "--from is required", "north", "--plugin", LIBRARY)
    refused(2, "--from must lie before --to", "north", "--plugin", LIBRARY, "--from", RANGE[3], "--to", RANGE[1])
    refused(2, "yesterday", "north", "--plugin", LIBRARY, "--from", "yesterday")
    refused(2, "'sensitivity'", "north", "--analyzer", "motion", "--options", '{"sensitivity": 101}', *RANGE)
    refused(2, "sometimes", "north", "--frames", "sometimes", *WHAT)
    refused(2, "--jobs", "north", "--jobs", "65", *WHAT)
    refused(3, "absent", "absent", *WHAT)
    refused(4, "127.0.0.1:9", "north", *WHAT, endpoint="http://127.0.0.1:9")
    check(not server.get("/v1/applications")["applications"], "what was refused has begun nothing")


def is_running(pid):
    """Not one that has ended, and that nobody waits for."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def interrupt(server, log_path, number, words, output, processes):
    """Starts a replay, and sends it the signal once it is under way; gives its exit code, and how many fragments have results."""
    slowly = {**os.environ, "MILLRACE_TEST_ANALYZER": str(log_path.with_suffix(".told"))}
    log_path.with_suffix(".told").write_text("slow")
    with open(log_path, "wb") as log:
        replay = subprocess.Popen([MILLRACE, "--endpoint", server.endpoint, *words], stdout=log, stderr=log, env=slowly)

    def under_way():
        check(replay.poll() is None, f"it was over before it was interrupted: {replay.poll()}")
        there = {stream["name"] for stream in server.get("/v1/data-streams")["data_streams"]}
        return output in there and len(results(server, output)) >= 30
    try:
        wait_for("30 results", under_way, every=0.02)
        lanes = subprocess.run(["pgrep", "-P", str(replay.pid)], capture_output=True, text=True).stdout.split()
        check(len(lanes) == processes, f"{processes} processes work: {lanes}")
        replay.send_signal(number)
        code = replay.wait(120)
    finally:
        replay.kill()
    wait_for("its processes to end", lambda: not any(is_running(pid) for pid in lanes))
    # What they had asked for may still wait for the disk: it is there when this is.
    check(server.cli("stream", "create", f"behind-{log_path.stem}").returncode == 0, "no stream")
    before = len(seen(server, output))
    check(0 < before < 2 * SECONDS, f"{before} of {2 * SECONDS} fragments were analysed before")
    return code, before


def check_killed(server, directory):
    words = ["replay", *STREAMS, *WHAT, "--frames", "key-frames", "--jobs", "2"]
    _, before = interrupt(server, directory / "killed.log", signal.SIGKILL, words, OUTPUT, 2)

    ended = server.cli(*words, "--json")
    check(ended.returncode == 0, ended)
    told = json.loads(ended.stdout)
    check(seen(server) == recorded(server, *STREAMS), "each fragment has results")
    check(told["finished"] and told["analyzer"] == "test" and told["output"] == OUTPUT and told["ends"] == 0, told)
    check(told["fragments"] == told["results"] == told["frames"] == 2 * SECONDS - before, f"{before} before: {told}")
    check(abs(told["footage_s"] + told["done_before_s"] - 2 * SECONDS) < 1, told)
    check(told["from"].startswith(RANGE[1][:-1]) and told["to"].startswith(RANGE[3][:-1]) and told["speed"] > 1, told)

    again = server.cli(*words)
    check(again.returncode == 0, again)
    check(again.stdout.startswith(f"0 fragments, 0 frames, 0 results in stream {OUTPUT}: "), again.stdout)
    return before


def check_stopped(server, directory):
    """By one process, into a stream of its own: in the order of the footage. What a person is shown: how far it is, and the sum."""
    output = "all-of-it"
    words = ["replay", "--all", *WHAT, "--jobs", "1", "--output", output]
    code, before = interrupt(server, directory / "stopped.log", signal.SIGINT, words, output, 1)
    said = (directory / "stopped.log").read_text()
    check(code == 1 and f"--from {RANGE[1][:-1]}" in said and "The same command goes on from here" in said, f"{code}: {said}")

    ended = server.cli(*words)
    check(ended.returncode == 0, ended)
    left = 2 * SECONDS - before
    check(re.fullmatch(rf"{left} fragments, {left} frames, {left} results in stream {output}: [\d.]+ x real time\n", ended.stdout),
          f"{before} before: {ended}")
    check(re.match(r" *[\d.]+%  \d+ fragments, \d+ frames, [\d.]+ x real time, (\?|\d+:\d\d:\d\d) left\n", ended.stderr), ended)
    check(seen(server, output) == recorded(server, *STREAMS), "--all is all streams")
    times = [(video_of(record)["StreamArn"], video_of(record)["ProducerTimestamp"]) for record in results(server, output)]
    check(times == sorted(times), "one process gives them in order")
    return before


def test(directory):
    mkv = directory / "footage.mkv"
    make_media(mkv, SECONDS)
    server = Server(directory)
    try:
        put_footage(server, mkv)
        check_refusals(server)
        killed = check_killed(server, directory)
        stopped = check_stopped(server, directory)
        check(server.terminate() == 0, "the server stops")
    finally:
        server.kill()
    print(f"of {2 * SECONDS} fragments {killed} were done before the kill, {stopped} before the interruption")


main(test)
