//! The pieces of work of one job.

use std::sync::Arc;

use super::event::JobEvent;
use super::joining::OpenWork;
use super::meaning::Meaning;
use super::runs::Runs;
use super::words::{Role, entity, role, span_name};

/// Work that one event opened and another one closed, or that one event states the length of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// `connector.processing`, `webhook`.
    pub name: String,
    /// Who did it.
    pub service: Arc<str>,
    /// From when, ms since the epoch.
    pub start_ms: i64,
    /// Until when; `None` where no event has closed it yet. Work that was lost ends with the last word of its worker.
    pub end_ms: Option<i64>,
    /// Did it end with a failure?
    pub has_failed: bool,
    /// Was the job taken from whoever did it, before it was done?
    pub is_lost: bool,
    /// Of which attempt, from 1.
    pub attempt: u32,
    /// The event that opened it, else the one that tells of it.
    pub event: usize,
}

/// By their beginning.
pub(super) fn spans(events: &[JobEvent], meanings: &[Option<Meaning>], runs: &Runs) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    // Those that are open, by their places.
    let mut open = OpenWork::default();
    for (index, event) in events.iter().enumerate() {
        let run = runs.of_event(index);
        let key = u32::try_from(run).unwrap_or(u32::MAX);
        let attempt = runs.runs.get(run).map_or(1, |run| run.attempt);
        let of = entity(&event.event_type);
        match role(&event.event_type, meanings[index]) {
            Role::Opens(name) => {
                let name = span_name(of, name);
                open.begin(name.clone(), key, spans.len());
                spans.push(Span {
                    name,
                    service: event.service.clone(),
                    start_ms: event.happened_ms(),
                    end_ms: None,
                    has_failed: false,
                    is_lost: false,
                    attempt,
                    event: index,
                });
            }
            Role::Closes(name) => match open.end(of, name, key) {
                Some((_, opened)) => {
                    spans[opened].end_ms = Some(event.happened_ms());
                    spans[opened].has_failed = event.is_failure();
                }
                None => spans.extend(stated_span(event, index, name, attempt)),
            },
            Role::Neither => {}
        }
    }
    end_what_was_lost(&mut spans, events, runs);
    spans.sort_by_key(|span| span.start_ms);
    spans
}

/// Work of an attempt that was lost goes on no longer.
fn end_what_was_lost(spans: &mut [Span], events: &[JobEvent], runs: &Runs) {
    for span in spans.iter_mut().filter(|span| span.end_ms.is_none()) {
        let loss = runs.runs.get(runs.of_event(span.event)).and_then(|run| run.loss);
        if let Some(loss) = loss.filter(|_| entity(&events[span.event].event_type) != "webhook") {
            span.end_ms = Some(events[loss.last].happened_ms().max(span.start_ms));
            (span.has_failed, span.is_lost) = (true, true);
        }
    }
}

/// The span of an event that nothing opened, but that says how long it took.
fn stated_span(event: &JobEvent, index: usize, name: &str, attempt: u32) -> Option<Span> {
    let duration_ms = event.duration_ms.filter(|ms| ms.is_finite() && *ms > 0.0)?;
    let end_ms = event.happened_ms();
    Some(Span {
        name: span_name(entity(&event.event_type), name),
        service: event.service.clone(),
        start_ms: end_ms.saturating_sub(duration_ms as i64),
        end_ms: Some(end_ms),
        has_failed: event.is_failure(),
        is_lost: false,
        attempt,
        event: index,
    })
}
