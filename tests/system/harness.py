"""The real server and the real simulated cameras, started on free ports and in temporary directories.

Every wait has a deadline and a condition; a test that fails keeps its directory and prints where it is. Binaries and the
directory for artifacts come from the environment: MILLRACE_BIN, CAMERA_SIM_BIN, MILLRACE_TEST_ARTIFACTS.
"""
import collections
import contextlib
import http.client
import json
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from typing import NamedTuple

MILLRACE = os.environ["MILLRACE_BIN"]
CAMERA_SIM = os.environ["CAMERA_SIM_BIN"]
ARTIFACTS = pathlib.Path(os.environ.get("MILLRACE_TEST_ARTIFACTS", "."))

# Settings of servers whose machine may be busy, or stand still for a while.
STOP = "stop_timeout_s: 60\n"  # after it the exit code is another
PATIENT_WITH_CAMERAS = "cameras: {silence_timeout_s: 60}\n"


class Failure(AssertionError):
    pass


def check(condition, message):
    if not condition:
        raise Failure(message)


def wait_for(what, condition, seconds=60, every=0.1):
    """The first true value of condition(), or a failure that says what was waited for."""
    deadline = time.monotonic() + seconds
    last = None
    while time.monotonic() < deadline:
        try:
            value = condition()
            if value:
                return value
        except (OSError, http.client.HTTPException) as error:
            last = error
        time.sleep(every)
    raise Failure(f"waited {seconds} s for {what}" + (f" (last: {last})" if last else ""))


class Process:
    """A child whose output lines are read by a thread, so that it never blocks on a full pipe."""

    def __init__(self, command, log_path, stdin=False):
        self.log = open(log_path, "ab")
        self.child = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=self.log,
                                      stdin=subprocess.PIPE if stdin else subprocess.DEVNULL)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.child.stdout:
            self.lines.put(line.decode(errors="replace").rstrip("\n"))
        self.lines.put(None)

    def wait_line(self, prefix, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                line = self.lines.get(timeout=max(0.01, deadline - time.monotonic()))
                if line is None:
                    raise Failure(f"{self.child.args[0]} ended with {self.child.wait()} before it said '{prefix}'")
                if line.startswith(prefix):
                    return line
        raise Failure(f"{self.child.args[0]} did not say '{prefix}' within {seconds} s")

    def tell(self, line):
        self.child.stdin.write((line + "\n").encode())
        self.child.stdin.flush()

    def kill(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()

    def terminate(self, seconds=90):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        return self.child.wait(seconds)


class CameraSim(Process):
    def __init__(self, directory, *options):
        super().__init__([CAMERA_SIM, "--port", "0", *options], directory / "camera-sim.log", stdin=True)
        self.prefix = self.wait_line("camera-sim ready", 180).split()[2]

    def url(self, number):
        return f"{self.prefix}{number}"


class Resources(NamedTuple):
    """What a process holds: memory of its own (resident, not of files), threads, descriptors."""
    memory_mib: int
    threads: int
    descriptors: int


class Server(Process):
    def __init__(self, directory, *options, listen="127.0.0.1:0"):
        if "--config" not in options:
            # Tests read and write shards faster than they let anybody; the limits have tests of their own. So has
            # what happens to cameras that fall silent, as all do to who stood still.
            (directory / "no-limits.yaml").write_text(f'data_streams: {{limits: "off"}}\n{PATIENT_WITH_CAMERAS}')
            options = ("--config", directory / "no-limits.yaml", *options)
        config = pathlib.Path(options[options.index("--config") + 1])
        if STOP not in (text := config.read_text()):
            config.write_text(STOP + text)
        super().__init__([MILLRACE, "serve", "--data-dir", directory / "data", "--listen", listen, *options],
                         directory / "millrace.log")
        self.endpoint = self.wait_line("Console: ", 60).split()[1].rstrip("/")

    def live_for(self, seconds):
        """Lets it run for that long: a server that ends by itself is a failure at once."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            raise Failure(f"the server ended by itself, with {self.child.wait(max(0, seconds))}")

    def get_bytes(self, path):
        with urllib.request.urlopen(self.endpoint + path, timeout=60) as answer:
            return answer.read()

    def get(self, path):
        return json.loads(self.get_bytes(path))

    def put_camera(self, name, url, **settings):
        request = urllib.request.Request(f"{self.endpoint}/v1/cameras/{name}", method="PUT",
                                         data=json.dumps({"url": url, **settings}).encode(),
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def camera(self, name):
        return self.get(f"/v1/cameras/{name}")

    def wait_recording(self, name, seconds=60):
        return wait_for(f"camera {name} recording", lambda: self.camera(name)["state"] == "recording", seconds)

    def fragments(self, stream):
        found, token = [], None
        while True:
            page = self.get(f"/v1/streams/{stream}/fragments?limit=1000" + (f"&next={token}" if token else ""))
            found += page["fragments"]
            token = page.get("next")
            if not token:
                return found

    def resources(self):
        lines = pathlib.Path(f"/proc/{self.child.pid}/status").read_text().splitlines()
        status = dict(line.split(":", 1) for line in lines)
        return Resources(int(status["RssAnon"].split()[0]) // 1024, int(status["Threads"]),
                         len(os.listdir(f"/proc/{self.child.pid}/fd")))

    def thread_names(self):
        """How many threads of which name there are."""
        names = collections.Counter()
        for task in pathlib.Path(f"/proc/{self.child.pid}/task").iterdir():
            with contextlib.suppress(OSError):  # it has just ended
                names[(task / "comm").read_text().strip().rstrip("0123456789")] += 1
        return names

    def cli(self, *words, seconds=120):
        return subprocess.run([MILLRACE, "--endpoint", self.endpoint, *words], capture_output=True, text=True,
                              timeout=seconds)


def add_user(file, name, policy):
    """The key of a user who is new in the file of users."""
    made = subprocess.run([MILLRACE, "user", "add", name, "--file", file, "--policy", policy, "--json"], capture_output=True,
                          text=True, timeout=60, check=True)
    return json.loads(made.stdout)


def seconds_of(time_text):
    """RFC 3339 with milliseconds to seconds since 1970."""
    import datetime
    return datetime.datetime.fromisoformat(time_text.replace("Z", "+00:00")).timestamp()


def run(*command, seconds=300):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=seconds)
    check(done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done


def frame_hashes(source, stream, decode, *input_options):
    """The MD5 of each frame (decode=True) or packet of one stream ('v' or 'a'), in order, as ffmpeg's framemd5 has them."""
    codec = [] if decode else ["-c", "copy"]
    vsync = ["-vsync", "passthrough"] if stream == "v" else []
    done = run("ffmpeg", "-v", "error", *input_options, "-i", source, "-map", f"0:{stream}:0", *codec, *vsync,
               "-f", "framemd5", "-")
    check(not done.stderr.strip(), f"ffmpeg complains about {source}:\n{done.stderr[-2000:]}")
    # Behind the hash may stand those of side data: samples that a decoder leaves out, for one.
    return [line.split(",")[5].strip() for line in done.stdout.splitlines() if line and not line.startswith("#")]


def main(test):
    """Runs test(directory) in a temporary directory, kept when it fails."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="millrace-system-"))
    try:
        test(directory)
    except BaseException:
        print(f"\nkept for looking at: {directory}", file=sys.stderr)
        for log in sorted(directory.glob("*.log")):
            tail = log.read_text(errors="replace").splitlines()[-25:]
            print(f"--- {log.name}\n" + "\n".join(tail), file=sys.stderr)
        raise
    shutil.rmtree(directory, ignore_errors=True)
    print("ok")
