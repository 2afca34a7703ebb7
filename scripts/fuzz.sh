#!/usr/bin/env bash
# Gives the targets in `fuzz` whatever bytes it can think of, so many seconds each, and says how many that were.
#
#   scripts/fuzz.sh              all of them, as many at once as there are processors
#   scripts/fuzz.sh TARGET…      these
#
# EMP_EVENTS_FUZZ_SECONDS (default 60) is how long each goes on. What was found worth going on from stays in
# fuzz/target/corpus; what fails is kept in fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."

export seconds=${EMP_EVENTS_FUZZ_SECONDS:-60}
targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(basename -s .rs fuzz/fuzz_targets/*.rs)

# Our own code has nothing unsafe in it that a sanitizer could watch, and without one no other toolchain is needed.
cargo fuzz build --sanitizer none --target-dir fuzz/target

fuzz() {
    local target=$1 log=fuzz/target/$1.log program
    program=$(ls fuzz/target/*/release/"$target")
    mkdir -p "fuzz/target/corpus/$target" "fuzz/artifacts/$target"
    if "$program" -artifact_prefix="fuzz/artifacts/$target/" -max_total_time="$seconds" -timeout=300 \
        "fuzz/target/corpus/$target" "fuzz/corpus/$target" >"$log" 2>&1; then
        printf '%-8s %s\n' "$target" "$(tail -n 1 "$log"), nothing found"
    else
        tail -n 40 "$log" >&2
        printf '%s has found something: once more by cargo fuzz run --sanitizer none %s fuzz/artifacts/%s/…\n' \
            "$target" "$target" "$target" >&2
        return 1
    fi
}
export -f fuzz
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I TARGET bash -c 'fuzz TARGET'
