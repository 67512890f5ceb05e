"""Faults of the connection: who may, who does not answer, who comes and goes. And the healthy camera beside them all."""
from matrix import check, scenario, seconds_of

ODD_PASSWORD = "a%b:c/d?e#f&g=h+%25'é@x"


@scenario("healthy")
def healthy(recording):
    recording.check_untouched(step=(0.0385, 0.0415))
    recording.check_independent()
    check(not recording.gaps(), f"the ledger has gaps: {recording.gaps()}")
    check(not any(fragment["damaged"] for fragment in recording.fragments), "fragments are said to be damaged")
    check(recording.last["clock"] == "camera", "the camera's clock is right and not used")
    check(recording.last["times_corrected"] == 0 and recording.last["clock_jumps"] == 0, "times were corrected")
    check(not recording.errors(), f"errors: {recording.errors()}")
    recording.check_audio(recording.runs[0])
    recording.check_sync(recording.runs[0], within=0.03)


@scenario("wants-user-agent", "user-agent")
def wants_user_agent(recording):
    recording.check_untouched()


@scenario("odd-password", "password=" + ODD_PASSWORD, username="admin", password=ODD_PASSWORD)
def odd_password(recording):
    recording.check_untouched()
    check(recording.last["has_credentials"], "the camera has credentials")


@scenario("wrong-password", "password=right", records=False, username="admin", password="secretly-wrong")
def wrong_password(recording):
    """One try, and a minute or more until the next: no camera locks the account."""
    check(recording.states() in (["connecting", "unauthorized"], ["unauthorized"]), f"it was {recording.states()}")
    check(recording.last["attempts"] == 1, f"{recording.last['attempts']} attempts in {recording.stopped - recording.started:.0f} s")
    wait = seconds_of(recording.last["next_retry"]) - seconds_of(recording.last["state_since"])
    check(wait >= 55, f"the next try is {wait:.1f} s after the first")
    check(recording.errors() == {"the camera refuses the user and password"}, f"errors: {recording.errors()}")
    check("secretly-wrong" not in str(recording.samples), "the password is shown")
    check(not recording.runs, "there is footage")


@scenario("never-answers", "mute", records=False, commands=[(12, "clear {n}")])
def never_answers(recording):
    """It takes the connection and says nothing; once it does, it is recorded."""
    check("waiting" in recording.states(), f"it was {recording.states()}")
    check(recording.errors(), "it does not say what is wrong")
    recording.check_state("recording")
    recording.check_runs(1)
    recording.check_times()
    recording.check_stretch(recording.runs[0], first=0)
    recording.check_reaches_end()


@scenario("half-open", "half-open=5")
def half_open(recording):
    """After five seconds nothing comes any more and nobody closes the connection."""
    check("waiting" in recording.states(), f"it was {recording.states()}")
    check(any("fell silent" in error for error in recording.errors()), f"errors: {recording.errors()}")
    recording.check_runs(2, 3)
    recording.check_times()
    for each in recording.runs:
        frames = recording.check_stretch(each, first=0)
        recording.check_length(each, frames)
        check(len(frames) <= 6 * 25, f"{len(frames)} frames in five seconds")
    for each in recording.runs[:-1]:
        check(each.end - each.start >= 4, f"a run of {each.end - each.start:.2f} s")
    away = recording.runs[1].start - recording.runs[0].end
    check(10 <= away <= 20, f"it was dialled again after {away:.1f} s")


@scenario("resets", "reset=6")
def resets(recording):
    check("waiting" in recording.states(), f"it was {recording.states()}")
    recording.check_runs(2, 5)
    recording.check_times()
    for each in recording.runs[:-1]:
        frames = recording.check_stretch(each, first=0)
        recording.check_length(each, frames)
        check(len(frames) >= 5 * 25, f"{len(frames)} frames in six seconds")
    for before, after in zip(recording.runs, recording.runs[1:]):
        check(before.end <= after.start + 0.1, "runs overlap")


@scenario("flaps", "flap=8")
def flaps(recording):
    """Eight seconds there, four away, and so on: it is recorded again without anybody's doing."""
    check("waiting" in recording.states() and "recording" in recording.states(), f"it was {recording.states()}")
    check(recording.errors(), "it does not say what is wrong")
    recording.check_runs(2, 4)
    recording.check_times()
    for each in recording.runs:
        frames = recording.check_stretch(each, first=0)
        recording.check_length(each, frames)
    for before, after in zip(recording.runs, recording.runs[1:]):
        check(before.end <= after.start + 0.1, "runs overlap")


@scenario("stalls", commands=[(8, "fault {n} silent"), (14, "clear {n}")])
def stalls(recording):
    """For six seconds it sends nothing, and goes on: no connection is given up for that, and the hole is known."""
    check(recording.states() in (["connecting", "recording"], ["recording"]), f"it was {recording.states()}: {recording.errors()}")
    check(recording.last["attempts"] == 1, f"{recording.last['attempts']} attempts")
    recording.check_runs(1)
    recording.check_reaches_end()
    gaps = recording.gaps()
    check(len(gaps) == 1 and gaps[0][2] == "silent", f"the ledger says {gaps}")
    check(4 <= gaps[0][1] - gaps[0][0] <= 8, f"a hole of {gaps[0][1] - gaps[0][0]:.2f} s")
    holes = [(before, after) for before, after in zip(recording.fragments, recording.fragments[1:])
             if before["end"] != after["start"]]
    check(len(holes) == 1, f"holes: {holes}")
    check(not any(fragment["damaged"] for fragment in recording.fragments), "nothing was lost")
