#!/usr/bin/env bash
# Writes perf-report.md about a store, and prints it: EMP_EVENTS_STORE, else data/events where
# there is one, else the sample.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/binary.sh

store=${EMP_EVENTS_STORE:-data/events}
[ -n "${EMP_EVENTS_STORE:-}" ] || [ -d "$store" ] || store=data/sample
ask() { "$binary" --store "$store" --tz UTC --format markdown "$@"; }

{
    echo "# Performance report"
    echo
    echo "Store \`$store\`, by $("$binary" --version). Times in milliseconds."
    echo
    ask sql "select min(timestamp) as \"from\", max(timestamp) as until, count(*) as events,
             count(distinct job_id) as jobs, count(*) filter (where level = 'error') as errors from events"
    printf '\n## By event type\n\n'
    ask perf
    printf '\n## From service to service\n\n'
    ask handoffs
    printf '\n## The longest silences inside jobs\n\n'
    ask gaps --limit 10
    printf '\n## What went wrong most\n\n'
    ask sql "select service, event_type, data->>'error' as error, count(*) as times, count(distinct job_id) as jobs
             from events where level = 'error' group by 1, 2, 3 order by times desc, service, event_type limit 10"
} > perf-report.md
cat perf-report.md
echo "written to perf-report.md" >&2
