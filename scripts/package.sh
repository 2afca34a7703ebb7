#!/usr/bin/env bash
# Makes what people install, in `dist`: a tarball, a .deb, npm's packages and a wheel, each with the same binary, and
# the checksums of all of them.
#
#   scripts/package.sh [tarball|deb|npm|wheel …]     all unless named; the binary is built first
#
# On Linux the binary is linked for EMP_EVENTS_GLIBC (default: 2.28, as Debian 10 and RHEL 8 have it) and newer; on macOS
# it is linked as it is anyway, and there is no .deb.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/binary.sh

tools=$(dirname "$(scripts/need.sh --tools-path)")/packaging/bin
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
system=$(uname -s | tr '[:upper:]' '[:lower:]')
machine=$(uname -m)
[ "$machine" != arm64 ] || machine=aarch64
export EMP_EVENTS_GLIBC=${EMP_EVENTS_GLIBC:-2.28}
case $system in
    linux) triple=$machine-unknown-linux-gnu ;;
    darwin) triple=$machine-apple-darwin ;;
    *) echo "there are no packages for $system: build it with cargo" >&2; exit 1 ;;
esac
# As npm calls processors.
case $machine in x86_64) processor=x64 ;; aarch64) processor=arm64 ;; esac

scratch=$(mktemp -d "${TMPDIR:-/tmp}/emp-events-package.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
program=$scratch/emp-events

. scripts/package/binary.sh
. scripts/package/tarball.sh
. scripts/package/deb.sh
. scripts/package/npm.sh
. scripts/package/wheel.sh

kinds=("$@")
[ $# -gt 0 ] || kinds=(tarball deb npm wheel)
for kind in "${kinds[@]}"; do
    case $kind in tarball | deb | npm | wheel) ;; *) echo "no such package: $kind" >&2; exit 2 ;; esac
done

mkdir -p dist
build_program
for kind in "${kinds[@]}"; do
    [ "$kind-$system" = deb-darwin ] || "make_$kind"
done
scripts/package/checksums.sh
printf '\n'
wc -c dist/* | awk '$2 != "total" { printf "  %6.1f MB  %s\n", $1 / 1e6, $2 }'
