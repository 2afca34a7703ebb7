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
        cast(happened as bigint) as at_ms
    from clocked
    where
        ($since is null or happened >= $since)
        and ($until is null or happened < $until)
),
steps as (
    select
        job_id,
        lag(service) over job as from_service,
        service as to_service,
        at_ms - lag(at_ms) over job as ms
    from happened
    -- Order of arrival: one clock for all services, so that their own clocks can be compared.
    -- IDs are text: of two of one millisecond the longer one came later.
    window job as (partition by job_id order by ingested_at, length(id), id)
)
select
    from_service,
    to_service,
    count(*) as handoffs,
    round(avg(ms) filter (where ms >= 0), 1) as avg_ms,
    round(quantile_cont(ms, 0.5) filter (where ms >= 0), 1) as p50_ms,
    round(quantile_cont(ms, 0.95) filter (where ms >= 0), 1) as p95_ms,
    round(quantile_cont(ms, 0.99) filter (where ms >= 0), 1) as p99_ms,
    max(ms) filter (where ms >= 0) as max_ms,
    count(*) filter (where ms < 0) as skewed,
    first_value(job_id order by ms desc, job_id) filter (where ms >= 0) as worst_job
from steps
where from_service <> to_service
group by from_service, to_service
order by p95_ms desc nulls last, handoffs desc, from_service, to_service
limit $limit
