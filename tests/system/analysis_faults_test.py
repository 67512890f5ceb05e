"""An analyzer that crashes, hangs, leaks or fails: recording loses nothing, states say what happened, and analysis goes on
behind what cannot be analysed.

Method: one camera with the test analyzer, which is told to misbehave in one way after the other.
"""
import contextlib

from analysis import analysed, analyzer, begin, check_once, results, start_server, status_of, video_of
from harness import CameraSim, check, main, wait_for


def test(directory):
    told = directory / "told"
    done = directory / "told.done"

    def tell(word):
        done.unlink(missing_ok=True)
        (directory / "told.new").write_text(word)
        (directory / "told.new").rename(told)

    with contextlib.ExitStack() as stack:
        sim = CameraSim(directory, "--cameras", "1", "--width", "320", "--height", "240", "--fps", "25", "--gop", "25",
                        "--duration", "10", "--no-audio")
        stack.callback(sim.kill)
        server = start_server(directory)
        stack.callback(server.kill)
        check(analyzer(server)["state"] == "idle", "nobody asks for it")
        check(not server.get("/v1/applications")["applications"], "no application yet")
        begin(server)
        server.put_camera("door", sim.url(1), analyzers=["test"])
        wait_for("first results", lambda: len(analysed(server)) >= 1)
        wait_for("its state", lambda: analyzer(server)["state"] == "running" and analyzer(server)["fragments"] >= 1)

        tell("crash-next")
        aside = wait_for("the fragment to be set aside",
                         lambda: [record for record in results(server) if status_of(record) == "SET_ASIDE"])
        check(len(aside) == 1 and video_of(aside[0])["FragmentNumber"] == done.read_text().strip(),
              f"another fragment was set aside: {aside}")
        state = wait_for("the count", lambda: analyzer(server)["set_aside"] == 1 and analyzer(server))
        check(state["ends"] == 3, f"three ends expected: {state}")
        check("signal 6" in state["last_error"] and "door/" in state["last_error"], f"it says why: {state}")

        tell("hang-once")
        wait_for("the hang", done.exists)
        wait_for("the hang to be ended", lambda: analyzer(server)["ends"] == 4)
        hung = done.read_text().strip()
        wait_for("the fragment that hung", lambda: hung in analysed(server))

        tell("leak")
        state = wait_for("the leak to be ended", lambda: analyzer(server)["ends"] >= 5 and analyzer(server))
        check("MiB of memory" in state["last_error"], f"it says why: {state}")

        tell("fail")
        wait_for("refused frames", lambda: any(status_of(record) == "FAILED" for record in results(server)))
        ends = analyzer(server)["ends"]
        tell("well")
        count = len(results(server))
        wait_for("analysis to go on", lambda: len(results(server)) > count + 2)
        check(analyzer(server)["ends"] == ends, "refused frames end no process")

        server.put_camera("door", sim.url(1), analyzers=["test"], enabled=False)
        wait_for("the camera to be off", lambda: server.camera("door")["state"] == "disabled")
        recorded = server.fragments("door")
        wait_for("analysis to catch up", lambda: {f["number"] for f in recorded} <= analysed(server))
        check_once(server, ["door"])
        check(len({fragment["run"] for fragment in recorded}) == 1, "recording was interrupted")
        for earlier, later in zip(recorded, recorded[1:]):
            check(earlier["end"] == later["start"], f"a hole in the footage behind {earlier}")
        check(b"millrace_analyzer_ends_total{analyzer=\"test\"}" in server.get_bytes("/metrics"), "metrics")

        server.put_camera("door", sim.url(1), analyzers=[], enabled=False)
        wait_for("the analyzer to be idle", lambda: analyzer(server)["state"] == "idle" and not analyzer(server)["pid"])
        wait_for("its leases to be gone", lambda: not server.get("/v1/applications")["applications"])


main(test)
