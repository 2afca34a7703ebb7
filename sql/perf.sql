-- Per event type: how often, how long it took, and how much of it failed. Most frequent first.
-- The times are those that events state themselves (`duration_ms`); they are null where no
-- event of the type does.
--
-- parameters:
--   since  timestamp  optional    only events from then on
--   until  timestamp  optional    only events before then
--   limit  integer    default 50  rows at most
--
-- columns:
--   event_type   what happened
--   count        how often
--   avg_ms       the average duration
--   p50_ms       half took no longer than this
--   p95_ms       95 of 100 took no longer than this
--   p99_ms       99 of 100 took no longer than this
--   max_ms       the longest
--   errors       how many have the level `error`
--   error_share  errors of all, from 0 to 1

select
    event_type,
    count(*) as count,
    round(avg(duration_ms), 1) as avg_ms,
    round(quantile_cont(duration_ms, 0.5), 1) as p50_ms,
    round(quantile_cont(duration_ms, 0.95), 1) as p95_ms,
    round(quantile_cont(duration_ms, 0.99), 1) as p99_ms,
    round(max(duration_ms), 1) as max_ms,
    count(*) filter (where level = 'error') as errors,
    round(cast(count(*) filter (where level = 'error') as double) / count(*), 4) as error_share
from events
where
    ($since is null or timestamp >= $since)
    and ($until is null or timestamp < $until)
group by event_type
order by count(*) desc, event_type
limit $limit
