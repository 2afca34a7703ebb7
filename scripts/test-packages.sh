#!/usr/bin/env bash
# Installs what `make package` made, each from nothing and without the network, and asks the sample store with it.
#
#   scripts/test-packages.sh [tarball|deb|wheel|npm|crate|clients|next …]     all unless named
#
# The tarball and the .deb are installed in a bare Debian root, which needs root, debootstrap and buildah.
set -euo pipefail
cd "$(dirname "$0")/.."

job=job_n6kuhz4kghuv
# From the first command to the answer.
seconds_max=60
scratch=$(mktemp -d "${TMPDIR:-/tmp}/emp-events-test-packages.XXXXXX")
containers=()
processes=()

title() { printf '\n\033[1m%s\033[0m\n' "$*"; }
passed() { printf '  ✓ %s\n' "$*"; }
fail() {
    printf '  ✗ %s\n' "$*" >&2
    for log in "$scratch"/*.log; do
        [ ! -s "$log" ] || { printf -- '--- %s\n' "$(basename "$log")"; tail -n 20 "$log"; } >&2
    done
    exit 1
}

finish() {
    local process
    for process in ${processes[@]+"${processes[@]}"}; do kill "$process" 2>/dev/null && wait "$process" 2>/dev/null || true; done
    [ ${#containers[@]} -eq 0 ] || buildah rm "${containers[@]}" >/dev/null
    rm -rf "$scratch"
}
trap finish EXIT

# Runs a program that is to find the sample's stuck job; the words before `--` start it.
answers() {
    "$@" --store "$sample" --tz UTC diagnose "$job" >"$scratch/answer" 2>"$scratch/answer.log" || fail "$* does not answer"
    grep -q '"state": *"stuck"\|STUCK' "$scratch/answer" || fail "$* answers something else"
}

in_time() {
    local took=$((SECONDS - began))
    [ "$took" -le "$seconds_max" ] || fail "it took $took s"
    passed "$1: from the package to the answer in $took s"
}

only() {
    [ $# -eq 1 ] && [ -f "$1" ] || fail "dist has $# files where one is needed ($*): make package makes it anew"
    printf '%s\n' "$1"
}

# A root with nothing but what Debian calls minimal; the base image of `make test-images`.
new_root() {
    if [ ${#containers[@]} -eq 0 ]; then
        # Its cache is that of `make test-images`: one at a time.
        . scripts/image-store.sh
        exec 9>"$image_cache/lock"
        flock 9
        scripts/base-images.sh debian
    fi
    container=$(buildah from --pull=never docker.io/library/debian:bookworm-slim)
    containers+=("$container")
    root=$(buildah mount "$container")
    sample=/sample
}

inside() {
    buildah run --volume "$PWD/dist:/dist:ro" --volume "$PWD/data/sample:/sample:ro" "$@"
}

. scripts/package/try_system.sh
. scripts/package/try_libraries.sh

kinds=("$@")
[ $# -gt 0 ] || kinds=(tarball deb wheel npm crate clients next)
for kind in "${kinds[@]}"; do
    case $kind in
        tarball | deb | wheel | npm | crate | clients | next) ;;
        *) echo "no such package: $kind" >&2; exit 2 ;;
    esac
done
for kind in "${kinds[@]}"; do
    title "$kind"
    case $kind in
        tarball | deb) scripts/need.sh redis buildah debootstrap ;;
        crate) scripts/need.sh cc redis ;;
        npm | clients | next) scripts/need.sh redis typescript packages ;;
    esac
    sample=$PWD/data/sample
    "try_$kind"
done
title "${kinds[*]}: all is well, after $SECONDS s"
