#!/usr/bin/env bash
# Writes dist/SHA256SUMS, of all that is there.
set -euo pipefail
cd "$(dirname "$0")/../../dist"

rm -f SHA256SUMS
if command -v sha256sum >/dev/null; then sums=(sha256sum); else sums=(shasum -a 256); fi
"${sums[@]}" -- * >.sums
mv .sums SHA256SUMS
