#!/usr/bin/env bash
# `make test` again and again while every core has other work, until it fails or has passed so many times:
# nothing that the suite asserts may depend on how busy the machine is.
#
#   scripts/test-beside-load.sh RUNS FOLDER
#
# FOLDER/runs.txt gets a line for each run, and is added to where it is there; FOLDER/run-TIME.log is what the run of that time printed.
# The load is `stress-ng` on every core, and a compiler that builds the Rust client from nothing, over and over.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=${1:?how many runs}
mkdir -p "${2:?a folder for the logs}"
folder=$(cd "$2" && pwd)
load=()

say() { printf '%s\n' "$*" | tee -a "$folder/runs.txt"; }

finish() {
    for process in "${load[@]}"; do
        kill -TERM -- "-$process" 2>/dev/null || true
    done
    rm -rf "$folder/client"
}
trap finish EXIT
trap 'exit 130' INT TERM

compile_without_end() {
    while true; do
        CARGO_TARGET_DIR=$folder/client cargo build --quiet --release --locked --package emp-events-client
        rm -rf "$folder/client"
    done
}

# Tests that passed and failed, by what cargo and Node say at the end of each of their programs.
count() {
    awk '
        /^test result: / { passed += $4; failed += $6 }
        /^(#|ℹ) pass [0-9]+$/ { passed += $3 }
        /^(#|ℹ) fail [0-9]+$/ { failed += $3 }
        END { printf "%d passed, %d failed", passed, failed }
    ' "$1"
}

# Each in a process group of its own, so that what it started ends with it.
set -m
stress-ng --cpu "$(nproc)" --quiet &
load+=($!)
compile_without_end >/dev/null 2>&1 &
load+=($!)
set +m

for run in $(seq 1 "$runs"); do
    begun=$(date +%s)
    log=$folder/run-$(date +%Y%m%dT%H%M%S).log
    outcome=passed
    make test >"$log" 2>&1 || outcome=FAILED
    read -r _ _ loaded _ </proc/loadavg
    say "$(date --date="@$begun" '+%Y-%m-%d %H:%M')  $(git describe --always --dirty --abbrev=7 --exclude='*')  $outcome in $((($(date +%s) - begun) / 60)) min, $(count "$log"), load $loaded"
    [ "$outcome" = passed ] || { printf 'see %s\n' "$log" >&2; exit 1; }
done
