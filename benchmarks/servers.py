"""Servers that a benchmark starts, and what the kernel charged them."""
import contextlib
import http.client
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("MILLRACE_BUILD", ROOT / "build" / "release"))
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def cpu_seconds_fine(pid):
    """In nanoseconds' steps, of the threads that live: for servers that keep theirs."""
    return sum(int(task.joinpath("schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e9


def memory_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0


def wait_for(what, condition, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException, RuntimeError):
            if condition():
                return
        time.sleep(0.05)
    sys.exit(f"gave up waiting: {what}")


def finish(process):
    if process.stdin:
        process.stdin.close()
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def millrace(directory, **settings):
    """A server on a data directory: (address, pid). `settings`: sections of its configuration, as JSON, which is YAML."""
    settings = {"data_streams": {"limits": "off"}, "http": {"connections_max": 4096}, **settings}
    config = directory / "config.yaml"
    config.write_text(json.dumps(settings))
    with open(directory / "millrace.log", "ab") as log:
        process = subprocess.Popen([BUILD / "millrace", "serve", "--config", config, "--data-dir", directory / "data",
                                    "--listen", "127.0.0.1:0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                                   text=True)
        try:
            for line in process.stdout:
                if line.startswith("Console: "):
                    yield line.split()[1].split("//")[1].rstrip("/"), process.pid
                    return
            sys.exit((directory / "millrace.log").read_text()[-2000:])
        finally:
            finish(process)


def median_of(rounds):
    """The medians of each figure over rounds of the same run."""
    return {name: round(statistics.median(one[name] for one in rounds), 3) for name in rounds[0]}


def show(name, value, indent=0):
    if isinstance(value, dict) and any(isinstance(one, dict) for one in value.values()):
        print("  " * indent + name)
        for key, one in value.items():
            show(key, one, indent + 1)
    elif isinstance(value, dict):
        print("  " * indent + f"{name}: " + ", ".join(f"{key} {one}" for key, one in value.items()))
    else:
        print("  " * indent + f"{name}: {value}")
