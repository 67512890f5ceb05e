"""Every route that is added in api/ has a rule in api/access/access_rules.cc: what has none is refused to everybody.

Method: the literal paths of the sources' Add("METHOD", "/path" and add("/path" against the table.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
rules = set(re.findall(r'"(/[^"]*)"', (ROOT / "api/access/access_rules.cc").read_text(encoding="utf-8")))
faults = []
for source in sorted((ROOT / "api").rglob("*.cc")):
    text = source.read_text(encoding="utf-8")
    for path in re.findall(r'\b(?:Add\(\s*"[A-Z]+",\s*|add\()"(/[^"]*)"(?!\s*\+)', text):
        if path not in rules:
            faults.append(f"{source.relative_to(ROOT)}: {path} has no rule in api/access/access_rules.cc")
if not rules:
    faults.append("no rules were found")
print("\n".join(faults))
sys.exit(1 if faults else 0)
