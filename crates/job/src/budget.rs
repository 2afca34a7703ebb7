//! Where a job's time went: its critical path, from its end back to its beginning.

use std::sync::Arc;

use super::gaps::GapKind;
use super::history::History;
use super::meaning::Meaning;

/// A part of a job's life. The parts of a budget follow each other without a hole: together they are
/// its whole life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it was.
    pub kind: PartKind,
    /// Who had the job.
    pub service: Arc<str>,
    /// From when, ms since the epoch.
    pub start_ms: i64,
    /// Until when.
    pub end_ms: i64,
}

impl Part {
    /// How long it took.
    pub fn ms(&self) -> i64 {
        self.end_ms - self.start_ms
    }
}

/// What a part of a job's life was.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PartKind {
    /// A span of that name.
    Work(String),
    /// No worker had taken it.
    QueueWait,
    /// It was to wait.
    Delay,
    /// It waited for other jobs.
    OtherJobs,
    /// It waited for its next attempt.
    Backoff,
    /// That worker had it and brought it to no end, until that was noticed.
    Lost(Arc<str>),
    /// Between those two events, which no span covers.
    Between {
        /// The event before.
        before: Arc<str>,
        /// The event after; `None` where nothing has followed yet.
        after: Option<Arc<str>>,
        /// What kind of silence it is.
        gap: GapKind,
    },
}

impl PartKind {
    /// Is it no time of the job's own: was it to wait, until a moment or for others?
    pub const fn is_asked(&self) -> bool {
        matches!(self, Self::Delay | Self::OtherJobs)
    }

    /// As it is written.
    pub fn label(&self) -> String {
        match self {
            Self::Work(name) => name.clone(),
            Self::QueueWait => "queue wait".to_owned(),
            Self::Delay => "delay, as asked".to_owned(),
            Self::OtherJobs => "waiting for other jobs".to_owned(),
            Self::Backoff => "retry backoff".to_owned(),
            Self::Lost(worker) => format!("lost by {worker}"),
            Self::Between { before, after: Some(after), .. } => format!("{before} → {after}"),
            Self::Between { before, after: None, .. } => format!("silence after {before}"),
        }
    }
}

/// An interval that explains the time it takes.
struct Interval {
    kind: PartKind,
    service: Arc<str>,
    start_ms: i64,
    end_ms: i64,
}

/// The parts of a job's life, in order. From its end backwards: the interval that ends last before
/// the cursor, or covers it, is on the path up to there; what lies uncovered between is a wait; on from that interval's
/// beginning. Durations are rounded, so that the next piece of work may seem to begin before the last one has ended. The
/// parts tile the job's life exactly.
pub fn budget(history: &History) -> Vec<Part> {
    let (start, end) = (history.start_ms(), history.end_ms());
    let mut intervals = intervals(history);
    intervals.retain(|interval| interval.start_ms >= start && interval.end_ms <= end);
    // Where two intervals end together, the longer one explains more.
    intervals.sort_by_key(|interval| (interval.end_ms, std::cmp::Reverse(interval.start_ms)));
    let mut parts = Vec::new();
    let mut cursor = end;
    while let Some(interval) = intervals.pop() {
        let Interval { kind, service, start_ms, end_ms } = interval;
        let end_ms = end_ms.min(cursor);
        if start_ms >= end_ms {
            continue;
        }
        waits(history, end_ms, cursor, &mut parts);
        cursor = start_ms;
        parts.push(Part { kind, service, start_ms, end_ms });
    }
    waits(history, start, cursor, &mut parts);
    parts.reverse();
    parts
}

/// Spans, waits, and times in which a job was lost.
fn intervals(history: &History) -> Vec<Interval> {
    let spans = history.spans().iter().filter_map(|span| {
        let kind = PartKind::Work(span.name.clone());
        Some(Interval { kind, service: span.service.clone(), start_ms: span.start_ms, end_ms: span.end_ms? })
    });
    let events = history.events();
    let losses = history.losses().map(|(run, loss)| Interval {
        kind: PartKind::Lost(run.named().into()),
        service: events[run.begun].service.clone(),
        start_ms: events[loss.last].happened_ms(),
        end_ms: events[loss.noticed].happened_ms(),
    });
    let mut intervals: Vec<Interval> = spans.chain(losses).collect();
    let mut waiting: Option<usize> = None;
    for (index, event) in events.iter().enumerate() {
        match history.meaning(index) {
            Some(meaning) if meaning.is_put_back() || meaning == Meaning::AttemptFailed => {
                // What was to wait is put into its queue when it is due.
                let before = waiting.replace(index).filter(|since| is_deferred(history, *since));
                intervals.extend(before.into_iter().flat_map(|since| wait(history, since, event.happened_ms())));
            }
            Some(Meaning::Created) if event.due_ms().is_some() => waiting = Some(index),
            Some(Meaning::Claimed | Meaning::Started) => {
                let since = waiting.take();
                intervals.extend(since.into_iter().flat_map(|since| wait(history, since, event.happened_ms())));
            }
            _ => {}
        }
    }
    let since = waiting.filter(|_| history.terminal().is_none());
    intervals.extend(since.into_iter().flat_map(|since| wait(history, since, history.end_ms())));
    intervals
}

/// Does that event say, or mean, that nothing is to be expected for a while?
fn is_deferred(history: &History, index: usize) -> bool {
    let meaning = history.meaning(index);
    let is_other_wait = meaning.is_some_and(|meaning| meaning.is_between_attempts() || meaning == Meaning::Blocked);
    is_other_wait || history.events()[index].due_ms().is_some()
}

/// A wait from that event on: as long as it was to, and then for a worker.
fn wait(history: &History, since: usize, end_ms: i64) -> Vec<Interval> {
    let event = &history.events()[since];
    let meaning = history.meaning(since);
    let piece = |kind, start_ms, end_ms| Interval { kind, service: event.service.clone(), start_ms, end_ms };
    let start_ms = event.happened_ms();
    if meaning.is_some_and(Meaning::is_between_attempts) {
        return vec![piece(PartKind::Backoff, start_ms, end_ms)];
    }
    if meaning == Some(Meaning::Blocked) {
        return vec![piece(PartKind::OtherJobs, start_ms, end_ms)];
    }
    match event.due_ms() {
        Some(due_ms) => {
            let due_ms = due_ms.clamp(start_ms, end_ms.max(start_ms));
            vec![piece(PartKind::Delay, start_ms, due_ms), piece(PartKind::QueueWait, due_ms, end_ms)]
        }
        None => vec![piece(PartKind::QueueWait, start_ms, end_ms)],
    }
}

/// Adds the time that no interval explains, cut where events are, the last piece first.
fn waits(history: &History, from_ms: i64, until_ms: i64, parts: &mut Vec<Part>) {
    let (events, course) = (history.events(), history.course());
    let mut until = until_ms;
    // The last event that had happened by then.
    let mut after = course.partition_point(|index| events[*index].happened_ms() < until_ms);
    while until > from_ms {
        let before = after.saturating_sub(1);
        let next = course.get(after).copied().filter(|next| events[*next].happened_ms() <= history.end_ms());
        let start_ms = events[course[before]].happened_ms().clamp(from_ms, until);
        if start_ms < until {
            let gap = history.kind_between(course[before], next);
            let (before, after) = (&events[course[before]], next.map(|next| events[next].event_type.clone()));
            let kind = PartKind::Between { before: before.event_type.clone(), after, gap };
            parts.push(Part { kind, service: before.service.clone(), start_ms, end_ms: until });
        }
        // No part begins before the first event, so this ends there at the latest.
        until = start_ms;
        after = before;
    }
}
