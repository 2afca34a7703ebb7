#!/usr/bin/env bash
# Builds the images as the Dockerfile has them, and tries each as it is meant to run: as its own user, with its own
# environment, volume, command and health check, against a real Redis and an OTLP receiver behind TLS.
#
#   scripts/test-images.sh [collector|full …]     both unless named
#
# Needs root and Debian's buildah, no engine. What was downloaded and built is kept in EMP_EVENTS_IMAGES (default:
# emp-events/images in the user's cache), so that the next time takes as long as the project itself takes to build.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "please run this as root: it mounts images and changes root into them" >&2; exit 1; }
. scripts/image-store.sh

# As docker-compose.yml has it.
grace=30

# One at a time: they share what is kept, and what a run that was killed has left is taken away. What is started in
# the background does not hold the lock.
exec 9>"$image_cache/lock"
flock 9
buildah rm --all >/dev/null
scratch=$(mktemp -d "${TMPDIR:-/tmp}/emp-events-images.XXXXXX")
containers=()
started=$SECONDS

title() { printf '\n\033[1m%s\033[0m\n' "$*"; }
passed() { printf '  ✓ %s\n' "$*"; }

fail() {
    printf '  ✗ %s\n' "$*" >&2
    local log
    for log in "$scratch"/*.log; do
        [ ! -s "$log" ] || { printf -- '--- %s\n' "$(basename "$log")"; tail -n 20 "$log"; } >&2
    done
    exit 1
}

# Whatever happened: ends what was started and still runs, each by its own id; then takes everything away.
finish() {
    local status=$? process
    for process in $(jobs -rp); do
        kill -9 "$(innermost "$process")" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    [ ${#containers[@]} -eq 0 ] || buildah rm "${containers[@]}" >/dev/null
    rm -rf "$scratch"
    exit "$status"
}
trap finish EXIT

# Waits until a command succeeds, for so many seconds.
within() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || fail "waited in vain until $what"
        sleep 0.1
    done
}

is_gone() { ! kill -0 "$1" 2>/dev/null; }

# The process in a container: buildah is its grandparent, and would not hand a signal on.
innermost() {
    local process=$1 child
    while child=$(pgrep -P "$process" | head -n 1) && [ -n "$child" ]; do process=$child; done
    printf '%s\n' "$process"
}

build() {
    local authorities=${CARGO_HTTP_CAINFO:-${SSL_CERT_FILE:-}} mounts=()
    # Where this machine reaches crates.io through an authority of its own, so does the build; no image keeps that.
    if [ -n "$authorities" ]; then
        mkdir -p "$scratch/cargo"
        cp "$authorities" "$scratch/cargo/authorities.pem"
        printf '[http]\ncainfo = "/.cargo/authorities.pem"\n' >"$scratch/cargo/config.toml"
        mounts=(--volume "$scratch/cargo:/.cargo:ro")
    fi
    mkdir -p "$image_cache/tmp"
    # What a build caches lies in TMPDIR. Docker's format has the health check, the other one leaves it out.
    TMPDIR=$image_cache/tmp nice buildah build --format docker --layers --pull=never "${mounts[@]}" \
        --target "$1" --tag "$2" . >"$scratch/build.log" 2>&1 || fail "the image does not build"
}

# What the image says about itself, by a path in its configuration: one word a line.
setting() {
    buildah inspect --type image "$image" | python3 -c '
import json, sys
value = json.load(sys.stdin)["Docker"]["config"]
for name in sys.argv[1:]:
    value = (value or {}).get(name)
print(*(value if isinstance(value, (list, dict)) else [value or ""]), sep="\n")' "$@"
}

# As an engine gives it: a host name of its own, and an empty volume unless one is named.
new_container() {
    container=$(buildah from --pull=never "$image")
    containers+=("$container")
    host=(--hostname "$(buildah inspect --format '{{.ContainerID}}' "$container" | head -c 12)")
    volume=()
    [ $# -eq 0 ] || use_volume "$1"
}

# The folder instead of the empty one, which buildah would lay over it.
use_volume() {
    buildah config --volume /data- "$container"
    volume=(--volume "$1:/data")
}

inside() {
    buildah run "${host[@]}" "${volume[@]}" "${environment[@]}" "$container" -- "$@" 2>>"$scratch/inside.log"
}

# Starts the image's own command; its log is NAME.log.
start_image() {
    local words
    mapfile -t words < <(setting Entrypoint; setting Cmd)
    buildah run "${host[@]}" "${volume[@]}" "${environment[@]}" "${trust[@]}" "$container" -- "${words[@]}" \
        >"$scratch/$1.log" 2>&1 9>&- &
    running=$!
}

# Sends SIGTERM as an engine does, and is content with 0 alone, in time.
stop_image() {
    local status=0
    kill -TERM "$(innermost "$running")"
    within "$grace" "SIGTERM has ended it" is_gone "$running"
    wait "$running" || status=$?
    [ "$status" -eq 0 ] || fail "it ended with $status at SIGTERM"
}

kill_image() {
    kill -9 "$(innermost "$running")"
    wait "$running" || true
}

is_healthy() { inside "${health[@]}" >"$scratch/health.log"; }
is_unhealthy() { ! is_healthy; }

redis() { redis-cli -p "$redis_port" "$@"; }
answers() { redis ping >/dev/null 2>&1; }

start_redis() {
    redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly yes --appendfsync always --dir "$scratch" \
        >"$scratch/redis.log" 2>&1 9>&- &
    redis_process=$!
    within 10 "Redis answers" answers
}

stop_redis() {
    kill "$redis_process"
    wait "$redis_process" || true
}

added=0
add() {
    local number
    for ((number = added; number < added + $1; number++)); do
        printf "XADD emp:events MAXLEN ~ 10000 * timestamp %s service worker eventType job.claimed jobId job_%d data '{}'\n" \
            "$(date +%s%3N)" "$number"
    done | redis -e >/dev/null
    added=$((added + $1))
}

# The store's own count, and that nothing of the stream is missing.
has_stored() {
    inside emp-events verify --law --format json >"$scratch/verify.log" &&
        python3 -c 'import json, sys
found = json.load(open(sys.argv[1]))
sys.exit(found["law"]["stored"] != int(sys.argv[2]) or not found["law"]["holds"])' "$scratch/verify.log" "$1"
}

received() { sort -u "$scratch/records" | wc -l; }
has_received() { [ "$(received)" -ge "$1" ]; }
says() { grep -q "$2" "$scratch/$1.log"; }
has_sealed() { [ -n "$(inside find /data/events -name '*.parquet')" ]; }
consumers() { redis xinfo consumers emp:events emp-collector | grep -A1 '^name$' | grep -v -e '^name$' -e '^--$'; }

check() {
    local target=$1 began=$SECONDS user size sent
    image=localhost/emp-events:test-$target
    environment=()

    title "$target: building"
    build "$target" "$image"
    size=$(buildah images --format '{{.Size}}' "$image")
    passed "built in $((SECONDS - began)) s: $size"

    title "$target: running"
    new_container
    user=$(inside id -u)
    [ "$user" -ne 0 ] || fail "it runs as root"
    inside sh -c 'touch /data/events/probe && rm /data/events/probe' || fail "user $user cannot write the store"
    inside test -s /etc/ssl/certs/ca-certificates.crt || fail "it knows no authorities"
    [[ $(setting Env) != *EMP_EVENTS_CONSUMER* ]] || fail "every container of it would be the same consumer"
    passed "user $user, who can write the store; public authorities are known"

    environment=(--env REDIS_HOST=127.0.0.1 --env "REDIS_PORT=$redis_port" --env DASH0_ENABLED=true
        --env "DASH0_OTEL_ENDPOINT=https://localhost:$(cat "$scratch/port")" --env DASH0_API_KEY=auth_test)
    mapfile -t health < <(setting Healthcheck Test | tail -n +2)
    [ ${#health[@]} -gt 0 ] || fail "it has no health check"
    : >"$scratch/records"
    added=0
    redis flushall >/dev/null
    add 300
    trust=(--env SSL_CERT_FILE=/run/authority.crt --volume "$scratch/ca.crt:/run/authority.crt:ro")
    start_image "$target"
    within 30 "it has stored $added events" has_stored "$added"
    add 200
    within 30 "it has stored $added events" has_stored "$added"
    passed "stored $added events of $added, and the law holds"
    within 30 "the receiver has all events" has_received "$added"
    passed "forwarded $(received) of $added over TLS"

    within 30 "its health check is content" is_healthy
    stop_redis
    within 30 "its health check notices that Redis is gone" is_unhealthy
    grep -q 'redis' "$scratch/health.log" || fail "its health check does not name Redis"
    start_redis
    within 30 "its health check is content again" is_healthy
    passed "health check: 0, without Redis 1, 0 again (${health[*]})"

    add 100
    within 30 "it has stored $added events" has_stored "$added"
    within 30 "the receiver has all events" has_received "$added"
    began=$SECONDS
    stop_image
    has_sealed || fail "nothing is sealed"
    within 5 "the store alone has $added events" has_stored "$added"
    passed "SIGTERM: 0 after $((SECONDS - began)) s, and all is sealed"
    [ "$target" != full ] || check_answers

    # Another host, which does not know the receiver's authority.
    sent=$(received)
    install -d -o "$user" "$scratch/volume-$target"
    new_container "$scratch/volume-$target"
    trust=()
    start_image "$target-elsewhere"
    add 50
    within 30 "it has stored 50 events" has_stored 50
    within 30 "it refuses the receiver's certificate" says "$target-elsewhere" 'certificate'
    [ "$(consumers | wc -l)" -eq 2 ] || fail "two hosts are one consumer"
    [ "$(received)" -eq "$sent" ] || fail "it forwards to a receiver that it cannot know"
    passed "elsewhere: a consumer of its own, and a receiver that it cannot know gets nothing"

    kill_image
    new_container "$scratch/volume-$target"
    start_image "$target-again"
    add 10
    within 30 "it has stored 60 events" has_stored 60
    stop_image
    has_sealed || fail "nothing is sealed"
    passed "killed: the next container on the same volume has all of it, and goes on"
    buildah rm "${containers[@]}" >/dev/null
    containers=()
}

# What the daemon alone cannot.
check_answers() {
    local count
    count=$(inside emp-events --format csv sql 'select count(*) from events' | tail -n 1)
    [ "$count" = "$added" ] || fail "sql counts $count events instead of $added"
    inside emp-events timeline job_1 >"$scratch/timeline.log" || fail "timeline does not answer"
    passed "sql: $count events"
}

targets=("$@")
[ $# -gt 0 ] || targets=(collector full)
for target in "${targets[@]}"; do
    case $target in collector | full) ;; *) echo "no such image: $target" >&2; exit 2 ;; esac
done

scripts/base-images.sh
sh tests/certificates.sh "$scratch"
python3 scripts/otlp-receiver.py "$scratch" >"$scratch/receiver.log" 2>&1 9>&- &
within 30 "the receiver listens" test -s "$scratch/port"
redis_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
start_redis

for target in "${targets[@]}"; do check "$target"; done

# Of what earlier runs have built, only what the next one can use is kept.
buildah rmi --prune >/dev/null
title "${targets[*]}: all is well, after $((SECONDS - started)) s"
