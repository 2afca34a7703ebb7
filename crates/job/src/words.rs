//! What the name of a type says by itself: `{entity}.{action}`, and whether the action opens or closes a piece of work.

use std::borrow::Cow;

use super::data::Data;
use super::meaning::Meaning;
use super::vocabulary::{Named, vocabulary};

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

/// The part before the dot; of a name that has none, all but its last word.
pub fn entity(event_type: &str) -> &str {
    let undotted = || split_undotted(event_type).unwrap_or((event_type, ""));
    event_type.split_once('.').unwrap_or_else(undotted).0
}

fn lower(word: &str) -> Cow<'_, str> {
    if word.bytes().any(|byte| byte.is_ascii_uppercase()) { word.to_ascii_lowercase().into() } else { word.into() }
}

/// The parts of a name that has no dot: `task` and `started` of `task-started`, `ActivityTask` and `Started` of
/// `ActivityTaskStarted`.
fn split_undotted(event_type: &str) -> Option<(&str, &str)> {
    if let Some(parts) = event_type.rsplit_once('-') {
        return Some(parts);
    }
    let (at, _) = event_type.char_indices().rev().find(|(_, c)| c.is_uppercase()).filter(|(at, _)| *at > 0)?;
    Some(event_type.split_at(at))
}

/// What an event of that type and meaning does to a span of its entity.
pub fn role(event_type: &str, meaning: Option<Meaning>) -> Role<'_> {
    // A job is no span of its own: it would cover every wait within it.
    if entity(event_type) == "job" || meaning.is_some_and(|meaning| meaning.is_of_job() && !meaning.is_within_attempt())
    {
        return Role::Neither;
    }
    let (name, word) = match event_type.split_once('.') {
        Some((_, action)) => action.rsplit_once('_').unwrap_or(("", action)),
        None => ("", split_undotted(event_type).map_or(event_type, |(_, word)| word)),
    };
    let word = &*lower(word);
    if vocabulary().begins_work(word) {
        Role::Opens(name)
    } else if vocabulary().ends_work(word) {
        Role::Closes(name)
    } else {
        Role::Neither
    }
}

/// Does an event of that type and meaning begin a piece of work, and none on telling somebody of the job's end?
pub fn begins_work(event_type: &str, meaning: Option<Meaning>) -> bool {
    matches!(role(event_type, meaning), Role::Opens(_)) && !meaning.is_some_and(Meaning::is_of_webhook)
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
pub fn job_type_of(data: &Data) -> Option<&str> {
    vocabulary().keys(Named::JobType).iter().find_map(|key| data.get(key)?.as_str())
}
