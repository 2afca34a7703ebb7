-- How long jobs take from one service to the next, slowest first. A handoff is two events of
-- one job, consecutive in their order of arrival, from different services; its time is
-- measured by the two producers' clocks, as far as nothing is known to be wrong with them. Where it
-- comes out below zero all the same, the handoff is counted as skewed and left out of the statistics.
--
-- parameters:
--   job_id  text       optional    only this job
--   since   timestamp  optional    only events from then on
--   until   timestamp  optional    only events before then
--   limit   integer    default 50  rows at most
--   clocks  text       default corrected  `raw`: by the producers' clocks as they are; else as is known of clocks that are wrong
--
-- columns:
--   from_service  who had the job
--   to_service    who took it over
--   handoffs      how often, the skewed ones included
--   avg_ms        the average time
--   p50_ms        half took no longer than this
--   p95_ms        95 of 100 took no longer than this
--   p99_ms        99 of 100 took no longer than this
--   max_ms        the longest
--   skewed        how many came out below zero
--   worst_job     the job of the longest

with steps as (
    select * from transitions where $clocks <> 'raw'
    union all
    select * from raw_transitions where $clocks = 'raw'
)
select
    handed_by as from_service,
    service as to_service,
    count(*) as handoffs,
    round(avg(handoff_ms) filter (where handoff_ms >= 0), 1) as avg_ms,
    round(quantile_cont(handoff_ms, 0.5) filter (where handoff_ms >= 0), 1) as p50_ms,
    round(quantile_cont(handoff_ms, 0.95) filter (where handoff_ms >= 0), 1) as p95_ms,
    round(quantile_cont(handoff_ms, 0.99) filter (where handoff_ms >= 0), 1) as p99_ms,
    max(handoff_ms) filter (where handoff_ms >= 0) as max_ms,
    count(*) filter (where handoff_ms < 0) as skewed,
    first_value(job_id order by handoff_ms desc, job_id) filter (where handoff_ms >= 0) as worst_job
from steps
where
    handed_by is not null
    and ($job_id is null or job_id = $job_id)
    and ($since is null or handed_at >= $since)
    and ($until is null or happened_at < $until)
group by handed_by, service
order by p95_ms desc nulls last, handoffs desc, handed_by, service
limit $limit
