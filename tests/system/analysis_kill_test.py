"""`kill -9` of the analyzer and of the server at random moments, and a second worker that comes and is killed too: afterwards
each fragment has its results exactly once.

Method: two cameras with the test analyzer; while they record, one of the processes is killed, again and again. Then the cameras
are switched off, analysis catches up, and all results are read over the Data Streams protocol. MILLRACE_TEST_KILLS=100 for a
long run, MILLRACE_TEST_SEED to replay one.
"""
import contextlib
import os
import random
import signal
import subprocess

from analysis import LIBRARY, analysed, analyzer, begin, check_once, post, start_server
from harness import MILLRACE, CameraSim, check, main, wait_for

KILLS = int(os.environ.get("MILLRACE_TEST_KILLS", "7"))
SEED = int(os.environ.get("MILLRACE_TEST_SEED", str(random.randrange(1 << 32))))
CAMERAS = ["north", "south"]


def start_second(server, log):
    return subprocess.Popen([MILLRACE, "--endpoint", server.endpoint, "analyze", "--plugin", LIBRARY, "--streams",
                             ",".join(CAMERAS), "--owner", "second"], stdout=log, stderr=log)


def owners(server):
    return {lease["owner"] for lease in server.get("/v1/applications/millrace-test")["leases"]}


def test(directory):
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    with contextlib.ExitStack() as stack:
        sim = CameraSim(directory, "--cameras", "2", "--width", "320", "--height", "240", "--fps", "25", "--gop", "10",
                        "--duration", "10", "--no-audio")
        stack.callback(sim.kill)
        log = stack.enter_context(open(directory / "second.log", "wb"))
        server = start_server(directory)
        stack.callback(lambda: server.kill())
        begin(server)
        for i, name in enumerate(CAMERAS, 1):
            server.put_camera(name, sim.url(i), analyzers=["test"])
        wait_for("first results", lambda: len(analysed(server)) >= 2)
        second = start_second(server, log)
        stack.callback(lambda: (second.kill(), second.wait()))
        wait_for("two workers to share the shards", lambda: {"server", "second"} <= owners(server))
        for kill in range(KILLS):
            done = len(analysed(server))
            server.live_for(rng.uniform(0, 0.8))  # somewhere within a fragment's analysis
            what = "second" if kill == 0 else rng.choice(["analyzer", "analyzer", "server"])
            if what == "second":
                second.kill()
                second.wait()
            elif what == "analyzer":
                pid = analyzer(server)["pid"]
                with contextlib.suppress(ProcessLookupError, TypeError):
                    os.kill(pid, signal.SIGKILL)
            else:
                server.kill()
                server = start_server(directory)
            wait_for(f"analysis to go on after kill {kill} of the {what}", lambda: len(analysed(server)) > done)
        for i, name in enumerate(CAMERAS, 1):
            server.put_camera(name, sim.url(i), analyzers=["test"], enabled=False)
        wait_for("the cameras to be off", lambda: all(server.camera(name)["state"] == "disabled" for name in CAMERAS))

        def caught_up():
            recorded = {fragment["number"] for name in CAMERAS for fragment in server.fragments(name)}
            return recorded <= analysed(server)
        wait_for("analysis to catch up", caught_up, 120, 0.3)
        fragments, records = check_once(server, CAMERAS)
        pid = analyzer(server)["pid"]
        check(pid, "the analyzer runs")
        check(server.terminate() == 0, "the server stops")
        check(not os.path.exists(f"/proc/{pid}"), "the analyzer outlives its server")
        print(f"{KILLS} kills, {fragments} fragments, {records} results")


main(test)
