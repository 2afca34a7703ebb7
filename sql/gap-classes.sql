-- Between which events jobs are silent, the classes with the longest silences first: how often,
-- how long altogether, and the job that waited longest.
--
-- parameters:
--   job_id   text       optional    only this job
--   since    timestamp  optional    only events from then on
--   until    timestamp  optional    only events before then
--   min_gap  duration   default 5s  a silence from this length on is a gap
--   limit    integer    default 20  rows at most
--   clocks   text       default corrected  `raw`: by the producers' clocks as they are; else as is known of clocks that are wrong
--
-- columns:
--   from_event    the last event before the silence
--   from_service  who sent it
--   to_event      the first event after the silence
--   to_service    who sent it
--   gaps          how often
--   total_ms      all of them together
--   p50_ms        half took no longer than this
--   p95_ms        95 of 100 took no longer than this
--   max_ms        the longest
--   worst_job     the job of the longest

with steps as (
    select * from transitions where $clocks <> 'raw'
    union all
    select * from raw_transitions where $clocks = 'raw'
)
select
    from_event,
    from_service,
    event_type as to_event,
    service as to_service,
    count(*) as gaps,
    sum(gap_ms) as total_ms,
    round(quantile_cont(gap_ms, 0.5), 1) as p50_ms,
    round(quantile_cont(gap_ms, 0.95), 1) as p95_ms,
    max(gap_ms) as max_ms,
    first_value(job_id order by gap_ms desc, job_id) as worst_job
from steps
where
    gap_ms >= $min_gap
    and ($job_id is null or job_id = $job_id)
    and ($since is null or from_at >= $since)
    and ($until is null or happened_at < $until)
group by from_event, from_service, to_event, to_service
order by max_ms desc, gaps desc, from_event, from_service, to_event, to_service
limit $limit
