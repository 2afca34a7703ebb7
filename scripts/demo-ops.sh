#!/usr/bin/env bash
# Alerts that arrive, and that are over: a collector is stopped, events are lost, and a worker falls silent.
#
# A private Redis, a simulated job system, a collector, Prometheus with the rules of ops/prometheus, Alertmanager, `watch`,
# and somebody who is told. Everything is ended by its process id.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/stage.sh

# The first free port from that one on.
free_port() {
    local port=$1
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
    printf '%s\n' "$port"
}

metrics=$(free_port 19464)
receiver=$(free_port 19095)
alertmanager=$(free_port 19093)
prometheus=$(free_port 19090)
told=$scratch/told

start_collector() {
    "$binary" --store "$store" collect --metrics-listen "127.0.0.1:$metrics" 2>>"$scratch/collect.log" &
    collector=$!
    processes+=("$collector")
}

# wait_for_alert STATE NAME: until somebody was told of it, for four minutes at most.
wait_for_alert() {
    for _ in $(seq 2400); do
        grep -q "$1 *$2" "$told" && return
        sleep 0.1
    done
    echo "$2 did not arrive as $1; last words:" >&2
    tail -n 5 "$scratch"/*.log >&2
    exit 1
}

title "A private Redis, a job system, a collector with --metrics-listen"
start_redis
start_collector
"$binary" simulate --seed 8 --rate 50 --healthy >"$scratch/simulate.log" 2>&1 &
processes+=("$!")
wait_for "$scratch/collect.log" curl -sf "http://127.0.0.1:$metrics/healthz"
curl -s "http://127.0.0.1:$metrics/metrics" | grep -E '^emp_events_collector_(stored|lost)_total|^process_resident'

title "Somebody who is told, Alertmanager, and Prometheus with ops/prometheus/emp-events.rules.yml, which wait for nothing to last"
python3 scripts/webhook-receiver.py "$receiver" >"$told" 2>"$scratch/receiver.log" &
processes+=("$!")
cat >"$scratch/alertmanager.yml" <<END
route: {receiver: team, group_by: [alertname, incident], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: team, webhook_configs: [{url: "http://127.0.0.1:$receiver/", send_resolved: true}]}]
END
prometheus-alertmanager --config.file "$scratch/alertmanager.yml" --storage.path "$scratch/alertmanager" \
    --cluster.listen-address= --web.listen-address "127.0.0.1:$alertmanager" >"$scratch/alertmanager.log" 2>&1 &
processes+=("$!")
# What has to last for long stays as it is.
sed '/^ *for: [0-9]*[smh]$/{/5m$\|30m$/!d}' ops/prometheus/emp-events.rules.yml >"$scratch/rules.yml"
cat >"$scratch/prometheus.yml" <<END
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
alerting: {alertmanagers: [{static_configs: [{targets: ["127.0.0.1:$alertmanager"]}]}]}
scrape_configs: [{job_name: emp-events, static_configs: [{targets: ["127.0.0.1:$metrics"]}]}]
END
prometheus --config.file "$scratch/prometheus.yml" --storage.tsdb.path "$scratch/prometheus" \
    --web.listen-address "127.0.0.1:$prometheus" >"$scratch/prometheus.log" 2>&1 &
processes+=("$!")
wait_for "$scratch/alertmanager.log" curl -sf "http://127.0.0.1:$alertmanager/-/ready"
wait_for "$scratch/prometheus.log" curl -sf "http://127.0.0.1:$prometheus/-/ready"
"$binary" --store "$store" watch --every 1s --over-after 3s --alertmanager "http://127.0.0.1:$alertmanager" \
    2>"$scratch/watch.log" &
processes+=("$!")
until curl -s "http://127.0.0.1:$prometheus/api/v1/query?query=emp_events_collector_active" | grep -q '"1"'; do sleep 0.1; done
echo "all is well: $(amtool --alertmanager.url "http://127.0.0.1:$alertmanager" alert query -o simple | tail -n +2 | wc -l) alerts"

title "The collector is killed"
tail -n +1 -f "$told" &
processes+=("$!")
# The shell would tell of it, too.
{ kill -9 "$collector"; wait "$collector"; } 2>/dev/null || true
wait_for_alert firing EmpEventsNoCollector
wait_for_alert firing EmpEventsIncident

title "Events are trimmed before anybody has read them, and it is started again"
redis-cli -u "$REDIS_URL" xtrim "$EMP_EVENTS_STREAM" MAXLEN 10 >/dev/null
start_collector
wait_for_alert firing EmpEventsLosing
wait_for_alert resolved EmpEventsNoCollector
wait_for_alert resolved EmpEventsIncident

title "What was lost"
"$binary" --store "$store" --format table sql "select from_id, to_id, lost from losses"
