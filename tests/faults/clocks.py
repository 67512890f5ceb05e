"""Faults of time: stamps that start anew, jump, spike, stutter or drift, and sender reports that lie."""
from matrix import check, FPS, scenario


def untouched_in_one_run(recording, missing=0, **options):
    recording.check_untouched(**options)
    recording.check_independent()
    recording.check_audio(recording.runs[0], missing)


@scenario("stamps-from-zero", "ts-zero", commands=[(8, "drop {n}"), (19, "drop {n}")])
def stamps_from_zero(recording):
    """RTP times start at zero on each connection."""
    recording.check_state("recording")
    recording.check_runs(3)
    recording.check_times()
    recording.check_reaches_end()
    for each in recording.runs:
        frames = recording.check_stretch(each, first=0, step=(0.0385, 0.0415))
        recording.check_length(each, frames)
    for before, after in zip(recording.runs, recording.runs[1:]):
        check(0 <= after.start - before.end <= 6, f"{after.start - before.end:.2f} s between the runs")


@scenario("spikes-forward", "ts-spike=7200")
def spikes_forward(recording):
    untouched_in_one_run(recording)
    check(recording.last["times_corrected"] >= 10, "corrected frames are not counted")


@scenario("spikes-backward", "ts-spike=-7200")
def spikes_backward(recording):
    untouched_in_one_run(recording)
    check(recording.last["times_corrected"] >= 10, "corrected frames are not counted")


@scenario("spikes-of-seconds", "ts-spike=5")
def spikes_of_seconds(recording):
    untouched_in_one_run(recording)


def jumped(recording):
    """No frame is lost and no hour is invented; at most the run ends."""
    recording.check_untouched(runs=(1, 2))
    recording.check_independent()
    for before, after in zip(recording.runs, recording.runs[1:]):
        check(abs(after.start - before.end) <= 0.5, f"{after.start - before.end:.3f} s between the runs")
    check(recording.last["clock_jumps"] >= 1, "the jump is not counted")


@scenario("jumps-forward", commands=[(10, "fault {n} ts-jump 3600")])
def jumps_forward(recording):
    jumped(recording)


@scenario("jumps-backward", commands=[(10, "fault {n} ts-jump -3600")])
def jumps_backward(recording):
    jumped(recording)


@scenario("jumps-without-reports", "no-sr", commands=[(10, "fault {n} ts-jump 3600")])
def jumps_without_reports(recording):
    jumped(recording)


@scenario("slow-frames", "pace=0.84")
def slow_frames(recording):
    """25 frames a second are declared and 21 come: what comes is recorded as it comes."""
    untouched_in_one_run(recording, step=(0.045, 0.051), fps=FPS * 0.84)


@scenario("slow-frames-and-stamps", "pace=0.84", "ts-rate=0.84", "no-sr")
def slow_frames_and_stamps(recording):
    """… and their stamps say 25: the wall clock wins."""
    # A stall of the machine moves the mapping by a quarter of its length.
    recording.check_untouched(step=(0.02, 0.4), fps=FPS * 0.84)
    recording.check_independent()
    lasts = recording.runs[0].end - recording.runs[0].start
    check(abs(lasts - (recording.stopped - recording.first_frame)) <= 3, f"{lasts:.1f} s of recording")


@scenario("equal-stamps", "ts-stutter=40")
def equal_stamps(recording):
    untouched_in_one_run(recording, step=(0.0005, 0.09))


@scenario("backward-stamps", "ts-stutter=50")
def backward_stamps(recording):
    untouched_in_one_run(recording, step=(0.0005, 0.1))


def by_arrival(recording):
    # Where the machine stalled at the start, the mapping by arrival goes back afterwards by what that lasted, and packets
    # of sound have no place any more.
    untouched_in_one_run(recording, missing=4, step=(0.02, 0.08))
    clocks = {sample["clock"] for sample in recording.samples if sample["clock"]}
    check(clocks == {"arrival"}, f"the clocks in use were {clocks}")


@scenario("no-reports", "no-sr")
def no_reports(recording):
    by_arrival(recording)


@scenario("late-reports", "sr-late=10")
def late_reports(recording):
    """The first report comes after ten seconds: times go over to the camera's clock without a jump."""
    # Where the sound's mapping goes back by more than a packet lasts, that packet has no place any more.
    untouched_in_one_run(recording, missing=4, step=(0.02, 0.08))
    check(recording.last["clock"] == "camera", "the camera's clock is right and not used")
    check(recording.last["clock_jumps"] == 0, "a jump was counted")


@scenario("strange-reports", "sr-stranger")
def strange_reports(recording):
    by_arrival(recording)


@scenario("broken-reports", "sr-broken")
def broken_reports(recording):
    by_arrival(recording)


@scenario("reports-of-1970", "sr-epoch")
def reports_of_1970(recording):
    by_arrival(recording)


@scenario("reports-a-day-off", "sr-shift=86400")
def reports_a_day_off(recording):
    by_arrival(recording)


@scenario("reports-step", "sr-step=3")
def reports_step(recording):
    """The camera's clock is set to and fro by three seconds, each second: nobody follows that."""
    untouched_in_one_run(recording, step=(0.02, 0.08))
    check(recording.last["clock_jumps"] <= 1, "jumps were counted")


@scenario("clock-is-set", commands=[(10, "fault {n} sr-shift 4")])
def clock_is_set(recording):
    """The camera's clock is set once, by four seconds: it is followed in a new run, without losing a frame."""
    recording.check_untouched(runs=(2, 2), near=4 + 5)
    check(3.5 <= recording.runs[1].start - recording.runs[0].end <= 4.5,
          f"{recording.runs[1].start - recording.runs[0].end:.3f} s between the runs")
    check(recording.last["clock_jumps"] == 1, f"{recording.last['clock_jumps']} jumps counted")


@scenario("fast-clock", "ts-rate=1.005", "sr-drift=5000")
def fast_clock(recording):
    """The camera's whole clock runs fast, ten times more than bad ones do."""
    untouched_in_one_run(recording, step=(0.02, 0.08))
    check(recording.last["clock_jumps"] == 0, "a jump was counted")


@scenario("fast-reports", "sr-drift=5000")
def fast_reports(recording):
    """Only the clock of the reports does."""
    untouched_in_one_run(recording, step=(0.02, 0.08))
    check(recording.last["clock_jumps"] == 0, "a jump was counted")


@scenario("reports-disagree", "sr-apart=3")
def reports_disagree(recording):
    """Audio's reports are three seconds ahead of video's: nothing is lost, and sound and picture stay together."""
    untouched_in_one_run(recording, missing=4, step=(0.02, 0.08))
    recording.check_sync(recording.runs[0], within=0.5)
