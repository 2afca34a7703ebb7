#!/usr/bin/env bash
# Shows the whole way of an event: a simulated job system writes into Redis, a collector drains
# it into a store, and five questions are answered from that.
#
# Takes the Redis that answers at REDIS_URL; else starts a private one and ends it afterwards.
# Uses a stream and a store of its own, so that nothing of yours is touched.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/stage.sh

seconds=${DEMO_SECONDS:-20}
rate=${DEMO_RATE:-300}

ask() {
    local shown='' word
    for word in "$@"; do
        case $word in
            *[[:space:]]*) shown+=" \"$word\"" ;;
            *) shown+=" $word" ;;
        esac
    done
    printf '$ emp-events%s\n\n' "$shown"
    "$binary" --store "$store" --format table "$@"
}

if [ -n "${REDIS_URL:-}" ] && redis-cli -u "$REDIS_URL" ping >/dev/null 2>&1; then
    title "Using the Redis at REDIS_URL, in the stream $EMP_EVENTS_STREAM"
else
    title "Starting a private Redis"
    start_redis
fi
redis-cli -u "$REDIS_URL" del "$EMP_EVENTS_STREAM" >/dev/null

title "A collector drains the stream, while $seconds s of an EMP job system write into it"
"$binary" --store "$store" collect &
collector=$!
processes+=("$collector")
"$binary" simulate --rate "$rate" --for "${seconds}s"
sleep 1
kill "$collector"
wait "$collector" || true

title "Redis was given $(added) events. The store has:"
ask sql "select count(*) as events, count(distinct id) as distinct_ids, count(distinct job_id) as jobs from events"

# One that was tried more than once, on a host whose clock is right.
job=$("$binary" --store "$store" --format csv sql "
    select job_id from events where job_id is not null group by job_id
    having max(cast(timestamp as bigint) - cast(ingested_at as bigint)) < 100
    order by count(*) filter (where event_type = 'job.retry_scheduled') > 0 desc,
             count(*) filter (where event_type in ('job.completed', 'job.failed')) desc, count(*), job_id
    limit 1" | tail -n 1)
title "1. What happened to this job?"
ask timeline "$job" --min-gap 200ms

title "2. Where do jobs fall silent?"
ask gaps --min-gap 500ms --limit 5

title "3. How long do they take from one service to the next?"
ask handoffs

title "4. What is slow, what fails?"
ask perf --limit 12

title "5. Anything else, in SQL: which connector fails most?"
ask sql "select data->>'connectorType' as connector,
    count(*) as runs,
    count(*) filter (where event_type = 'connector.processing_failed') as failed
from events
where event_type in ('connector.processing_completed', 'connector.processing_failed')
group by 1 order by failed desc"

redis-cli -u "$REDIS_URL" del "$EMP_EVENTS_STREAM" >/dev/null
title "That was the demo. Everyone on the team sees the same in a browser: make demo-page, or for the sample"
printf '    %s --store data/sample serve\n\nIt prints a link to http://127.0.0.1:7373. Try your own: emp-events --help, or the README.\n' "$binary"
