#!/usr/bin/env bash
# Makes data/sample anew, as data/README.md describes it. The same seed makes the same files.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/binary.sh

rm -rf data/sample
"$binary" simulate --into data/sample --hours 48 --jobs-per-hour 60 --seed 7 --from 2025-09-26T00:00:00Z
rmdir data/sample/_journal
