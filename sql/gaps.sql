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

with clocked as (
    select
        *,
        -- No event happens after it arrived, and those of a clock that is proven to be behind happened later than they say.
        case
            when $clocks = 'raw' then timestamp
            else happened_at(timestamp, ingested_at, coalesce(worker_id, machine_id, service))
        end as happened
    from events
    where
        job_id is not null
        and ($job_id is null or job_id = $job_id)
        -- What is decided below by when events happened, as far as it rules files out.
        and (
            $since is null
            or ($clocks = 'raw' and timestamp >= $since)
            or ($clocks <> 'raw' and ingested_at >= $since)
        )
        and ($until is null or timestamp < $until or ingested_at < $until)
),
happened as (
    select
        *,
        cast(happened as bigint) as ms
    from clocked
    where
        ($since is null or happened >= $since)
        and ($until is null or happened < $until)
),
steps as (
    select
        job_id,
        lag(event_type) over job as from_event,
        lag(service) over job as from_service,
        event_type as to_event,
        service as to_service,
        lag(timestamp) over job as from_time,
        ms - lag(ms) over job as gap_ms
    from happened
    window job as (partition by job_id order by ms, ingested_at, length(id), id)
)
select
    gap_ms,
    job_id,
    from_event,
    from_service,
    to_event,
    to_service,
    from_time
from steps
where gap_ms >= $min_gap
order by gap_ms desc, from_time, job_id
limit $limit
