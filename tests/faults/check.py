"""Judges one scenario of the fault matrix: check.py DIRECTORY NAME, or check.py --list for the names."""
import sys

import clocks  # noqa: F401
import media  # noqa: F401
import sessions  # noqa: F401
from matrix import SCENARIOS, Recording


def main():
    if sys.argv[1] == "--list":
        print(";".join(SCENARIOS), end="")
        return
    directory, name = sys.argv[1:]
    recording = Recording(directory, name)
    try:
        SCENARIOS[name].judge(recording)
        recording.check_explained()
    except AssertionError:
        for sample in recording.samples[:: max(1, len(recording.samples) // 12)]:
            print({key: sample[key] for key in ("at", "state", "last_error", "attempts", "frames", "clock", "clock_jumps",
                                                "times_corrected")})
        for fragment in recording.fragments:
            print(fragment)
        raise
    print("ok")


main()
