"""A camera that restarts leaves a gap in its recording that is a discontinuity in HLS; nothing else is touched.

Method: two cameras; the first vanishes for some seconds and comes back. Its playlist must hold a discontinuity exactly where the
gap is and play through; the second's recording must be one run without a hole.
"""
import contextlib

from harness import CameraSim, Server, check, frame_hashes, main, seconds_of, wait_for


def test(directory):
    with contextlib.ExitStack() as stack:
        sim = CameraSim(directory, "--cameras", "2", "--width", "320", "--height", "240", "--fps", "25", "--gop", "25",
                        "--duration", "10")
        stack.callback(sim.kill)
        server = Server(directory)
        stack.callback(server.kill)
        for name, number in (("shaky", 1), ("steady", 2)):
            server.put_camera(name, sim.url(number))
        for name in ("shaky", "steady"):
            wait_for(f"footage of {name}", lambda: len(server.fragments(name)) >= 3)

        sim.tell("stop 1")
        wait_for("the loss to be noticed", lambda: server.camera("shaky")["state"] != "recording")
        before = len(server.fragments("shaky"))
        check(server.camera("shaky")["last_error"], "a lost camera says why")
        sim.tell("start 1")
        wait_for("footage after the restart", lambda: len(server.fragments("shaky")) >= before + 3, 120)

        shaky = server.fragments("shaky")
        runs = sorted({fragment["run"] for fragment in shaky})
        check(len(runs) == 2, f"two runs expected, found {runs}")
        first = [f for f in shaky if f["run"] == runs[0]]
        second = [f for f in shaky if f["run"] == runs[1]]
        check(seconds_of(second[0]["start"]) >= seconds_of(first[-1]["end"]), "the runs overlap")

        start, end = shaky[0]["start"], shaky[-1]["end"]
        playlist = server.get_bytes(f"/hls/shaky/media.m3u8?start={start}&end={end}").decode()
        check(playlist.count("#EXT-X-DISCONTINUITY\n") == 1, f"one discontinuity expected:\n{playlist}")
        after = playlist.split("#EXT-X-DISCONTINUITY\n")[1]
        check(second[0]["number"] in after.split(".m4s")[0], "the discontinuity is not at the gap")
        frames = frame_hashes(f"{server.endpoint}/hls/shaky/index.m3u8?start={start}&end={end}", "v", True)
        check(len(frames) >= 25 * (len(shaky) - 2), f"{len(frames)} frames play of {len(shaky)} fragments")

        coverage = server.get(f"/v1/streams/shaky/coverage?start={start}&end={end}")["intervals"]
        check(len([i for i in coverage if i["state"] == "recorded"]) == 2, f"coverage shows the gap: {coverage}")

        steady = server.fragments("steady")
        check(len({fragment["run"] for fragment in steady}) == 1, "the other camera's run was touched")
        for previous, following in zip(steady, steady[1:]):
            check(previous["end"] == following["start"], f"the other camera has a hole after {previous}")


main(test)
