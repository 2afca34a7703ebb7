# What the demos share: sourced by them, with the project's folder as the current one.
. scripts/binary.sh

scratch=$(mktemp -d "${TMPDIR:-/tmp}/emp-events-demo.XXXXXX")
store=$scratch/store
export EMP_EVENTS_STREAM=emp:events:demo
processes=()

# Ends what was started, the last first: the collector seals what it has read while Redis still lives.
finish() {
    local index
    for ((index = ${#processes[@]} - 1; index >= 0; index--)); do
        kill "${processes[index]}" 2>/dev/null && wait "${processes[index]}" 2>/dev/null || true
    done
    rm -rf "$scratch"
}
trap finish EXIT

title() { printf '\n\033[1m%s\033[0m\n\n' "$*"; }

# Waits until a command succeeds; the file has the last words of what does not come up.
wait_for() {
    local log=$1
    shift
    for _ in $(seq 100); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    echo "waited in vain for: $*; see its last words:" >&2
    tail -n 20 "$log" >&2
    exit 1
}

# A Redis of our own, at REDIS_URL.
start_redis() {
    local port
    for port in $(seq 16379 16479); do
        redis-cli -p "$port" ping >/dev/null 2>&1 || break
    done
    redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$scratch" >"$scratch/redis.log" 2>&1 &
    processes+=($!)
    wait_for "$scratch/redis.log" redis-cli -p "$port" ping
    export REDIS_URL=redis://127.0.0.1:$port
}

# How many entries the stream was ever given.
added() { redis-cli -u "$REDIS_URL" xinfo stream "$EMP_EVENTS_STREAM" | grep -A1 '^entries-added$' | tail -n 1; }
