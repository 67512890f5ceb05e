"""What the fault matrix is made of: scenarios, and what is read back of a recording to judge it.

A scenario is a simulated camera with faults, commands that reach it while it is recorded, and a judge that states what the
recording must be afterwards. All scenarios are recorded at once by one server (record.py), which keeps what it saw in a
directory; each is then judged by itself (check.py). So a judge is a pure function of a Recording.

The clip's pictures are unique (they show their numbers): which frames are recorded, and whether one is missing, is known exactly.
"""
import dataclasses
import functools
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
from harness import check, run, seconds_of  # noqa: E402

FPS = 25
NEAR_SECONDS = 5      # how far a producer time may be from the server's; the machine may be busy
FRAGMENT_SECONDS = 10  # a fragment is not longer
SECONDS = 30          # of recording

# The clips besides the main one, as camera-sim's --variant has them. All are of 224x128 pixels and 25 frames a second.
VARIANTS = {
    "small": "width=320,height=192,duration=10",
    "long": "gop=625,duration=50",
    "smart": "gop=50,late-gop=13,duration=20",
    "reordered": "bframes=2,order-offset=4,duration=10",
}


@dataclasses.dataclass
class Scenario:
    name: str
    judge: object
    faults: list = dataclasses.field(default_factory=list)
    commands: list = dataclasses.field(default_factory=list)  # (seconds after the first frame, "drop {n}")
    settings: dict = dataclasses.field(default_factory=dict)  # of the camera, at PUT
    records: bool = True  # frames are expected from the start


SCENARIOS = {}


def scenario(name, *faults, commands=(), records=True, **settings):
    """Makes the judge that follows a scenario of this name."""
    def add(judge):
        SCENARIOS[name] = Scenario(name, judge, list(faults), list(commands), settings, records)
        return judge
    return add


@dataclasses.dataclass
class Frame:
    time: float   # seconds since the export's start
    place: int    # in its clip; audio: None
    digest: str


class Run:
    """A stretch of fragments with one run number, and its frames."""

    def __init__(self, directory, fragments, file):
        self.directory = directory
        self.fragments = fragments
        self.number = fragments[0]["run"]
        self.start = seconds_of(fragments[0]["start"])
        self.end = seconds_of(fragments[-1]["end"])
        self.file = file

    def digests(self, stream, decode):
        check(not self.file.startswith("!"), f"run {self.number} cannot be exported: {self.file}")
        return frame_digests(self.directory / self.file, stream, decode)

    def frames(self, clip="main"):
        places = clip_places(self.directory / f"clip-{clip}.mkv")
        frames = [Frame(time, places.get(digest), digest) for time, digest in self.digests("v", True)]
        unknown = [i for i, frame in enumerate(frames) if frame.place is None]
        check(not unknown, f"run {self.number}: {len(unknown)} of {len(frames)} frames are not the clip's, the first is {unknown[:1]}")
        return frames

    @functools.cached_property
    def has_audio(self):
        return bool(run("ffprobe", "-v", "error", "-select_streams", "a", "-show_entries", "stream=index", "-of", "csv=p=0",
                        self.directory / self.file).stdout.strip())


def frame_digests(file, stream, decode):
    """(time in seconds, MD5) of each frame (decode=True) or packet, in order."""
    codec = [] if decode else ["-c", "copy"]
    vsync = ["-vsync", "passthrough"] if stream == "v" else []
    done = run("ffmpeg", "-v", "error", "-threads", "1", "-i", file, "-map", f"0:{stream}:0", *codec, *vsync, "-enc_time_base",
               "1:1000", "-f", "framemd5", "-")
    check(not done.stderr.strip(), f"ffmpeg complains about {file}:\n{done.stderr[-2000:]}")
    found, base = [], 1 / 1000
    for line in done.stdout.splitlines():
        if line.startswith("#tb "):
            top, bottom = line.split(":")[1].split("/")
            base = int(top) / int(bottom)
        elif line and not line.startswith("#"):
            words = [word.strip() for word in line.split(",")]
            found.append((int(words[2]) * base, words[-1]))
    return found


