#!/usr/bin/env bash
# A month of a simulated load goes into a bucket of a local S3 server; then its folder goes, and questions are asked of the
# bucket alone: with nothing cached, and once more; then with two workers. After each stands how many requests it took.
set -euo pipefail
cd "$(dirname "$0")/.."

emp_events=${EMP_EVENTS_BINARY:-${CARGO_TARGET_DIR:-target}/release/emp-events}
folder=$(mktemp -d)
workers=()
trap '[ ${#workers[@]} = 0 ] || kill "${workers[@]}"; exec {hold}>&-; wait; rm -rf "$folder"' EXIT
store=$folder/store log=$folder/requests.log

# It ends when this end of the pipe is closed.
mkfifo "$folder/hold"
python3 tests/suite/bucket/s3_server.py "$log" <"$folder/hold" >"$folder/port" &
exec {hold}>"$folder/hold"
until [ -s "$folder/port" ]; do sleep 0.1; done

export AWS_ENDPOINT_URL=http://127.0.0.1:$(cat "$folder/port") AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo
export XDG_CACHE_HOME=$folder/cache EMP_EVENTS_USAGE=off
python3 - <<'PYTHON'
import os, urllib.request

request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"] + "/demo-events", method="PUT", data=b"")
request.add_header("Authorization", "AWS4-HMAC-SHA256 Credential=demo/20250101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0")
urllib.request.urlopen(request).read()
PYTHON

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# ask WORDS…: a question to the bucket, the first lines of its answer, and what it cost.
ask() {
    local before
    before=$(wc -l <"$log")
    say "emp-events --store s3://demo-events/production $*"
    "$emp_events" --store s3://demo-events/production --format table "$@" 2>&1 | head -12
    printf '→ %s requests\n' $(($(wc -l <"$log") - before))
}

say "a month of a simulated load"
"$emp_events" simulate --into "$store" --hours 720 --jobs-per-hour 20 | head -1
say "emp-events archive --to s3://demo-events/production"
"$emp_events" --store "$store" archive --to s3://demo-events/production
say "and once more: nothing is put twice"
"$emp_events" --store "$store" archive
job=$("$emp_events" --store "$store" --format csv sql "select max(job_id) from events" | tail -1)
say "the folder goes: rm -r $store"
rm -r "$store"
ask sql "select count(*), min(timestamp), max(timestamp) from events"
ask timeline "$job"
ask timeline "$job"
ask sql "select date_trunc('week', timestamp) as week, count(*) from events group by 1 order by 1"
ask search --level error --limit 5

export EMP_EVENTS_WORKER_TOKEN=demo-token-of-two-workers
say "two workers read the same bucket, each with a cache of its own"
urls=()
for number in 1 2; do
    XDG_CACHE_HOME=$folder/worker-$number "$emp_events" --store s3://demo-events/production worker \
        --listen 127.0.0.1:0 2>"$folder/worker-$number.log" &
    workers+=($!)
    until grep -q 'whoever asks at' "$folder/worker-$number.log"; do sleep 0.1; done
    sed -n 's/^emp-events: //p' "$folder/worker-$number.log"
    urls+=("$(sed -n 's/.*whoever asks at //p' "$folder/worker-$number.log")")
done
EMP_EVENTS_WORKERS=$(IFS=,; echo "${urls[*]}")
export EMP_EVENTS_WORKERS EMP_EVENTS_WORKER_BYTES=256KiB
ask sql "select service, count(*), count(distinct job_id) from events where data <> '' group by 1 order by 1"
ask sql "select service, count(*), count(distinct job_id) from events where data <> '' group by 1 order by 1"
