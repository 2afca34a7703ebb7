-- Whose clocks are proven to be ahead, the worst first: producers of whom thirty events or more arrived before
-- they happened, by Redis' clock.
--
-- parameters:
--   job_id   text       optional    only this job
--   since    timestamp  optional    only events from then on
--   until    timestamp  optional    only events before then
--
-- columns:
--   producer   the worker; of events without one the machine, else the service
--   machine    the machine that it says it is on
--   ahead_ms   by how much at least
--   events     how many of its events arrived before they happened
--   first_seen when the first of them arrived
--   last_seen  when the last of them did

select
    coalesce(worker_id, machine_id, service) as producer,
    max(machine_id) as machine,
    max(cast(timestamp as bigint) - cast(ingested_at as bigint)) as ahead_ms,
    count(*) as events,
    min(ingested_at) as first_seen,
    max(ingested_at) as last_seen
from events
where
    -- Both are read in ms, and at two moments.
    cast(timestamp as bigint) > cast(ingested_at as bigint) + 20
    and ($job_id is null or job_id = $job_id)
    and ($since is null or timestamp >= $since)
    and ($until is null or timestamp < $until)
group by 1
having count(*) >= case when $job_id is null then 30 else 1 end
order by ahead_ms desc, producer
