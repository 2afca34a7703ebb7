#!/usr/bin/env bash
# The tests that cargo does not run: of the TypeScript client, of what the packages are tried with, of the page and of
# the deployment. `make test` runs them beside cargo's, so what they print is shown once they have ended.
#
#   scripts/test-others.sh PROGRAM      the binary that is tested
set -euo pipefail
program=$(realpath "${1:?the binary that is tested}")
cd "$(dirname "$0")/.."

log=$(mktemp)
# The log is still what is printed to as this is called: what it holds goes to where the script began.
exec 3>&1
trap 'cat "$log" >&3; rm "$log"' EXIT
exec >"$log" 2>&1

npm --prefix clients/typescript test
node --test tests/packages/clients.test.mjs
EMP_EVENTS_USAGE=off EMP_EVENTS_BINARY=$program npm --prefix tests/page test
"$(scripts/need.sh --tools-path)/../packaging/bin/python" scripts/check-deployment.py "$program"
