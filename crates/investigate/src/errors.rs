//! Errors put together by what they say.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use emp_findings::ErrorClass;
use emp_job::{JobEvent, error_text, fingerprint};
use emp_query::{ErrorFigures, literal, moment_literal};

use super::detect::HOUR_MS;
use super::investigation::{Investigation, InvestigationError};
use super::perf::{EVENTS_READ_MAX, has_many_events};

/// Errors that are looked at, the newest.
const EVENTS_MAX: usize = 200_000;
/// So many kinds of very many errors are told, the most frequent.
const CLASSES_MAX: usize = 20;
/// Of an error that says nothing.
const NO_TEXT: &str = "(no text)";

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
        if has_many_events(self.engine(), Some(since_ms), Some(until_ms), EVENTS_READ_MAX)?
            && let Some(figures) = self.engine().error_figures(since_ms, until_ms).await?
        {
            return self.classes_of((since_ms, until_ms), figures, parts).await;
        }
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
        sort(&mut classes);
        Ok(classes)
    }
}

impl Investigation<'_> {
    /// The most frequent of very many errors, which are known without being read. In their course each hour counts where its
    /// middle lies.
    async fn classes_of(
        &self,
        range: (i64, i64),
        figures: Vec<ErrorFigures>,
        parts: usize,
    ) -> Result<Vec<ErrorClass>, InvestigationError> {
        let mut classes = Vec::new();
        for figures in figures.into_iter().take(CLASSES_MAX) {
            let mut course = vec![0.0; parts.max(1)];
            for (hour_ms, events) in &figures.hours {
                course[part_of(hour_ms + HOUR_MS / 2, range, parts)] += *events as f64;
            }
            classes.push(ErrorClass {
                example: self.first_text(&figures).await?,
                service: figures.service.to_string(),
                event_type: figures.event_type.to_string(),
                count: usize::try_from(figures.events).unwrap_or(usize::MAX),
                jobs: usize::try_from(figures.jobs).unwrap_or(usize::MAX),
                first_ms: figures.first_ms,
                last_ms: figures.last_ms,
                course,
            });
        }
        sort(&mut classes);
        Ok(classes)
    }

    /// What the first of them says.
    async fn first_text(&self, figures: &ErrorFigures) -> Result<String, InvestigationError> {
        let condition = format!(
            "level = 'error' and timestamp = {} and service = {} and event_type = {}",
            moment_literal(figures.first_ms),
            literal(&figures.service),
            literal(&figures.event_type)
        );
        let mut events = self.events(&condition, EVENTS_MAX).await?;
        events.sort_by_key(|event| event.id);
        let texts = events.iter().map(|event| error_text(&event.data));
        let first =
            texts.into_iter().find(|text| fingerprint(text.as_deref().unwrap_or_default()) == *figures.fingerprint);
        Ok(first.flatten().unwrap_or_else(|| NO_TEXT.to_owned()))
    }
}

/// The most frequent first.
fn sort(classes: &mut [ErrorClass]) {
    classes.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| (&a.service, &a.example).cmp(&(&b.service, &b.example))));
}

/// In which of the equal parts of a range a moment lies, ms since the epoch.
fn part_of(ms: i64, (since_ms, until_ms): (i64, i64), parts: usize) -> usize {
    let at = (ms - since_ms) as f64 / (until_ms - since_ms).max(1) as f64 * parts.max(1) as f64;
    (at.max(0.0) as usize).min(parts.max(1) - 1)
}

fn class_of(events: &[JobEvent], range: (i64, i64), parts: usize) -> Option<ErrorClass> {
    let (first, last) = (events.first()?, events.last()?);
    let mut course = vec![0.0; parts.max(1)];
    for event in events {
        course[part_of(event.timestamp_ms, range, parts)] += 1.0;
    }
    let jobs: HashSet<&str> = events.iter().filter_map(|event| event.job_id.as_deref()).collect();
    Some(ErrorClass {
        service: first.service.to_string(),
        event_type: first.event_type.to_string(),
        example: error_text(&first.data).unwrap_or_else(|| NO_TEXT.to_owned()),
        count: events.len(),
        jobs: jobs.len(),
        first_ms: first.timestamp_ms,
        last_ms: last.timestamp_ms,
        course,
    })
}
