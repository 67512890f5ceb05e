"""`kill -9` while four cameras record: everything that was acknowledged is there afterwards, byte for byte.

Method: the server is killed at random moments; before each kill the fragments that it lists (they are durable, or they would not be
listed) are noted with a hash of the segment that is made of them. After the kill `millrace check` finds nothing wrong; after the
restart every noted fragment gives the same bytes, and each camera adds new ones. MILLRACE_TEST_KILLS=300 for a long run,
MILLRACE_TEST_SEED to replay one.
"""
import contextlib
import hashlib
import os
import random

from harness import MILLRACE, CameraSim, Server, check, main, run, wait_for

KILLS = int(os.environ.get("MILLRACE_TEST_KILLS", "10"))
SEED = int(os.environ.get("MILLRACE_TEST_SEED", str(random.randrange(1 << 32))))
CAMERAS = ["cam1", "cam2", "cam3", "cam4"]


def segment_hash(server, stream, number):
    return hashlib.sha256(server.get_bytes(f"/hls/{stream}/{number}.m4s")).hexdigest()


def test(directory):
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    with contextlib.ExitStack() as stack:
        sim = CameraSim(directory, "--cameras", "4", "--width", "320", "--height", "240", "--fps", "25", "--gop", "25",
                        "--duration", "10")
        stack.callback(sim.kill)
        server = Server(directory)
        stack.callback(lambda: server.kill())
        for i, name in enumerate(CAMERAS, 1):
            server.put_camera(name, sim.url(i))
        known = {}  # (stream, number) -> hash
        for kill in range(KILLS):
            counts = {name: sum(1 for stream, _ in known if stream == name) for name in CAMERAS}
            wait_for(f"new fragments of every camera before kill {kill}",
                     lambda: all(len(server.fragments(name)) > counts[name] for name in CAMERAS), 60, 0.05)
            # Somewhere within the life of a fragment (one second): while one is open, appended, synced or indexed.
            server.live_for(rng.uniform(0, 1.2))
            for name in CAMERAS:
                for fragment in server.fragments(name):
                    key = (name, fragment["number"])
                    if key not in known:
                        known[key] = segment_hash(server, *key)
            server.kill()
            run(MILLRACE, "check", "--data-dir", directory / "data")
            server = Server(directory)
            for name in CAMERAS:
                listed = {fragment["number"] for fragment in server.fragments(name)}
                missing = [number for stream, number in known if stream == name and number not in listed]
                check(not missing, f"after kill {kill}, {name} lacks {missing}")
            # All of the newest, which the kill may have touched, and a sample of the older ones.
            keys = list(known)
            for key in keys[-12:] + rng.sample(keys, min(12, len(keys))):
                check(segment_hash(server, *key) == known[key], f"after kill {kill}, {key} has other bytes")
        wait_for("recording to go on", lambda: all(server.camera(name)["state"] == "recording" for name in CAMERAS))
        print(f"{KILLS} kills, {len(known)} fragments")


main(test)
