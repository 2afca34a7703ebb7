-- Every event type by service, and the id that its events owe and lack: how many, when, and one of
-- them. A job's and a connector's events owe a job, a worker's a worker, a machine's a machine, a
-- user's a user.
--
-- parameters:
--   since    timestamp  optional    only events from then on
--   until    timestamp  optional    only events before then
--
-- columns:
--   event_type  the event type
--   service     who sends it
--   lacks       the id that these events owe and do not have; empty where they have it, or owe none
--   events      how many
--   first_seen  the first of them, by the producer's clock
--   last_seen   the last
--   example_id  one of them

with named as (
    select
        event_type,
        service,
        case
            when split_part(event_type, '.', 1) in ('job', 'connector') and job_id is null then 'job_id'
            when split_part(event_type, '.', 1) = 'worker' and worker_id is null then 'worker_id'
            when split_part(event_type, '.', 1) = 'machine' and machine_id is null then 'machine_id'
            when split_part(event_type, '.', 1) = 'user' and user_id is null then 'user_id'
        end as lacks,
        timestamp,
        id
    from events
    where
        ($since is null or timestamp >= $since)
        and ($until is null or timestamp < $until)
)
select
    event_type,
    service,
    lacks,
    count(*) as events,
    min(timestamp) as first_seen,
    max(timestamp) as last_seen,
    max(id) as example_id
from named
group by event_type, service, lacks
order by event_type, service, lacks
