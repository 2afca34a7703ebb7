#!/usr/bin/env bash
# Shows the way of an event to an OTLP backend: a simulated job system writes into Redis, a collector
# stores and forwards in one process, and rotel, an OpenTelemetry collector, counts what arrives.
#
# Starts a private Redis and a private rotel and ends both afterwards. Nothing leaves this machine.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/stage.sh

seconds=${DEMO_SECONDS:-10}
rate=${DEMO_RATE:-200}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

start_rotel() {
    local port program
    port=$(free_port)
    program=$(python3 -c 'import importlib.util as u; print(u.find_spec("rotel").submodule_search_locations[0])')/rotel-agent
    "$program" start --exporter blackhole --otlp-http-endpoint "127.0.0.1:$port" \
        --otlp-grpc-endpoint "127.0.0.1:$(free_port)" --pid-file "$scratch/rotel.pid" \
        --debug-log logs --debug-log-verbosity detailed >"$scratch/rotel.out" 2>"$scratch/rotel.log" &
    processes+=($!)
    wait_for "$scratch/rotel.log" bash -c ": </dev/tcp/127.0.0.1/$port"
    export DASH0_OTEL_ENDPOINT=http://127.0.0.1:$port
}

received() { grep -c '^LogRecord #' "$scratch/rotel.out" || true; }
has_received_all() { [ "$(received)" -ge "$(added)" ]; }

# Of the caller's own settings none may send this load elsewhere.
unset "${!DASH0_@}" "${!OTEL_EXPORTER_OTLP_@}"

title "Starting a private Redis, and rotel, which throws away what it receives and prints it"
start_redis
start_rotel
echo "Redis at $REDIS_URL, rotel at $DASH0_OTEL_ENDPOINT"

title "One process stores and forwards, while $seconds s of an EMP job system write into the stream"
"$binary" --store "$store" collect --forward &
collector=$!
processes+=("$collector")
"$binary" simulate --rate "$rate" --for "${seconds}s"
for _ in $(seq 300); do
    has_received_all && break
    sleep 0.1
done

title "One of the events as rotel has received it"
awk '/^LogRecord #/ { n++ } n == 1' "$scratch/rotel.out"

kill "$collector"
wait "$collector" || true

title "What health says of the forwarder"
# What else is wrong, as the clock of a simulated machine, makes its exit status.
"$binary" --store "$store" --color never health --format ndjson >"$scratch/all" || true
grep '"check":"forwarder"' "$scratch/all" | tee "$scratch/health"
sent=$(sed -E 's/.*"sent":([0-9]+).*/\1/' "$scratch/health")
stored=$("$binary" --store "$store" --format csv sql "select count(*) from events" | tail -n 1)

title "The counts at both ends"
printf '%-34s %8d\n' "added to the stream by producers" "$(added)" "stored by the collector" "$stored" \
    "sent, by health" "$sent" "received, by rotel's own log" "$(received)"
if [ "$(added)" != "$sent" ] || [ "$sent" != "$(received)" ] || [ "$(added)" != "$stored" ]; then
    echo "they differ" >&2
    exit 1
fi
echo "They are equal."
