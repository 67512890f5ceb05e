"""What the documents name exists: links to files, files and folders in backticks, and every room in docs/architecture.md.

Documents that drift from the code are worse than none.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
faults = []

for document in DOCUMENTS:
    text = document.read_text(encoding="utf-8")
    name = document.relative_to(ROOT)
    prose = re.sub(r"```.*?```", "", text, flags=re.S)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose):
        if not re.match(r"[a-z]+:", target) and not (document.parent / target).exists():
            faults.append(f"{name}: link to {target}, which does not exist")
    # `storage/record_log.h`, `scripts/test`, `docs/decisions/`: a path of a tracked kind, not a URL path or a pattern
    for path in re.findall(r"`([a-z_.]+/[A-Za-z0-9_./-]*)`", prose):
        if path.split("/")[0] in {p.name for p in ROOT.iterdir()} and path.split("/")[0] != "build":
            if not (ROOT / path).exists():
                faults.append(f"{name}: names {path}, which does not exist")

architecture = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
for line in (ROOT / "CMakeLists.txt").read_text(encoding="utf-8").splitlines():
    if match := re.match(r"\s*add_subdirectory\((\w+)\)", line):
        if f"`{match.group(1)}/`" not in architecture:
            faults.append(f"docs/architecture.md: does not tell what {match.group(1)}/ is for")

print("\n".join(faults) or f"{len(DOCUMENTS)} documents name only what exists")
sys.exit(1 if faults else 0)
