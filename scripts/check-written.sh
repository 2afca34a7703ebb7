#!/usr/bin/env bash
# What is written for other programs has their form: manifests of Kubernetes, compose files, workflows.
set -euo pipefail
cd "$(dirname "$0")/.."

quietly() {
    local said
    said=$("$@" 2>&1) || { printf '%s\n%s\n' "$*" "$said" >&2; exit 1; }
}

for file in deploy/kubernetes/*.yaml; do quietly kubernetes-validate --strict "$file"; done
quietly check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
quietly check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
# And what is known to be dangerous in workflows.
quietly zizmor --offline --no-progress .github/workflows
