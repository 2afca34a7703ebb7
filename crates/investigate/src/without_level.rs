//! Failures that were stored as if nothing had failed.
//!
//! An error is what the column `level` says, everywhere. Where a producer gives no level the collector derives it from
//! the type, but a store that was written before it did so holds `info` there, and those events count as no errors.
//! What they are is not made up afterwards: other engines read the same column. Whoever asks is told how many there
//! are.

use emp_event::{Level, tells_of_failure};
use emp_job::JobEvent;
use emp_query::{Engine, moment_literal};
use emp_units as units;

use super::investigation::InvestigationError;
use super::rows::Rows;

/// Types that are named, at most.
const TYPES_NAMED: usize = 3;

/// Events whose type tells of a failure and whose level is `info`, of a range of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WithoutLevel {
    /// How many there are of each type, the most frequent first.
    types: Vec<(String, u64)>,
}

impl WithoutLevel {
    /// Those from the first moment on and before the last, in ms since the epoch; of all times where none is given.
    ///
    /// # Errors
    /// [`InvestigationError`] where the store cannot be read.
    pub async fn of_range(
        engine: &Engine,
        since_ms: Option<i64>,
        until_ms: Option<i64>,
    ) -> Result<Self, InvestigationError> {
        let since = since_ms.map(|ms| format!(" and timestamp >= {}", moment_literal(ms))).unwrap_or_default();
        let until = until_ms.map(|ms| format!(" and timestamp < {}", moment_literal(ms))).unwrap_or_default();
        let sql = format!(
            "select event_type, count(*) as events from events where level = 'info'{since}{until} \
             group by 1 order by 2 desc, 1"
        );
        let types = Rows::ask(engine, &sql).await?.map(|row| Ok((row.text("event_type")?, row.integer("events")?)))?;
        Ok(Self::of_types(types.iter().map(|(event_type, events)| (event_type.as_str(), events.unsigned_abs()))))
    }

    /// Those among so many events of the level `info` of each type, the most frequent first.
    pub(super) fn of_types<'a>(infos: impl Iterator<Item = (&'a str, u64)>) -> Self {
        let types = infos.filter(|(event_type, events)| *events > 0 && tells_of_failure(event_type));
        let mut types: Vec<(String, u64)> = types.map(|(event_type, events)| (event_type.to_owned(), events)).collect();
        types.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Self { types }
    }

    /// Those among these events.
    pub fn among(events: &[JobEvent]) -> Self {
        let mut types: Vec<(String, u64)> = Vec::new();
        let is_meant = |event: &&JobEvent| *event.level == *Level::Info.as_str() && tells_of_failure(&event.event_type);
        for event in events.iter().filter(is_meant) {
            match types.iter_mut().find(|(event_type, _)| **event_type == *event.event_type) {
                Some((_, count)) => *count += 1,
                None => types.push((event.event_type.to_string(), 1)),
            }
        }
        Self { types }
    }

    /// How many there are.
    pub fn events(&self) -> u64 {
        self.types.iter().map(|(_, events)| events).sum()
    }

    /// What is to be said about them; `None` where there are none.
    pub fn note(&self) -> Option<String> {
        if self.types.is_empty() {
            return None;
        }
        let count = units::count(self.events());
        let (events, tell, have, are) = match self.events() {
            1 => ("event", "tells", "has", "it is"),
            _ => ("events", "tell", "have", "they are"),
        };
        let named: Vec<&str> = self.types.iter().take(TYPES_NAMED).map(|(event_type, _)| event_type.as_str()).collect();
        let more = if self.types.len() > TYPES_NAMED { ", …" } else { "" };
        Some(format!(
            "{count} {events} {tell} of a failure ({}{more}) and {have} the level info, as they were stored with: \
             {are} not counted as errors",
            named.join(", ")
        ))
    }
}
