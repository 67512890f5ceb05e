"""Goal: many cameras fail in many ways at once, for minutes; when it is over all of them are recorded again, the server
needs no more memory, threads and descriptors than before, and the coverage ledger agrees with what was done to them.

Method: twenty simulated cameras with faults that are drawn from a seed (storm.py), and one healthy camera beside them.
The same seed does the same again. MILLRACE_STORM_SEED and MILLRACE_STORM_SECONDS set seed and length; seed "random"
draws one. The seed is printed first.
"""
import contextlib
import os
import pathlib
import random
import sys
import time

import storm

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
from harness import CameraSim, Server, check, main, seconds_of, wait_for  # noqa: E402

CAMERAS = 20
SEED = os.environ.get("MILLRACE_STORM_SEED", "1")
SECONDS = float(os.environ.get("MILLRACE_STORM_SECONDS", "180"))

# A lost camera is dialled again within 3 s, a silent one is given up after 4 s.
CONFIG = "cameras:\n  retry_max_s: 3\n  silence_timeout_s: 4\n"
# An answer that does not come is waited for this long (FleetOptions, RtspSourceOptions), then it is dialled again.
ANSWER_SECONDS = 10
# How long a camera may need to be recorded again once it is well: the answer that is waited for, the retry, and on a
# busy machine the connecting.
BACK_SECONDS = ANSWER_SECONDS + 4 + 3 + 8
# Footage may reach so far into an outage, and begin so long before its end was noted: frames on the way, clocks.
EDGE_SECONDS = 1.5
# A hole of this length needs no injected fault: a run that ends and begins anew.
HOLE_SECONDS = 0.6

# What the server may need beyond what it had when all were recorded before the storm.
MEMORY_MIB_MAX = 48
THREADS_MAX = 4
DESCRIPTORS_MAX = 12


def threads_differ(server, before):
    after = server.thread_names()
    return {name: after[name] - before[name] for name in before | after if after[name] != before[name]}


def all_recorded_since(server, names, moment):
    fresh = [name for name in names if any(seconds_of(f["start"]) > moment for f in newest(server, name))]
    return len(fresh) == len(names)


def newest(server, name):
    return server.get(f"/v1/streams/{name}/fragments?last=5")["fragments"]


def play(sim, server, episodes):
    """Carries the plan out; notes when each command was given."""
    began = time.time()
    moments = sorted([(each.start, 0, i) for i, each in enumerate(episodes)] +
                     [(each.end, 1, i) for i, each in enumerate(episodes)])
    for at, ends, i in moments:
        server.live_for(began + at - time.time())
        each = episodes[i]
        if ends:
            for command in each.commands(each.fault.end):
                sim.tell(command)
            each.over = time.time()
        else:
            each.began = time.time()
            for command in each.commands(each.fault.begin):
                sim.tell(command)


def text(at):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03}Z"


def coverage(server, name, start, end):
    spans, at = [], start
    while end - at > 0.002:
        page = server.get(f"/v1/streams/{name}/coverage?start={text(at)}&end={text(end)}")["intervals"]
        spans += page
        if not page or seconds_of(page[-1]["end"]) <= at:
            break
        at = seconds_of(page[-1]["end"])
    return spans


