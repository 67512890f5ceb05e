"""Every hole in a recording has its cause, over restarts of the server, a crash included.

Method: two cameras; one vanishes and comes back, is switched off and on, and the server is stopped and then killed and started
again. The report must be without holes and overlaps at every look, and must name each cause where it belongs.
"""
import contextlib
import time

from harness import CameraSim, Server, check, main, seconds_of, wait_for


def text(at):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03}Z"


def report(server, stream, start):
    """The intervals from `start` to now, checked for what must hold of all of them."""
    answer = server.get(f"/v1/streams/{stream}/coverage?start={text(start)}")
    intervals = answer["intervals"]
    check(intervals[0]["start"] == answer["start"], f"does not begin at the start: {answer}")
    check(seconds_of(intervals[-1]["end"]) >= seconds_of(answer["end"]), f"does not reach the end: {answer}")
    for one, following in zip(intervals, intervals[1:]):
        check(one["end"] == following["start"], f"a hole or an overlap behind {one}: {intervals}")
    for one in intervals:
        check(("cause" in one) == (one["state"] == "gap"), f"a gap, and only a gap, has a cause: {one}")
    return intervals


def at(intervals, moment):
    """What the report says of a moment."""
    for one in intervals:
        if seconds_of(one["start"]) <= moment < seconds_of(one["end"]):
            return one.get("cause", one["state"])
    return None


def recorded_since(server, stream, moment):
    return wait_for(f"footage of {stream} after {text(moment)}", lambda: any(
        seconds_of(f["start"]) > moment for f in server.fragments(stream)), 120)


def test(directory):
    with contextlib.ExitStack() as stack:
        sim = CameraSim(directory, "--cameras", "2", "--width", "320", "--height", "240", "--fps", "25", "--gop", "25",
                        "--duration", "10")
        stack.callback(sim.kill)
        server = Server(directory)
        stack.callback(lambda: server.kill())
        for name, number in (("shaky", 1), ("steady", 2)):
            server.put_camera(name, sim.url(number))
        for name in ("shaky", "steady"):
            wait_for(f"footage of {name}", lambda: len(server.fragments(name)) >= 3)
        began = seconds_of(server.fragments("shaky")[0]["start"])

        # The camera vanishes.
        sim.tell("stop 1")
        wait_for("the loss to be noticed", lambda: server.camera("shaky")["state"] != "recording")
        wait_for("a try that fails", lambda: server.camera("shaky")["attempts"] >= 2)
        wait_for("the cause", lambda: report(server, "shaky", began)[-1].get("cause") == "unreachable")
        away = time.time()
        sim.tell("start 1")
        recorded_since(server, "shaky", away)
        check(at(report(server, "shaky", began), away) == "unreachable", f"away: {report(server, 'shaky', began)}")

        # It is switched off.
        server.put_camera("shaky", sim.url(1), enabled=False)
        wait_for("the camera to be off", lambda: server.camera("shaky")["state"] == "disabled")
        # The last picture lasts to its end before that.
        wait_for("the cause", lambda: (last := report(server, "shaky", began)[-1]).get("cause") == "disabled" and
                 seconds_of(last["start"]) < time.time())
        off = time.time()

        # The server stops in order, later it is killed.
        moments = []
        for stop in (Server.terminate, Server.kill):
            stop(server)
            stopped = time.time()
            # Long enough to be a hole: shorter ones are bridged by the last frame's duration.
            wait_for("a second that nobody records", lambda: time.time() >= stopped + 1)
            moments.append((stopped + time.time()) / 2)
            server = Server(directory)
            if stop is Server.terminate:
                server.put_camera("shaky", sim.url(1), enabled=True)
            recorded_since(server, "steady", time.time())
        recorded_since(server, "shaky", moments[-1])

        shaky = report(server, "shaky", began)
        steady = report(server, "steady", began)
        check(at(shaky, away) == "unreachable", f"a cause is forgotten over restarts: {shaky}")
        check(at(shaky, off) == "disabled", f"a cause is forgotten over restarts: {shaky}")
        for moment in moments:
            check(at(shaky, moment) == "server_down", f"the server was down at {text(moment)}: {shaky}")
            check(at(steady, moment) == "server_down", f"the server was down at {text(moment)}: {steady}")
        causes = {one["cause"] for one in steady[1:] if one["state"] == "gap"}
        check(causes <= {"server_down", "connecting"}, f"the other camera has causes of its own: {steady}")
        unknown = [one for one in shaky[1:] if one.get("cause") == "unknown"]
        check(not unknown, f"holes without a cause: {unknown} in {shaky}")

        table = server.cli("stream", "coverage", "shaky", "--start", text(began))
        check(table.returncode == 0 and "server_down" in table.stdout, f"{table.stdout}{table.stderr}")


main(test)
