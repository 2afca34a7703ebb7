#!/usr/bin/env python3
"""The picture of the rooms in ARCHITECTURE.md, drawn from what cargo says of the packages.

    scripts/rooms.py           writes it anew
    scripts/rooms.py --check   fails where it is out of date, or where DataFusion is in a room that has none
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "ARCHITECTURE.md"
BEGIN, END = "<!-- rooms: scripts/rooms.py -->\n", "<!-- end of rooms -->\n"
PREFIX = "emp-"
# Rooms that stand on DataFusion; all others build and are tested without it.
WITH_DATAFUSION = {"sql", "query", "distribute", "investigate", "tail", "prompt", "report", "dashboard"}


def rooms():
    """Each room with the rooms that it knows."""
    command = ["cargo", "metadata", "--format-version", "1", "--no-deps", "--offline", "--locked"]
    packages = json.loads(subprocess.check_output(command, cwd=ROOT))["packages"]
    known = {}
    for package in packages:
        if "/crates/" in package["manifest_path"]:
            names = [one["name"] for one in package["dependencies"] if one["kind"] is None]
            known[room(package["name"])] = sorted(room(name) for name in names if name.startswith(PREFIX))
    return known


def room(package):
    return package.removeprefix(PREFIX)


def floors(known):
    """Rooms by floor: each stands on those below, and cargo allows no circle."""
    floor = {}

    def floor_of(name):
        if name not in floor:
            floor[name] = 1 + max((floor_of(other) for other in known[name]), default=-1)
        return floor[name]

    for name in known:
        floor_of(name)
    return [sorted(name for name in known if floor[name] == level) for level in range(max(floor.values()) + 1)]


def picture(known):
    width = max(map(len, known))
    lines = ["    src: the command line (`emp-events`) knows them all"]
    for level, names in reversed(list(enumerate(floors(known)))):
        lines.append("    " + "─" * 66)
        for name in names:
            mark = "*" if name in WITH_DATAFUSION else " "
            lines.append(f"    {level}  {name:{width}}{mark} ◀ {' '.join(known[name]) or '–'}")
    return "\n" + "\n".join(lines) + "\n\n"


def check_datafusion(known):
    for name in sorted(known):
        command = ["cargo", "tree", "--offline", "--locked", "-p", PREFIX + name, "-e", "normal", "--prefix", "none"]
        tree = subprocess.check_output(command, cwd=ROOT, text=True)
        if bool(re.search(r"^datafusion ", tree, re.M)) != (name in WITH_DATAFUSION):
            sys.exit(f"scripts/rooms.py: DataFusion in crates/{name} is not as WITH_DATAFUSION says")
    command = ["cargo", "tree", "--offline", "--locked", "-p", "emp-events", "--no-default-features", "-e", "normal"]
    if "datafusion" in subprocess.check_output(command, cwd=ROOT, text=True):
        sys.exit("scripts/rooms.py: the collector alone has DataFusion in its tree")


def main():
    known = rooms()
    text = DOCUMENT.read_text()
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    drawn = text[:begin] + picture(known) + text[end:]
    if sys.argv[1:] == ["--check"]:
        if drawn != text:
            sys.exit("ARCHITECTURE.md shows other rooms than there are: run scripts/rooms.py")
        check_datafusion(known)
    else:
        DOCUMENT.write_text(drawn)


main()
