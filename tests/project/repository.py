"""The repository stays light and self-contained.

No large or binary files (media is made at test time), headers can be understood alone (a comment on top), scripts are
executable and know --help, and nothing names a package registry's host.
"""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1])
listing = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                         capture_output=True)
if listing.returncode == 0:
    files = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
else:  # an exported tree without git
    # Not in build/, where tests that run beside this one make and remove directories.
    top = [p for p in ROOT.iterdir() if p.name not in ("build", ".git")]
    files = [p for each in top for p in ([each] if each.is_file() else each.rglob("*")) if p.is_file()]

REGISTRIES = re.compile(rb"registry\.npmjs|deb\.debian\.org|pypi\.org|crates\.io|proxy\.golang|repo1?\.maven")
faults = []
for path in files:
    if not path.is_file():
        continue
    name = path.relative_to(ROOT)
    data = path.read_bytes()
    if len(data) > 512 * 1024:
        faults.append(f"{name}: {len(data) // 1024} KiB; media is made at test time")
    if b"\0" in data:
        faults.append(f"{name}: binary")
    if name.parts[:2] != ("tests", "project") and REGISTRIES.search(data):
        faults.append(f"{name}: names a package registry's host")
    if path.suffix == ".h" and not data.startswith(b"//"):
        faults.append(f"{name}: a header opens with what it is for")
    if name.parts[0] == "scripts" and not os.access(path, os.X_OK):
        faults.append(f"{name}: is not executable")

print("\n".join(faults) or f"{len(files)} files are in order")
sys.exit(1 if faults else 0)
