"""Dependencies between rooms point one way, as docs/architecture.md draws them.

Goal: no file includes a room that its own may not use, no target links one, and foreign libraries stay in the rooms that
own them. Method: every #include and every target_link_libraries of the tree, against the two tables below.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])

# room -> the rooms that it may use, itself aside
MAY_USE = {
    "base": set(),
    "media": {"base"},
    "wire": {"base"},
    "parser": {"base", "media"},
    "storage": {"base"},
    "fragments": {"base", "media", "parser", "storage"},
    "ingest": {"base", "media", "parser", "storage", "fragments"},
    "consumers": {"base", "media", "wire", "parser", "storage", "fragments"},
    "api": {"base", "media", "wire", "parser", "storage", "fragments", "ingest", "consumers"},
    "server": {"base", "media", "wire", "parser", "storage", "fragments", "ingest", "consumers", "api"},
}
# The log's interface is for everybody above it, its engine for `fragments`' tests and `server` alone.
ENGINE_HEADERS = {"storage/embedded_log.h", "storage/file_system.h", "storage/checker.h"}
ENGINE_USERS = {"storage", "server"}

# foreign header -> the rooms that may include it
FOREIGN = {
    r"rocksdb/": {"storage", "benchmarks", "tests"},
    r"gst/|glib": {"media", "ingest", "samples", "benchmarks", "tests"},
    r"libav|libsw": {"media", "parser", "consumers", "samples", "benchmarks", "tests"},
    r"opencv2/": {"parser", "consumers", "samples", "benchmarks", "tests"},
    r"boost/beast": {"wire", "api", "tests"},
    r"nghttp2/": {"wire", "api", "fuzz", "tests"},
    r"CLI/": {"server", "samples", "benchmarks"},
    r"yaml-cpp": {"base", "server", "tests"},
    r"prometheus/": {"base"},
    r"spdlog/": {"base"},
}


def sources():
    # Not in build/, where tests that run beside this one make and remove directories.
    folders = [f for f in sorted(ROOT.iterdir()) if f.is_dir() and f.name not in ("build", "console", ".git")]
    for folder in folders:
        for pattern in ("*.h", "*.cc"):
            for path in sorted(folder.rglob(pattern)):
                yield path.relative_to(ROOT)


def include_faults():
    include = re.compile(r'^\s*#\s*include\s+[<"]([^">]+)[">]', re.M)
    for relative in sources():
        room = relative.parts[0]
        for header in include.findall((ROOT / relative).read_text(encoding="utf-8")):
            target = header.split("/")[0]
            if room in MAY_USE and target in MAY_USE and target != room and target not in MAY_USE[room]:
                yield f"{relative}: {room} may not use {target} ({header})"
            if room in MAY_USE and header in ENGINE_HEADERS and room not in ENGINE_USERS:
                yield f"{relative}: an engine's header is for storage and server alone ({header})"
            for pattern, owners in FOREIGN.items():
                if re.match(pattern, header) and room not in owners:
                    yield f"{relative}: {header} belongs to {', '.join(sorted(owners))}"


def link_faults():
    link = re.compile(r"target_link_libraries\(\s*(\w+)([^)]*)\)", re.S)
    for room, allowed in MAY_USE.items():
        for cmake in (ROOT / room).rglob("CMakeLists.txt"):
            for target, words in link.findall(cmake.read_text(encoding="utf-8")):
                for word in words.split():
                    other = word.split("_")[0]
                    if other in MAY_USE and other != room and other not in allowed:
                        yield f"{cmake.relative_to(ROOT)}: {target} of {room} may not link {word}"


faults = list(include_faults()) + list(link_faults())
print("\n".join(faults) or "every dependency points the right way")
sys.exit(1 if faults else 0)
