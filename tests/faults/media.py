"""Faults of what is sent: markers, parameter sets, groups of pictures, tracks."""
from matrix import check, frame_digests, scenario, seconds_of


@scenario("marker-on-parameter-sets", "marker-on-sets")
def marker_on_parameter_sets(recording):
    recording.check_untouched(step=(0.0385, 0.0415))
    recording.check_independent()
    recording.check_audio(recording.runs[0])


@scenario("no-marker", "no-marker")
def no_marker(recording):
    recording.check_untouched(step=(0.0385, 0.0415))
    recording.check_independent()


@scenario("sps-flap", "sps-flap=5")
def sps_flap(recording):
    """Parameter sets whose bytes change and whose meaning does not: no split."""
    recording.check_untouched(step=(0.0385, 0.0415))
    recording.check_independent()
    recording.check_audio(recording.runs[0])


@scenario("resolution-changes", commands=[(12, "fault {n} clip small"), (22, "clear {n}")])
def resolution_changes(recording):
    """A new run at each change, without a hole, and all of them can be played."""
    check(recording.states() in (["connecting", "recording"], ["recording"]), f"it was {recording.states()}: {recording.errors()}")
    recording.check_runs(3)
    recording.check_times()
    recording.check_reaches_end()
    for each, clip in zip(recording.runs, ("main", "small", "main")):
        frames = recording.check_stretch(each, clip, first=0)
        recording.check_length(each, frames)
    for before, after in zip(recording.runs, recording.runs[1:]):
        check(abs(after.start - before.end) <= 0.5, f"{after.start - before.end:.3f} s between the sizes")
    sizes = [(track["width"], track["height"]) for sample in recording.samples for track in sample["tracks"] if "width" in track]
    check((224, 128) in sizes and (320, 192) in sizes, f"the sizes shown were {set(sizes)}")


@scenario("starts-without-key-frame", "clip=long", "join=13")
def starts_without_key_frame(recording):
    """Twelve seconds of pictures that nobody can decode, then a key frame: the connection is kept, and from there on all is kept."""
    check("waiting" not in recording.states(), f"it was {recording.states()}: {recording.errors()}")
    check(any("no key frame" in error for error in recording.errors()), f"it does not say what is wrong: {recording.errors()}")
    check(recording.last["last_error"] is None, f"it says {recording.last['last_error']} when all is well")
    check(recording.last["attempts"] == 1, f"{recording.last['attempts']} attempts")
    recording.check_state("recording")
    recording.check_runs(1)
    recording.check_times()
    recording.check_reaches_end()
    frames = recording.check_stretch(recording.runs[0], "long", first=625)
    recording.check_length(recording.runs[0], frames)
    check(recording.fragments[0]["independent"], "the first fragment is not independent")
    causes = {gap[2] for gap in recording.gaps(at_least=3)}
    check(causes == {"undecodable"}, f"the ledger says {causes}: {recording.coverage}")


@scenario("long-gop", "clip=long")
def long_gop(recording):
    """A key frame every 25 s: fragments are bounded in time, and those that need the one before them say so."""
    recording.check_untouched("long", step=(0.0385, 0.0415))
    start = seconds_of(recording.fragments[0]["start"])
    for fragment in recording.fragments:
        at_key = abs((seconds_of(fragment["start"]) - start) % 25 - 0) < 0.02
        check(fragment["independent"] == at_key, f"flagged wrongly, {seconds_of(fragment['start']) - start:.2f} s after a key frame: {fragment}")
    check([fragment["independent"] for fragment in recording.fragments][:3] == [True, False, False], "10, 10 and 5 seconds")


@scenario("smart-gop", "clip=smart")
def smart_gop(recording):
    """Key frames every 2 s, then every half second: fragments of a second at least, all independent."""
    recording.check_untouched("smart", step=(0.0385, 0.0415))
    recording.check_independent()
    lengths = [seconds_of(f["end"]) - seconds_of(f["start"]) for f in recording.fragments[:-1]]
    check(all(0.99 <= length <= 3 for length in lengths), f"fragments of {lengths} s")
    check(max(lengths) > 1.9 and min(lengths) < 1.1, f"fragments of {lengths} s")


@scenario("reordered", "clip=reordered")
def reordered(recording):
    """B-frames, and key frames whose picture order count is not zero."""
    recording.check_untouched("reordered", step=(0.0385, 0.0415), tail=3)
    recording.check_independent()
    dts = [time for time, _ in frame_digests(recording.directory / recording.runs[0].file, "v", False)]
    check(len(dts) == len(set(dts)), "two packets have one time")


@scenario("sound-comes-late", "late-sound=8")
def sound_comes_late(recording):
    """The picture waits for nobody; the sound joins with a new run at a key frame."""
    recording.check_untouched(runs=(2, 2))
    check(not recording.runs[0].has_audio and recording.runs[1].has_audio, "audio is in the wrong run")
    recording.check_audio(recording.runs[1])
    check(abs(recording.runs[1].start - recording.runs[0].end) <= 0.1, "a hole between the runs")


@scenario("sound-vanishes", commands=[(8, "fault {n} no-sound"), (18, "clear {n}")])
def sound_vanishes(recording):
    """The picture goes on untouched, and the sound is back when it is back."""
    recording.check_untouched(runs=(1, 2), step=(0.0385, 0.0415))
    packets = sum(recording.check_audio(each, missing=600) for each in recording.runs)
    seconds = packets * 1024 / 48000
    check(recording.stopped - recording.first_frame - seconds <= 10 + 5, f"{seconds:.1f} s of audio")
    check(recording.stopped - recording.first_frame - seconds >= 5, f"{seconds:.1f} s of audio")


@scenario("sound-is-added", "no-audio-track", commands=[(10, "clear {n}"), (10, "drop {n}")])
def sound_is_added(recording):
    """The camera describes no audio, and after it was restarted it does."""
    recording.check_state("recording")
    recording.check_runs(2)
    recording.check_times()
    recording.check_reaches_end()
    for each in recording.runs:
        frames = recording.check_stretch(each, first=0)
        recording.check_length(each, frames)
    check(not recording.runs[0].has_audio and recording.runs[1].has_audio, "audio is in the wrong run")
    check(recording.runs[1].end - recording.runs[1].start >= 10, "it was not recorded again")


@scenario("sound-is-removed", commands=[(10, "fault {n} no-audio-track"), (10, "drop {n}")])
def sound_is_removed(recording):
    recording.check_state("recording")
    recording.check_runs(2)
    recording.check_times()
    recording.check_reaches_end()
    for each in recording.runs:
        recording.check_length(each, recording.check_stretch(each, first=0))
    check(recording.runs[0].has_audio and not recording.runs[1].has_audio, "audio is in the wrong run")


@scenario("packets-are-lost", "loss=3", transport="udp")
def packets_are_lost(recording):
    """Over UDP, and they do not come again: the camera is kept, and what is damaged says so."""
    check("waiting" not in recording.states(), f"it was {recording.states()}: {recording.errors()}")
    recording.check_state("recording")
    recording.check_times()
    recording.check_reaches_end()
    damaged = [fragment for fragment in recording.fragments if fragment["damaged"]]
    check(len(damaged) >= 5, f"{len(damaged)} of {len(recording.fragments)} fragments are marked as damaged")
