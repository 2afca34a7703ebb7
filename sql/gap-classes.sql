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
        ms - lag(ms) over job as gap_ms
    from happened
    window job as (partition by job_id order by ms, ingested_at, length(id), id)
)
select
    from_event,
    from_service,
    to_event,
    to_service,
    count(*) as gaps,
    sum(gap_ms) as total_ms,
    round(quantile_cont(gap_ms, 0.5), 1) as p50_ms,
    round(quantile_cont(gap_ms, 0.95), 1) as p95_ms,
    max(gap_ms) as max_ms,
    first_value(job_id order by gap_ms desc, job_id) as worst_job
from steps
where gap_ms >= $min_gap
group by from_event, from_service, to_event, to_service
order by max_ms desc, gaps desc, from_event, from_service, to_event, to_service
limit $limit
