"""No aggregate and no lambda is made inside a co_await expression: GCC 12 destroys such a temporary twice.

Method: from each co_await of the sources to the end of its expression, without comments and texts, `Type{` and
`[…](` or `[…]{` are looked for. They get a name in the line before.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("base", "media", "wire", "parser", "storage", "fragments", "ingest", "consumers", "api", "server", "benchmarks", "fuzz", "tests")
AGGREGATE = re.compile(r"\b[A-Z]\w*(?:<[^<>;]*>)?\s*\{")
LAMBDA = re.compile(r"(?<![\w\])])\s*\[[^\]]*\]\s*[({]")


def expression(text, start):
    depth = 0
    for end in range(start, len(text)):
        if text[end] in "([{":
            depth += 1
        elif text[end] in ")]}":
            depth -= 1
        if depth < 0 or (depth == 0 and text[end] in ";,"):
            return text[start:end]
    return text[start:]


def faults(text):
    text = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)
    text = re.sub(r"//[^\n]*", "", text)
    for found in re.finditer(r"\bco_await\b", text):
        awaited = expression(text, found.end())
        if AGGREGATE.search(awaited) or LAMBDA.search(awaited):
            yield text.count("\n", 0, found.start()) + 1, " ".join(awaited.split())[:120]


for bad in ("co_await Respond(writer, Error{kCode, \"x; y\"});", "auto x = co_await store.Append(api::AppendRequest{\n key, 1});",
            "co_await Spawn(executor, [key]() { return key; });"):
    assert list(faults(bad)), bad
for good in ("co_await RespondError(writer, Error(kCode)); Error e{1};", "if (co_await Read(parts[0], n)) Use(Error{1});",
             "// co_await F(Error{1})"):
    assert not list(faults(good)), good

found = [f"{path.relative_to(ROOT)}:{line}: co_await {awaited}"
         for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")) if path.suffix in (".cc", ".h")
         for line, awaited in faults(path.read_text(encoding="utf-8"))]
print("\n".join(found))
sys.exit(1 if found else 0)
