"""Every C++ source is formatted as .clang-format says (scripts/lint --fix mends it)."""
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1])
tool = shutil.which("clang-format-14")
if tool is None:
    print("clang-format-14 is missing: scripts/deps --test installs it")
    sys.exit(1)
# Not in build/, where tests that run beside this one make and remove directories.
folders = [f for f in sorted(ROOT.iterdir()) if f.is_dir() and f.name not in ("build", "console", ".git")]
files = [str(path) for folder in folders for pattern in ("*.h", "*.cc") for path in sorted(folder.rglob(pattern))]
result = subprocess.run([tool, "--dry-run", "-Werror", *files], capture_output=True, text=True)
print(result.stderr[:4000] or f"{len(files)} files are formatted")
sys.exit(result.returncode)
