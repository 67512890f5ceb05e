"""An analyzer that crashes, throws, hangs, leaks, fails or returns rubbish, and one that is built for another Millrace: recording
loses nothing, states say what happened, and analysis goes on behind what cannot be analysed.

Method: one camera with the test analyzer, which is told to misbehave in one way after the other, and with a library of a
version of the interface that there is not.
"""
import contextlib
import os

from analysis import analysed, analyzer, begin, check_once, results, start_server, status_of, video_of
from harness import CameraSim, check, main, wait_for


STRANGE = os.environ["MILLRACE_STRANGE_ANALYZER_LIBRARY"]


def of_status(server, *statuses):
    return [record for record in results(server) if status_of(record) in statuses]


def test(directory):
    def tell(word):
        (directory / "told.new").write_text(word)
        (directory / "told.new").rename(directory / "told")

    def said_of(word):
        """The fragment that the word was first heeded at."""
        return (directory / f"told.{word}").read_text().strip()

    def check_set_aside(server, words):
        """Each word has cost its own fragment, and three ends of the process, and nothing else."""
        aside = wait_for("the fragment to be set aside",
                         lambda: (found := of_status(server, "SET_ASIDE")) and len(found) == len(words) and found)
        check([video_of(record)["FragmentNumber"] for record in aside] == [said_of(word) for word in words],
              f"other fragments were set aside: {aside}")
        state = wait_for("the count", lambda: analyzer(server)["set_aside"] == len(words) and analyzer(server))
        check(state["ends"] == 3 * len(words), f"three ends each expected: {state}")
        return state["last_error"]

    with contextlib.ExitStack() as stack:
        sim = CameraSim(directory, "--cameras", "1", "--width", "320", "--height", "240", "--fps", "25", "--gop", "25",
                        "--duration", "10", "--no-audio")
        stack.callback(sim.kill)
        server = start_server(directory, strange=STRANGE)
        stack.callback(server.kill)
        check(analyzer(server)["state"] == "idle", "nobody asks for it")
        check(not server.get("/v1/applications")["applications"], "no application yet")
        begin(server)
        server.put_camera("door", sim.url(1), analyzers=["test", "strange"])
        wait_for("first results", lambda: len(analysed(server)) >= 1)
        wait_for("its state", lambda: analyzer(server)["state"] == "running" and analyzer(server)["fragments"] >= 1)
        strange = wait_for("the other to be tried again", lambda: (found := analyzer(server, "strange"))["ends"] >= 2 and found)
        check("built for interface 77" in strange["last_error"] and strange["fragments"] == 0, f"it says why: {strange}")

        tell("crash-next")
        error = check_set_aside(server, ["crash-next"])
        check("signal 6" in error and "door/" in error, f"it says why: {error}")
        tell("throw-next")
        error = check_set_aside(server, ["crash-next", "throw-next"])
        check("threw: told to throw" in error and "door/" in error, f"it says why: {error}")

        tell("hang-once")
        hung = wait_for("the hang", lambda: said_of("hang-once"))
        wait_for("the hang to be ended", lambda: analyzer(server)["ends"] == 7, 120)
        wait_for("the fragment that hung", lambda: hung in analysed(server))

        tell("leak")
        state = wait_for("the leak to be ended", lambda: analyzer(server)["ends"] >= 8 and analyzer(server))
        check("MiB of memory" in state["last_error"], f"it says why: {state}")

        tell("fail")
        wait_for("refused frames", lambda: of_status(server, "FAILED"))
        for _ in range(2):  # what leaked may still be about to be ended: once it is looked at again
            fragments = analyzer(server)["fragments"]
            wait_for("the next fragment", lambda: analyzer(server)["fragments"] > fragments)
        ends = analyzer(server)["ends"]
        tell("rubbish")

        def rubbish():
            said = {record["StreamProcessorInformation"]["Message"].removeprefix("the frame's result ")
                    for record in of_status(server, "FAILED", "TRUNCATED")}
            return {"is no UTF-8", "is nested too deep", "is too large", "has a number that is none"} <= said
        wait_for("what makes no record to be told of", rubbish)
        tell("well")
        count = len(of_status(server, "RUNNING"))
        wait_for("analysis to go on", lambda: len(of_status(server, "RUNNING")) > count + 2)
        check(analyzer(server)["ends"] == ends, "refused frames and rubbish end no process")
        check(analyzer(server, "strange")["fragments"] == 0, "a library of another interface has analysed nothing")

        server.put_camera("door", sim.url(1), analyzers=["test", "strange"], enabled=False)
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