def judge(name, spans, episodes, start):
    """Every outage is a gap with a cause that it can have, and there is no other gap. Returns what is wrong."""
    wrong = []
    gaps = [(seconds_of(s["start"]), seconds_of(s["end"]), s["cause"]) for s in spans if s["state"] == "gap"]
    for each in episodes:
        if not each.fault.outage:
            continue
        since, until = each.began + EDGE_SECONDS, each.over - EDGE_SECONDS
        inside = [gap for gap in gaps if gap[0] < until and gap[1] > since]
        covered = sum(min(gap[1], until) - max(gap[0], since) for gap in inside)
        if covered < until - since - 0.05:
            wrong.append(f"{each}: {until - since - covered:.2f} s of {until - since:.2f} s are no gap")
        if any(gap[2] not in each.fault.causes for gap in inside):
            wrong.append(f"{each}: causes {[gap[2] for gap in inside]}")
    for since, until, cause in gaps:
        if until - since <= HOLE_SECONDS:
            continue
        # What is missing is explained by the faults that are on, or were shortly before.
        about = [each for each in episodes if each.began - EDGE_SECONDS < until and since < each.over + BACK_SECONDS
                 and each.fault.causes]
        allowed = set().union(*(each.fault.causes for each in about)) if about else set()
        last = max((each.over for each in about), default=0) + BACK_SECONDS
        if not about or since < min(each.began for each in about) - EDGE_SECONDS or until > last:
            wrong.append(f"a gap ({cause}) of {until - since:.2f} s from {since - start:.2f} s on that no fault explains")
        elif cause not in allowed:
            wrong.append(f"a gap of {until - since:.2f} s from {since - start:.2f} s on is said to be {cause}")
    return [f"{name}: {each}" for each in wrong]


def test(directory):
    seed = str(random.SystemRandom().randrange(1 << 32)) if SEED == "random" else SEED
    print(f"storm: MILLRACE_STORM_SEED={seed} MILLRACE_STORM_SECONDS={SECONDS:g}", flush=True)
    episodes = storm.plan(seed, CAMERAS, SECONDS)
    with contextlib.ExitStack() as stack:
        sim = CameraSim(directory, "--cameras", str(CAMERAS + 1), "--width", "224", "--height", "128", "--fps", "25", "--gop",
                        "25", "--bitrate", "200", "--duration", "10", "--report-interval", "1", "--variant",
                        "small:width=320,height=192,duration=10")
        stack.callback(sim.kill)
        (directory / "millrace.yaml").write_text(CONFIG)
        server = Server(directory, "--config", directory / "millrace.yaml")
        stack.callback(lambda: server.kill())
        names = [f"storm-{number}" for number in range(1, CAMERAS + 1)]
        for number, name in enumerate(names + ["healthy"], 1):
            server.put_camera(name, sim.url(number))
        calm = time.time()
        wait_for("all to be recorded", lambda: all_recorded_since(server, names + ["healthy"], calm + 8), 90)
        before = server.resources()
        threads = server.thread_names()

        start = time.time()
        play(sim, server, episodes)
        sim.tell("clear all")
        over = time.time()

        wait_for("all to be recorded again", lambda: all_recorded_since(server, names + ["healthy"], time.time() - 8),
                 BACK_SECONDS + 60)
        states = {camera["name"]: camera["state"] for camera in server.get("/v1/cameras")["cameras"]}
        check(set(states.values()) == {"recording"}, f"not all are recorded: {states}")

        def back():
            now = server.resources()
            return (now.memory_mib <= before.memory_mib + MEMORY_MIB_MAX and now.threads <= before.threads + THREADS_MAX
                    and now.descriptors <= before.descriptors + DESCRIPTORS_MAX)
        try:
            wait_for("memory, threads and descriptors", back, every=1)
        finally:
            print(f"before {before}, after {server.resources()}; threads more or less: {threads_differ(server, threads)}")

        # The last fragments are closed some seconds after they began.
        end = max(over, time.time() - 8)
        wrong = []
        for number, name in enumerate(names, 1):
            mine = [each for each in episodes if each.camera == number]
            wrong += judge(name, coverage(server, name, start, end), mine, start)
        wrong += judge("healthy", coverage(server, "healthy", start, end), [], start)
        check(server.camera("healthy")["attempts"] == 1, "the healthy camera was lost")
        check(not wrong, f"{len(wrong)} disagreements, seed {seed}:\n" + "\n".join(wrong))
        check(server.terminate() == 0, "the server did not end with 0 after SIGTERM")


main(test)
