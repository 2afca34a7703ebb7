#!/usr/bin/env bash
# Shows the whole way of an event: a simulated job system writes into Redis, a collector drains
# it into a store, and five questions are answered from that.
#
# Takes the Redis that answers at REDIS_URL; else starts a private one and ends it afterwards.
# Uses a stream and a store of its own, so that nothing of yours is touched.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/binary.sh

seconds=${DEMO_SECONDS:-20}
rate=${DEMO_RATE:-300}
scratch=$(mktemp -d "${TMPDIR:-/tmp}/emp-events-demo.XXXXXX")
store=$scratch/store
stream=emp:events:demo
processes=()

finish() {
    # `stop` first: the collector seals what it has read.
    for process in "${processes[@]}"; do
        kill "$process" 2>/dev/null && wait "$process" 2>/dev/null || true
    done
    rm -rf "$scratch"
}
trap finish EXIT

title() { printf '\n\033[1m%s\033[0m\n\n' "$*"; }
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

start_redis() {
    local port
    for port in $(seq 16379 16479); do
        redis-cli -p "$port" ping >/dev/null 2>&1 && continue
        redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$scratch" \
            >"$scratch/redis.log" 2>&1 &
        processes+=($!)
        for _ in $(seq 50); do
            if redis-cli -p "$port" ping >/dev/null 2>&1; then
                export REDIS_URL=redis://127.0.0.1:$port
                return
            fi
            sleep 0.1
        done
    done
    echo "no Redis could be started; see its last words:" >&2
    cat "$scratch/redis.log" >&2
    exit 1
}

if [ -n "${REDIS_URL:-}" ] && redis-cli -u "$REDIS_URL" ping >/dev/null 2>&1; then
    title "Using the Redis at REDIS_URL, in the stream $stream"
else
    title "Starting a private Redis"
    start_redis
fi
export EMP_EVENTS_STREAM=$stream
redis-cli -u "$REDIS_URL" del "$stream" >/dev/null

title "A collector drains the stream, while $seconds s of an EMP job system write into it"
"$binary" --store "$store" collect &
collector=$!
processes+=("$collector")
"$binary" simulate --rate "$rate" --for "${seconds}s"
added=$(redis-cli -u "$REDIS_URL" xinfo stream "$stream" | grep -A1 '^entries-added$' | tail -n 1)
sleep 1
kill "$collector"
wait "$collector" || true

title "Redis was given $added events. The store has:"
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

redis-cli -u "$REDIS_URL" del "$stream" >/dev/null
title "That was the demo. Try your own: emp-events --help, or the README."
