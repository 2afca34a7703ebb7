//! Errors put together by what they say.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use emp_findings::ErrorClass;
use emp_job::{JobEvent, error_text, fingerprint};
use emp_query::moment_literal;

use super::investigation::{Investigation, InvestigationError};

/// Errors that are looked at, the newest.
const EVENTS_MAX: usize = 200_000;

impl Investigation<'_> {
    /// The errors of a range of time, from its first moment to before its last, in ms since the epoch; the
    /// most frequent first. Their course has so many `parts`, one at least.
    ///
    /// # Errors
    /// As [`Investigation::open`].
    pub async fn errors(
        &self,
        (since_ms, until_ms): (i64, i64),
        parts: usize,
    ) -> Result<Vec<ErrorClass>, InvestigationError> {
        let condition = format!(
            "level = 'error' and timestamp >= {} and timestamp < {}",
            moment_literal(since_ms),
            moment_literal(until_ms)
        );
        let mut events = self.events(&condition, EVENTS_MAX).await?;
        events.sort_by_key(|event| (event.timestamp_ms, event.id));
        let mut classes: BTreeMap<(Arc<str>, Arc<str>, String), Vec<JobEvent>> = BTreeMap::new();
        for event in events {
            let text = error_text(&event.data).unwrap_or_default();
            let key = (event.service.clone(), event.event_type.clone(), fingerprint(&text));
            classes.entry(key).or_default().push(event);
        }
        let range = (since_ms, until_ms);
        let mut classes: Vec<_> = classes.into_values().filter_map(|events| class_of(&events, range, parts)).collect();
        classes.sort_by(|a, b| {
            b.count.cmp(&a.count).then_with(|| (&a.service, &a.example).cmp(&(&b.service, &b.example)))
        });
        Ok(classes)
    }
}

fn class_of(events: &[JobEvent], (since_ms, until_ms): (i64, i64), parts: usize) -> Option<ErrorClass> {
    let (first, last) = (events.first()?, events.last()?);
    let mut course = vec![0.0; parts.max(1)];
    let length_ms = (until_ms - since_ms).max(1);
    for event in events {
        let at = (event.timestamp_ms - since_ms) as f64 / length_ms as f64 * course.len() as f64;
        let at = (at.max(0.0) as usize).min(course.len() - 1);
        course[at] += 1.0;
    }
    let jobs: HashSet<&str> = events.iter().filter_map(|event| event.job_id.as_deref()).collect();
    Some(ErrorClass {
        service: first.service.to_string(),
        event_type: first.event_type.to_string(),
        example: error_text(&first.data).unwrap_or_else(|| "(no text)".to_owned()),
        count: events.len(),
        jobs: jobs.len(),
        first_ms: first.timestamp_ms,
        last_ms: last.timestamp_ms,
        course,
    })
}
