//! What the types of events mean, read from their names: `{entity}.{action}`.

use serde_json::{Map, Value};

/// What an event does to a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role<'a> {
    /// It opens one of that name within its entity: `processing` in `connector.processing_started`,
    /// nothing in `worker.starting`.
    Opens(&'a str),
    /// It closes one.
    Closes(&'a str),
    /// Neither.
    Neither,
}

const OPENING: [&str; 5] = ["started", "starting", "executing", "delivering", "running"];
const CLOSING: [&str; 7] = ["completed", "failed", "ready", "delivered", "cancelled", "canceled", "finished"];
const TERMINAL: [&str; 6] = ["completed", "failed", "cancelled", "canceled", "creation_failed", "timed_out"];

/// The part before the dot.
pub fn entity(event_type: &str) -> &str {
    event_type.split_once('.').map_or(event_type, |(entity, _)| entity)
}

/// What an event of that type does to a span of its entity.
pub fn role(event_type: &str) -> Role<'_> {
    let action = event_type.split_once('.').map_or(event_type, |(_, action)| action);
    let (name, word) = action.rsplit_once('_').unwrap_or(("", action));
    // A job is no span of its own: it would cover every wait within it.
    if entity(event_type) == "job" {
        Role::Neither
    } else if OPENING.contains(&word) {
        Role::Opens(name)
    } else if CLOSING.contains(&word) {
        Role::Closes(name)
    } else {
        Role::Neither
    }
}

/// The name of a span: `connector.processing`, or `webhook` alone.
pub fn span_name(entity: &str, name: &str) -> String {
    if name.is_empty() { entity.to_owned() } else { format!("{entity}.{name}") }
}

/// Does what closes `name` within an entity close the span of that name? One that has no name of its own
/// closes any of its entity, and is closed by any.
pub fn closes(of: &str, name: &str, span: &str) -> bool {
    entity(span) == of && (span == of || name.is_empty() || span == span_name(of, name))
}

/// Does nothing more have to come of the job itself?
pub fn is_terminal(event_type: &str) -> bool {
    event_type.strip_prefix("job.").is_some_and(|action| TERMINAL.contains(&action))
}

/// Has a worker taken the job?
pub fn is_claim(event_type: &str) -> bool {
    matches!(event_type, "job.claimed" | "job.assigned" | "job.accepted" | "job.picked_up")
}

/// Does the job wait for a worker from then on?
pub fn is_queued(event_type: &str) -> bool {
    matches!(event_type, "job.queued" | "job.requeued" | "job.submitted")
}

/// Will the job be tried again?
pub fn is_retry(event_type: &str) -> bool {
    matches!(event_type, "job.retry_scheduled" | "job.retrying" | "job.retry")
}

/// What kind of job it is, as `job.created` says.
pub fn job_type_of(data: &Map<String, Value>) -> Option<&str> {
    ["jobType", "job_type", "type"].iter().find_map(|key| data.get(*key)?.as_str())
}

/// Before when nothing is to be expected of the job, ms since the epoch, where the event says so.
pub fn retry_at_ms(data: &Map<String, Value>) -> Option<i64> {
    ["nextRetryAt", "scheduledFor", "retryAt"].iter().find_map(|key| match data.get(*key)? {
        Value::Number(number) => number.as_f64().map(|ms| ms as i64),
        Value::String(text) => Some(text.parse::<jiff::Timestamp>().ok()?.as_millisecond()),
        _ => None,
    })
}
