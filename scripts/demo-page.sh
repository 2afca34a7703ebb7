#!/usr/bin/env bash
# Leaves the page running over a live load with an incident, until Ctrl-C.
#
# A private Redis, a simulated job system that is healthy for a minute, a collector, and the page. DEMO_INCIDENT is what
# goes wrong then.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/stage.sh

rate=${DEMO_RATE:-100}
incident=${DEMO_INCIDENT:-silent-worker}
listen=${DEMO_LISTEN:-127.0.0.1:7373}

title "A private Redis, a collector, and a job system in which there will be a $incident in a minute"
start_redis
"$binary" --store "$store" collect 2>"$scratch/collect.log" &
processes+=("$!")
"$binary" simulate --seed 8 --rate "$rate" --healthy --incident "$incident@$(date -u -d '+1 minute' +%FT%TZ)" >"$scratch/simulate.log" 2>&1 &
processes+=("$!")

title "The page: open the link. Ctrl-C ends all of it"
"$binary" --store "$store" serve --listen "$listen"
