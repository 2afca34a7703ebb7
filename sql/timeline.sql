-- The events of one job in order, each with the time since the one before; silences are marked.
--
-- parameters:
--   job_id   text      required    the job
--   min_gap  duration  default 5s  a silence from this length on is a gap
--   clocks   text      default corrected  `raw`: by the producers' clocks as they are; else as is known of clocks that are wrong
--
-- columns:
--   timestamp    when it happened, by the producer's clock
--   delta_ms     milliseconds since the event before; null in the first row
--   is_gap       is that min_gap or more?
--   service      who sent it
--   event_type   what happened
--   level        how grave it is
--   duration_ms  how long it took, where the event says so
--   worker_id    the worker
--   machine_id   the machine
--   data         all else that the producer said, as JSON
--   id           the entry ID: the order of arrival

with happened as (
    select
        *,
        -- No event happens after it arrived, and those of a clock that is proven to be behind happened later than they say.
        cast(
            case
                when $clocks = 'raw' then timestamp
                else happened_at(timestamp, ingested_at, coalesce(worker_id, machine_id, service))
            end as bigint
        ) as ms
    from events
    where job_id = $job_id
),
steps as (
    select
        *,
        ms - lag(ms) over (order by ms, ingested_at, length(id), id) as delta_ms
    from happened
)
select
    timestamp,
    delta_ms,
    coalesce(delta_ms >= $min_gap, false) as is_gap,
    service,
    event_type,
    level,
    duration_ms,
    worker_id,
    machine_id,
    data,
    id
from steps
-- IDs are text: of two of one millisecond the longer one came later.
order by ms, ingested_at, length(id), id
