#!/usr/bin/env bash
# Writes perf-report.html and perf-report.md about a store, and prints the latter; what
# follows its name is for `emp-events report`. The store: EMP_EVENTS_STORE, else data/events where there is one, else the sample.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/binary.sh

store=${EMP_EVENTS_STORE:-data/events}
[ -n "${EMP_EVENTS_STORE:-}" ] || [ -d "$store" ] || store=data/sample
report() { "$binary" --store "$store" --tz "${EMP_EVENTS_TZ:-UTC}" report "$@"; }

report "$@" --output perf-report.html
report "$@" --output perf-report.md
cat perf-report.md
