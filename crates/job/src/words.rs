//! What the name of a type says by itself: `{entity}.{action}`, and whether the action opens or closes a piece of work.

use serde_json::{Map, Value};

use super::meaning::Meaning;
use super::vocabulary::vocabulary;

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

/// The part before the dot.
pub fn entity(event_type: &str) -> &str {
    event_type.split_once('.').map_or(event_type, |(entity, _)| entity)
}

/// What an event of that type and meaning does to a span of its entity.
pub fn role(event_type: &str, meaning: Option<Meaning>) -> Role<'_> {
    let action = event_type.split_once('.').map_or(event_type, |(_, action)| action);
    let (name, word) = action.rsplit_once('_').unwrap_or(("", action));
    // A job is no span of its own: it would cover every wait within it.
    if entity(event_type) == "job" || meaning.is_some_and(Meaning::is_of_job) {
        Role::Neither
    } else if vocabulary().begins_work(word) {
        Role::Opens(name)
    } else if vocabulary().ends_work(word) {
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

/// What kind of job it is, as `job.created` says.
pub fn job_type_of(data: &Map<String, Value>) -> Option<&str> {
    ["jobType", "job_type", "type"].iter().find_map(|key| data.get(*key)?.as_str())
}
