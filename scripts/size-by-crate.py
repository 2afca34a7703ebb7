#!/usr/bin/env python3
"""What the binary consists of: its code and data by crate, in MB, by the names of its symbols.

    scripts/size-by-crate.py [BINARY] [LINES]     default: target/release/emp-events, which has its names; 30

A function that is generic counts to the first crate in its name that is not the standard library's.
"""

import re
import subprocess
import sys
from collections import Counter

STANDARD = {"core", "alloc", "std"}


def crate_of(name):
    crates = re.findall(r"(?<![:\w])([a-z_][a-z0-9_]*)(?:\[[0-9a-f]+\])?::", name)
    others = [crate for crate in crates if crate not in STANDARD]
    return others[0] if others else "(standard library)"


def main():
    binary, lines = [*sys.argv[1:], *["target/release/emp-events", "30"][len(sys.argv) - 1 :]]
    symbols = subprocess.run(["nm", "--print-size", "--demangle", binary], capture_output=True, text=True, check=True)
    sizes = Counter()
    for line in symbols.stdout.splitlines():
        # What is only reserved (b) takes no room in the file.
        match = re.match(r"[0-9a-f]+ ([0-9a-f]+) ([^bB]) (.*)", line)
        if match:
            sizes[crate_of(match[3])] += int(match[1], 16)
    if not sizes:
        sys.exit(f"{binary} has no names: it was stripped")
    for crate, size in sizes.most_common(int(lines)):
        print(f"{size / 1e6:7.2f}  {crate}")
    print(f"{sum(sizes.values()) / 1e6:7.2f}  all")


if __name__ == "__main__":
    main()
