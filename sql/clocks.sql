-- Whose clocks are proven to be wrong, the worst first. Ahead: thirty events or more arrived before they happened, by
-- Redis' clock. Behind: all of them arrive late, by as much, and jobs went on before they can have happened, by that clock.
--
-- parameters:
--   job_id   text       optional    only this job
--   since    timestamp  optional    only events from then on
--   until    timestamp  optional    only events before then
--
-- columns:
--   producer   the worker; of events without one the machine, else the service
--   machine    the machine that it says it is on
--   ahead_ms   by how much at least; below zero where it is behind
--   events     how many of its events tell of it
--   first_seen when the first of them arrived
--   last_seen  when the last of them did

with clocked as (
    select
        *,
        cast(timestamp as bigint) - cast(
            happened_at(timestamp, ingested_at, coalesce(worker_id, machine_id, service)) as bigint
        ) as off_ms
    from events
    where
        ($job_id is null or job_id = $job_id)
        and ($since is null or ingested_at >= $since)
        and ($until is null or timestamp < $until or ingested_at < $until)
),
found as (
    select
        coalesce(worker_id, machine_id, service) as producer,
        max(machine_id) as machine,
        case when max(off_ms) > 0 then max(off_ms) else min(off_ms) end as ahead_ms,
        count(*) as events,
        min(ingested_at) as first_seen,
        max(ingested_at) as last_seen
    from clocked
    -- Both clocks are read in ms, and at two moments.
    where off_ms > 20 or off_ms < 0
    group by coalesce(worker_id, machine_id, service), off_ms > 0
)
select
    producer,
    machine,
    ahead_ms,
    events,
    first_seen,
    last_seen
from found
where events >= case when $job_id is null then 30 else 1 end
order by abs(ahead_ms) desc, producer
