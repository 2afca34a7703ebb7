# shellcheck shell=bash
# Packages of the program, each in a place with nothing else: sourced by scripts/test-packages.sh.

try_tarball() {
    local file name
    new_root
    file=$(only dist/emp-events-*-"$(uname -m)"-unknown-linux-gnu.tar.gz)
    name=$(basename "$file" .tar.gz)
    began=$SECONDS
    inside "$container" -- tar -C /opt -xzf "/$file"
    answers inside "$container" -- "/opt/$name/emp-events"
    in_time "tarball"
    inside "$container" -- sh -ec "
        cd /opt/$name
        test -s README.md && test -s LICENSE-MIT && test -s LICENSE-APACHE
        test -s completions/emp-events && test -s completions/_emp-events && test -s completions/emp-events.fish
        test -s man/man1/emp-events-diagnose.1" || fail "it lacks something"
    passed "completions, manual pages, licences"
}

try_deb() {
    local file port left
    new_root
    file=$(only dist/emp-events_*_"$(dpkg --print-architecture)".deb)
    began=$SECONDS
    inside "$container" -- dpkg --install "/$file" >"$scratch/dpkg.log" 2>&1 || fail "dpkg does not install it"
    answers inside "$container" -- emp-events
    in_time "deb"

    [ "$(inside "$container" -- stat -c '%U %G %a' /var/lib/emp-events)" = "emp-events emp-events 750" ] ||
        fail "the store's folder is not the user's"
    [ "$(inside "$container" -- stat -c '%U %a' /etc/emp-events/emp-events.env)" = "root 600" ] ||
        fail "others may read the settings"
    [ -z "$(find "$root/etc/systemd" -name 'emp-events*')" ] ||
        fail "it starts what nobody has enabled"
    passed "a user of its own, settings that others cannot read, nothing enabled"
    check_units

    # As the units start it: as that user, with those settings.
    start_redis
    redis-cli -p "$port" xadd emp:events '*' timestamp 1758938435904 service worker eventType job.claimed jobId job_1 data '{}' \
        >/dev/null
    printf 'REDIS_URL=redis://127.0.0.1:%s\n' "$port" >>"$root/etc/emp-events/emp-events.env"
    as_unit collector --once || fail "the collector's unit does not run"
    inside --user emp-events "$container" -- emp-events --store /var/lib/emp-events/events search --job-id job_1 >"$scratch/found.log"
    grep -q job.claimed "$scratch/found.log" || fail "the collector's unit has collected nothing"
    passed "the collector's unit collects into /var/lib/emp-events"

    inside "$container" -- dpkg --purge emp-events >"$scratch/dpkg.log" 2>&1 || fail "dpkg does not remove it"
    # The count of questions is its user's own, in their home.
    left=$(cd "$root" && find . -path '*emp-events*' -not -path './var/lib/emp-events*' -not -path './dist*' \
        -not -path './root/.local/state/*')
    [ -z "$left" ] || fail "it leaves files behind: $left"
    [ -d "$root/var/lib/emp-events/events" ] || fail "it has deleted the events"
    passed "purged: nothing is left but the events"
}

# What systemd says of the units, where this machine has it.
check_units() {
    command -v systemd-analyze >/dev/null || { passed "no systemd-analyze here: the units are not looked at"; return; }
    local unit exposure
    for unit in "$root"/usr/lib/systemd/system/emp-events-*.service; do
        systemd-analyze verify --man=no --recursive-errors=no --root="$root" "$(basename "$unit")" >"$scratch/unit.log" 2>&1 ||
            fail "systemd does not like $(basename "$unit")"
        [ ! -s "$scratch/unit.log" ] || fail "systemd has something to say of $(basename "$unit")"
        exposure=$(systemd-analyze security --offline=true --no-pager "$unit" | sed -n 's/.*Overall exposure level.*: \([0-9.]*\).*/\1/p')
        awk "BEGIN { exit !($exposure <= 2) }" || fail "$(basename "$unit") has an exposure of $exposure"
        passed "$(basename "$unit"): valid, exposure $exposure of 10"
    done
}

# What a unit starts, with further words.
as_unit() {
    local unit=$root/usr/lib/systemd/system/emp-events-$1.service command
    command=$(sed -n 's/^ExecStart=//p' "$unit")
    shift
    {
        sed -n 's/^Environment=/export /p' "$unit"
        printf 'set -a\n'
        cat "$root/etc/emp-events/emp-events.env"
        printf 'exec %s %s\n' "$command" "$*"
    } >"$root/tmp/unit.sh"
    inside --user emp-events "$container" -- sh -e /tmp/unit.sh >"$scratch/unit.log" 2>&1
}

# At $port.
start_redis() {
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$scratch" >"$scratch/redis.log" 2>&1 9>&- &
    processes+=($!)
    for _ in $(seq 100); do
        redis-cli -p "$port" ping >/dev/null 2>&1 && return
        sleep 0.1
    done
    fail "Redis does not answer"
}

try_wheel() {
    local file
    local system=manylinux
    [ "$(uname -s)" != Darwin ] || system=macosx
    file=$(only dist/emp_events-*-"$system"_*_"$(uname -m)".whl)
    began=$SECONDS
    python3 -m venv "$scratch/venv"
    "$scratch/venv/bin/pip" install --quiet --disable-pip-version-check --no-index --find-links dist emp-events \
        >"$scratch/pip.log" 2>&1 || fail "pip does not install $file"
    answers "$scratch/venv/bin/emp-events"
    in_time "pip"
    "$scratch/venv/bin/pip" uninstall --quiet --yes emp-events && [ ! -e "$scratch/venv/bin/emp-events" ] ||
        fail "pip does not remove it"
}

try_npm() { node --test tests/packages/cli.test.mjs; }
