"""Frames are untouched: what HLS serves and what export writes, decoded, equals the source frame by frame.

Method: a camera with B-frames and audio plays a clip in a loop; a minute and more of it is recorded. Each decoded picture of the
clip is unique (it shows its number), so the recorded pictures must be a stretch of the clip repeated: each followed by
its successor, none missing, none twice. Audio is compared packet by packet, since a decoder's first frame depends on where it
starts.
"""
import contextlib

from harness import MILLRACE, CameraSim, Server, check, frame_hashes, main, run, seconds_of, wait_for

RECORD_SECONDS = 66


def check_is_stretch(what, recorded, source, at_least):
    place = {digest: i for i, digest in enumerate(source)}
    check(len(place) == len(source), f"{what}: the source's frames are not unique; the test cannot tell them apart")
    check(len(recorded) >= at_least, f"{what}: {len(recorded)} frames, at least {at_least} expected")
    unknown = [i for i, digest in enumerate(recorded) if digest not in place]
    check(not unknown, f"{what}: {len(unknown)} of {len(recorded)} frames are not the source's, the first is {unknown[:1]}")
    for i in range(1, len(recorded)):
        expected = (place[recorded[i - 1]] + 1) % len(source)
        check(place[recorded[i]] == expected,
              f"{what}: frame {i} is the source's {place[recorded[i]]}, expected {expected}")


def test(directory):
    clip = directory / "clip.mkv"
    with contextlib.ExitStack() as stack:
        sim = CameraSim(directory, "--cameras", "1", "--width", "320", "--height", "240", "--fps", "25", "--gop", "50",
                        "--bframes", "2", "--duration", "20", "--dump", str(clip))
        stack.callback(sim.kill)
        server = Server(directory)
        stack.callback(server.kill)
        server.put_camera("cam", sim.url(1))
        server.wait_recording("cam")
        fragments = wait_for(
            f"{RECORD_SECONDS} s of footage",
            lambda: (f := server.fragments("cam")) and
            seconds_of(f[-1]["end"]) - seconds_of(f[0]["start"]) >= RECORD_SECONDS and f, RECORD_SECONDS + 120, 1)
        check(len({f["run"] for f in fragments}) == 1, "the recording was interrupted")

        video = frame_hashes(clip, "v", True)
        audio = frame_hashes(clip, "a", False)
        start, end = fragments[0]["start"], fragments[-1]["end"]
        frames_min = int((RECORD_SECONDS - 1) * 25)
        packets_min = int((RECORD_SECONDS - 2) * 40)

        hls = f"{server.endpoint}/hls/cam/index.m3u8?start={start}&end={end}"
        for kind in ("mp4", "mkv"):
            file = directory / f"export.{kind}"
            done = server.cli("export", "cam", "--start", start, "--end", end, "-o", str(file))
            check(done.returncode == 0, f"export: {done.stdout}{done.stderr}")
        for source in (hls, directory / "export.mp4", directory / "export.mkv"):
            check_is_stretch(f"{source} video", frame_hashes(source, "v", True), video, frames_min)
            check_is_stretch(f"{source} audio", frame_hashes(source, "a", False), audio, packets_min)
        run("ffmpeg", "-v", "error", "-xerror", "-i", hls, "-f", "null", "-")
        check(server.terminate() == 0, "the server did not end with 0 after SIGTERM")
        run(MILLRACE, "check", "--data-dir", directory / "data")


main(test)
