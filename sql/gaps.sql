-- The longest silences inside jobs: between which events and services, and how long.
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
--   gap_ms        how long nothing was heard of the job
--   job_id        the job
--   from_event    the last event before the silence
--   from_service  who sent it
--   to_event      the first event after the silence
--   to_service    who sent it
--   from_time     when it began, by the producer's clock

with steps as (
    select * from transitions where $clocks <> 'raw'
    union all
    select * from raw_transitions where $clocks = 'raw'
)
select
    gap_ms,
    job_id,
    from_event,
    from_service,
    event_type as to_event,
    service as to_service,
    from_time
from steps
where
    gap_ms >= $min_gap
    and ($job_id is null or job_id = $job_id)
    and ($since is null or from_at >= $since)
    and ($until is null or happened_at < $until)
order by gap_ms desc, from_time, job_id
limit $limit
