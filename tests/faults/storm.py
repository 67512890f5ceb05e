"""What the storm does to its cameras: a plan that is a pure function of its seed, so that it can be played again.

Each camera has episodes: a fault is switched on, lasts, and is switched off; then there is peace for a while. A fault
says what the recording may lack because of it, and which causes the coverage ledger may give for that.
"""
import dataclasses
import random

# How what is missing may be explained. While a camera is tried again the cause of before stays, so what follows an
# outage has the outage's causes.
LOST = {"network_loss", "connecting", "unreachable", "silent"}


@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    begin: tuple          # commands for camera-sim; {n}: the camera's number, {value}: drawn for each episode
    end: tuple
    causes: frozenset     # of holes; empty: nothing may be missing
    outage: bool = False  # nothing at all is recorded while it lasts
    values: tuple = ("",)


def outage(name, begin, end=("clear {n}",), causes=frozenset(LOST), **options):
    return Fault(name, begin, end, frozenset(causes), outage=True, **options)


def harmless(name, fault, **options):
    return Fault(name, (f"fault {{n}} {fault}",), ("clear {n}",), frozenset(), **options)


def shaky(name, fault, causes=frozenset(LOST), **options):
    """Some of what is sent while it lasts may be missing."""
    return Fault(name, (f"fault {{n}} {fault}",), ("clear {n}",), frozenset(causes), **options)


FAULTS = [
    outage("vanishes", ("stop {n}",), ("start {n}",)),
    outage("silent", ("fault {n} silent",)),
    outage("half-open", ("fault {n} half-open 0",)),
    outage("mute", ("fault {n} mute", "drop {n}")),
    shaky("resets", "reset {value}", values=("0.1", "2", "3", "5")),
    shaky("drops", "flap {value}", values=("2", "4")),
    shaky("loss", "loss {value}", causes=LOST | {"undecodable"}, values=("2", "10", "40")),
    shaky("jumps", "ts-jump {value}", values=("3600", "-3600", "60")),
    shaky("other-clip", "clip small"),
    harmless("marker-on-sets", "marker-on-sets"),
    harmless("no-marker", "no-marker"),
    harmless("sps-flap", "sps-flap 5"),
    harmless("spikes", "ts-spike {value}", values=("7200", "-7200", "5")),
    harmless("stutter", "ts-stutter 50"),
    harmless("no-sound", "no-sound"),
    harmless("reports-broken", "sr-broken"),
    harmless("reports-of-strangers", "sr-stranger"),
    harmless("reports-of-1970", "sr-epoch"),
    harmless("reports-a-day-off", "sr-shift 86400"),
    harmless("no-reports", "no-sr"),
]


@dataclasses.dataclass
class Episode:
    camera: int
    fault: Fault
    value: str
    start: float  # seconds since the storm's start
    end: float
    # When its commands were sent, seconds since the epoch: before the first of them, and behind the last.
    began: float = 0
    over: float = 0

    def commands(self, which):
        return [command.format(n=self.camera, value=self.value).strip() for command in which]

    def __str__(self):
        return f"camera {self.camera}: {self.fault.name} {self.value} {self.start:.1f} to {self.end:.1f} s"


def plan(seed, cameras, seconds):
    """The episodes of all cameras, in the order of their starts."""
    episodes = []
    for camera in range(1, cameras + 1):
        dice = random.Random(f"{seed} {camera}")
        at = dice.uniform(0, 10)
        while True:
            fault = dice.choice(FAULTS)
            value = dice.choice(fault.values)
            lasts = dice.uniform(3, 18)
            if at + lasts > seconds:
                break
            episodes.append(Episode(camera, fault, value, at, at + lasts))
            at += lasts + dice.uniform(4, 12)
    return sorted(episodes, key=lambda episode: episode.start)