@functools.lru_cache(maxsize=None)
def clip_places(file, stream="v", decode=True):
    digests = [digest for _, digest in frame_digests(file, stream, decode)]
    places = {digest: i for i, digest in enumerate(digests)}
    check(len(places) == len(digests), f"the frames of {file} are not unique; the test cannot tell them apart")
    return places


class Recording:
    """What record.py saw of one camera."""

    def __init__(self, directory, name):
        self.directory = pathlib.Path(directory)
        self.name = name
        seen = json.loads((self.directory / f"{name}.json").read_text())
        self.samples = seen["samples"]          # the camera's JSON over time, with "at": seconds since the epoch
        self.started = seen["started"]          # when the camera was put
        self.first_frame = seen["first_frame"]  # when it was first seen recording, or None
        self.stopped = seen["stopped"]          # when it was switched off
        self.coverage = seen["coverage"]
        self.runs = [Run(self.directory, fragments, file) for fragments, file in zip(seen["runs"], seen["files"])]
        self.fragments = [fragment for each in self.runs for fragment in each.fragments]

    @property
    def last(self):
        return self.samples[-1]

    def states(self):
        """The states in the order in which they came, without repetitions."""
        names = [sample["state"] for sample in self.samples]
        return [name for i, name in enumerate(names) if i == 0 or names[i - 1] != name]

    def errors(self):
        return {sample["last_error"] for sample in self.samples if sample["last_error"]}

    def gaps(self, at_least=0.6):
        """(start, end, cause) of what the ledger says is missing while the camera was recorded."""
        found = [(max(seconds_of(span["start"]), self.first_frame or self.started), min(seconds_of(span["end"]), self.stopped),
                  span["cause"]) for span in self.coverage if span["state"] == "gap"]
        return [gap for gap in found if gap[1] - gap[0] >= at_least]

    # ---- what holds for recordings

    def check_explained(self):
        """Whatever is missing is missing for a reason."""
        unknown = [gap for gap in self.gaps() if gap[2] == "unknown"]
        check(not unknown, f"holes without a cause: {unknown} in {self.coverage}")

    def check_state(self, *states):
        check(self.last["state"] in states, f"it is {self.last['state']} ({self.last['last_error']}), expected {states}")

    def check_runs(self, at_least, at_most=None):
        at_most = at_least if at_most is None else at_most
        check(at_least <= len(self.runs) <= at_most, f"{len(self.runs)} runs, {at_least} to {at_most} expected: "
              + str([(each.number, round(each.start - self.started, 2), round(each.end - self.started, 2)) for each in self.runs]))

    def check_times(self, near=NEAR_SECONDS):
        """Fragments follow each other without hole or overlap in a run, near the server's clock, bounded in time."""
        for each in self.runs:
            for fragment in each.fragments:
                start, end = seconds_of(fragment["start"]), seconds_of(fragment["end"])
                check(0 < end - start <= FRAGMENT_SECONDS + 0.2, f"a fragment of {end - start:.3f} s: {fragment}")
                off = start - seconds_of(fragment["server_time"])
                check(abs(off) <= near, f"a fragment starts {off:.3f} s off the server's clock: {fragment}")
            for before, after in zip(each.fragments, each.fragments[1:]):
                check(before["end"] == after["start"], f"a hole or an overlap in a run: {before} {after}")
                check(before["number"] < after["number"], f"numbers do not rise: {before} {after}")
            check(each.end <= self.stopped + near, f"the recording ends {each.end - self.stopped:.3f} s after it was stopped")
        for before, after in zip(self.runs, self.runs[1:]):
            check(before.number < after.number, "run numbers do not rise")

    def check_independent(self):
        dependent = [fragment for fragment in self.fragments if not fragment["independent"]]
        check(not dependent, f"fragments that are not independent: {dependent}")

    def check_stretch(self, each, clip="main", first=None, step=(0.02, 0.08), tail=0):
        """The run's frames are the clip's, each followed by its successor, at times that rise evenly. Returns them.

        `tail`: so many last frames do not count: where frames are reordered some that are shown earlier were still to come."""
        frames = each.frames(clip)
        frames = frames[:len(frames) - tail]
        loop = len(clip_places(self.directory / f"clip-{clip}.mkv"))
        check(frames, f"run {each.number} has no frames")
        if first is not None:
            check(frames[0].place == first, f"run {each.number} starts with frame {frames[0].place}, expected {first}")
        for i, (before, after) in enumerate(zip(frames, frames[1:])):
            expected = (before.place + 1) % loop
            check(after.place == expected, f"run {each.number}: frame {i + 1} is the clip's {after.place}, expected {expected}")
            apart = after.time - before.time
            check(step[0] <= apart <= step[1], f"run {each.number}: frames {i} and {i + 1} are {apart * 1000:.0f} ms apart")
        return frames

    def check_length(self, each, frames, fps=FPS):
        """The run lasts as long as its frames."""
        lasts = each.end - each.start
        check(abs(lasts - len(frames) / fps) <= 1, f"run {each.number} lasts {lasts:.2f} s and has {len(frames)} frames")

    def check_reaches_end(self, within=NEAR_SECONDS):
        away = self.stopped - self.runs[-1].end
        check(away <= within, f"the recording ends {away:.2f} s before it was stopped")

    def check_untouched(self, clip="main", step=(0.02, 0.08), runs=(1, 1), first=0, near=NEAR_SECONDS, fps=FPS, tail=0):
        """Every frame from the first to the last is there, over all runs; the camera was never lost."""
        check(self.states() in (["connecting", "recording"], ["recording"]), f"it was {self.states()}: {self.errors()}")
        self.check_state("recording")
        self.check_runs(*runs)
        self.check_times(near)
        self.check_reaches_end()
        total, expected = 0, first
        for each in self.runs:
            frames = self.check_stretch(each, clip, expected, step, tail)
            expected = (frames[-1].place + 1) % len(clip_places(self.directory / f"clip-{clip}.mkv"))
            total += len(frames)
        lasts = self.stopped - self.first_frame
        check(total >= (lasts - NEAR_SECONDS) * fps, f"{total} frames in {lasts:.1f} s")
        check(self.last["attempts"] == 1, f"{self.last['attempts']} attempts")

    def check_sync(self, each, within):
        """Sound and picture are as far apart as in the clip."""
        main = self.directory / "clip-main.mkv"
        pictures, packets = clip_places(main), clip_places(main, "a", False)
        loop = len(packets) * 1024 / 48000
        video, audio = each.digests("v", True), each.digests("a", False)
        for at in (0, 0.5, 0.99):
            (video_time, picture), (audio_time, packet) = video[int(len(video) * at)], audio[int(len(audio) * at)]
            off = (audio_time - packets[packet] * 1024 / 48000) - (video_time - pictures[picture] / FPS)
            off = (off + loop / 2) % loop - loop / 2
            check(abs(off) <= within, f"sound is {off:.3f} s behind the picture")

    def check_audio(self, each, missing=0):
        """The run's audio packets are the clip's, in order; at most so many are missing."""
        places = clip_places(self.directory / "clip-main.mkv", "a", False)
        loop = len(places)
        found = [places.get(digest) for _, digest in each.digests("a", False)]
        check(found, f"run {each.number} has no audio")
        check(None not in found, f"run {each.number}: audio that is not the clip's")
        lost = sum((after - before - 1) % loop for before, after in zip(found, found[1:]))
        check(lost <= missing, f"run {each.number}: {lost} packets of audio are missing")
        return len(found)
