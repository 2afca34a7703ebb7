//! A job's events put in order, and what follows from them.

use super::event::JobEvent;
use super::joining::{Attempt, OpenWork, is_begun};
use super::vocabulary::{
    Role, entity, is_claim, is_queued, is_retry, is_terminal, job_type_of, retry_at_ms, role, span_name,
};

/// A job as it is seen at one moment.
#[derive(Debug, Clone)]
pub struct History {
    /// Its events in the order in which they happened: at least one.
    events: Vec<JobEvent>,
    now_ms: i64,
    terminal: Option<usize>,
    spans: Vec<Span>,
    gaps: Vec<Gap>,
    job_type: String,
}

/// Work that one event opened and another one closed, or that one event states the length of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// `connector.processing`, `webhook`.
    pub name: String,
    /// Who did it.
    pub service: String,
    /// From when, ms since the epoch.
    pub start_ms: i64,
    /// Until when; `None` where no event has closed it yet.
    pub end_ms: Option<i64>,
    /// Did it end with a failure?
    pub has_failed: bool,
    /// Of which attempt, from 1.
    pub attempt: u32,
    /// The event that opened it, else the one that tells of it.
    pub event: usize,
}

/// A part of a job's life that no span covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// From when, ms since the epoch.
    pub start_ms: i64,
    /// Until when.
    pub end_ms: i64,
    /// What kind of silence it is.
    pub kind: GapKind,
    /// The event before it.
    pub before: usize,
    /// The event after it; `None` where nothing has followed yet.
    pub after: Option<usize>,
}

impl Gap {
    /// How long it lasts.
    pub fn ms(&self) -> i64 {
        self.end_ms - self.start_ms
    }
}

/// The kinds of silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GapKind {
    /// No worker has taken the job.
    QueueWait,
    /// It waits for its next attempt.
    RetryBackoff,
    /// Between two services.
    Handoff,
    /// A worker has it and says nothing.
    SilentRun,
    /// After the work, before the end.
    Tail,
}

impl GapKind {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueWait => "queue-wait",
            Self::RetryBackoff => "retry-backoff",
            Self::Handoff => "handoff",
            Self::SilentRun => "silent-run",
            Self::Tail => "tail",
        }
    }
}

/// A job that went from one service to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handoff {
    /// The last event of the service that had it.
    pub from: usize,
    /// The first event of the one that took it.
    pub to: usize,
    /// How long that took; below zero where the two clocks disagree.
    pub ms: i64,
}

/// What an unfinished job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has ended: the event that says so.
    Ended(usize),
    /// No worker has taken it since that event.
    Waiting(usize),
    /// It is to be tried again, not before that moment, ms since the epoch.
    BackingOff(i64),
    /// A worker took it with that event and has not begun.
    Claimed(usize),
    /// A worker is at work on it.
    Working,
}

impl History {
    /// The history of a job, of those of its events that had arrived by `now_ms`. `None` where there
    /// are none.
    pub fn new(mut events: Vec<JobEvent>, now_ms: i64) -> Option<Self> {
        events.retain(|event| event.arrived_ms <= now_ms);
        events.sort_by_key(|event| (event.happened_ms(), event.id));
        if events.is_empty() {
            return None;
        }
        let terminal = terminal(&events);
        let spans = spans(&events);
        // Asked for with each gap, and a job may have a hundred thousand of them.
        let mut of_job = events.iter().filter(|event| event.event_type.starts_with("job."));
        let job_type = of_job.find_map(|event| job_type_of(&event.data)).unwrap_or_default().to_owned();
        let mut history = Self { events, now_ms, terminal, spans, gaps: Vec::new(), job_type };
        history.gaps = history.find_gaps();
        Some(history)
    }

    /// The events, in the order in which they happened.
    pub fn events(&self) -> &[JobEvent] {
        &self.events
    }

    /// The moment from which it is seen.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Spans by their beginning; those of webhooks after the job's end included.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Every part of the job's life that no span covers, in order; all of them, however short.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// The event that ended it.
    pub fn terminal(&self) -> Option<&JobEvent> {
        self.terminal.map(|index| &self.events[index])
    }

    /// Of several events that end it the first one counts: those after it.
    pub fn repeated_terminals(&self) -> usize {
        let Some(terminal) = self.terminal else { return 0 };
        self.events[terminal + 1..].iter().filter(|event| is_terminal(&event.event_type)).count()
    }

    /// The first moment of its life.
    pub fn start_ms(&self) -> i64 {
        self.events[0].happened_ms()
    }

    /// Its end, or now.
    pub fn end_ms(&self) -> i64 {
        self.terminal().map_or(self.now_ms.max(self.start_ms()), JobEvent::happened_ms)
    }

    /// The last event of all.
    pub fn last(&self) -> &JobEvent {
        // There is at least one event, or there would be no history.
        &self.events[self.events.len() - 1]
    }

    /// Were its first events trimmed, or never sent? A job begins with its creation.
    pub fn has_beginning(&self) -> bool {
        let is_beginning = |event: &JobEvent| matches!(event.event_type.as_str(), "job.created" | "job.submitted");
        self.events.iter().any(is_beginning)
    }

    /// What kind of job it is, where an event says so; else the empty text.
    pub fn job_type(&self) -> &str {
        &self.job_type
    }

    /// How often it was begun: 1 where nothing says that it was begun again.
    pub fn attempts(&self) -> u32 {
        let types = self.events.iter().map(|event| event.event_type.as_str());
        let pairs = std::iter::once(None).chain(types.clone().map(Some)).zip(types);
        let claims = pairs.filter(|(before, event_type)| is_begun(*before, event_type)).count() as u32;
        let of_job = self.events.iter().filter(|event| entity(&event.event_type) != "webhook");
        let stated = of_job.filter_map(|event| event.number("attempt")).fold(0.0, f64::max);
        claims.max(stated as u32).max(1)
    }

    /// The worker that has it, or had it last.
    pub fn holder(&self) -> Option<&str> {
        let is_of_job = |event: &&JobEvent| matches!(entity(&event.event_type), "job" | "connector");
        self.events.iter().rev().filter(is_of_job).find_map(|event| event.worker_id.as_deref())
    }

    /// The connector that works on it, or did last.
    pub fn connector(&self) -> Option<&str> {
        self.events.iter().rev().find_map(|event| event.text("connectorType"))
    }

    /// The queue that it was put into.
    pub fn queue(&self) -> Option<&str> {
        self.events.iter().rev().find_map(|event| event.text("queueName").or_else(|| event.text("queue")))
    }

    /// What it is doing, or that it has ended.
    pub fn state(&self) -> State {
        if let Some(terminal) = self.terminal {
            return State::Ended(terminal);
        }
        for (index, event) in self.events.iter().enumerate().rev() {
            let event_type = event.event_type.as_str();
            if is_claim(event_type) {
                return State::Claimed(index);
            } else if is_retry(event_type) {
                return match retry_at_ms(&event.data).filter(|at| self.now_ms < *at - event.ahead_ms()) {
                    Some(at) => State::BackingOff(at - event.ahead_ms()),
                    None => State::Waiting(index),
                };
            } else if is_queued(event_type) || event_type == "job.created" {
                return match retry_at_ms(&event.data).filter(|at| self.now_ms < *at) {
                    Some(at) => State::BackingOff(at),
                    None => State::Waiting(index),
                };
            } else if event_type == "job.progress_updated" || role(event_type) != Role::Neither {
                return State::Working;
            }
        }
        State::Working
    }

    /// Where it went from one service to another, within its life, in order of arrival.
    pub fn handoffs(&self) -> Vec<Handoff> {
        let mut order: Vec<usize> = (0..self.events.len()).collect();
        order.sort_by_key(|index| self.events[*index].id);
        let pairs = order.windows(2).map(|pair| (pair[0], pair[1]));
        let changes = pairs.filter(|(from, to)| self.events[*from].service != self.events[*to].service);
        changes
            .map(|(from, to)| Handoff { from, to, ms: self.events[to].timestamp_ms - self.events[from].timestamp_ms })
            .collect()
    }

    /// What kind of silence lies between these two events.
    pub(super) fn kind_between(&self, before: usize, after: Option<usize>) -> GapKind {
        kind_between(&self.events[before], after.map(|after| &self.events[after]))
    }

    fn find_gaps(&self) -> Vec<Gap> {
        let end = self.end_ms();
        let covered = union(self.spans.iter().filter_map(|span| Some((span.start_ms, span.end_ms?))).collect());
        let mut gaps = Vec::new();
        let last = self.terminal.unwrap_or(self.events.len() - 1);
        for before in 0..=last {
            let after = (before < last).then_some(before + 1);
            let start_ms = self.events[before].happened_ms();
            let end_ms = after.map_or(end, |after| self.events[after].happened_ms());
            for (start_ms, end_ms) in uncovered((start_ms, end_ms), &covered) {
                let kind = self.kind_between(before, after);
                gaps.push(Gap { start_ms, end_ms, kind, before, after });
            }
        }
        gaps
    }
}

fn kind_between(before: &JobEvent, after: Option<&JobEvent>) -> GapKind {
    let is_handed_over = after.is_some_and(|after| after.service != before.service);
    if is_retry(&before.event_type) {
        GapKind::RetryBackoff
    } else if is_queued(&before.event_type)
        || (before.event_type == "job.created" && after.is_none_or(|after| is_claim(&after.event_type)))
    {
        GapKind::QueueWait
    } else if is_handed_over {
        GapKind::Handoff
    } else if matches!(role(&before.event_type), Role::Closes(_)) {
        GapKind::Tail
    } else {
        GapKind::SilentRun
    }
}

/// The event that ended the job: the first that does so after it was last begun or put back.
fn terminal(events: &[JobEvent]) -> Option<usize> {
    let mut terminal = None;
    for (index, event) in events.iter().enumerate() {
        let event_type = event.event_type.as_str();
        if is_terminal(event_type) {
            terminal = terminal.or(Some(index));
        } else if is_claim(event_type) || is_queued(event_type) || is_retry(event_type) {
            terminal = None;
        }
    }
    // Where only the end is known: a webhook is sent once the job has ended.
    terminal.or_else(|| events.iter().all(|event| entity(&event.event_type) == "webhook").then_some(0))
}

fn spans(events: &[JobEvent]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    // Those that are open, by their places.
    let mut open = OpenWork::default();
    let mut attempt = Attempt::default();
    let mut before = None;
    for (index, event) in events.iter().enumerate() {
        attempt.follow(before, &event.event_type, event.number("attempt"));
        before = Some(event.event_type.as_str());
        let of = entity(&event.event_type);
        match role(&event.event_type) {
            Role::Opens(name) => {
                let name = span_name(of, name);
                open.begin(name.clone(), attempt.number(), spans.len());
                spans.push(Span {
                    name,
                    service: event.service.clone(),
                    start_ms: event.happened_ms(),
                    end_ms: None,
                    has_failed: false,
                    attempt: attempt.number(),
                    event: index,
                });
            }
            Role::Closes(name) => match open.end(of, name, attempt.number()) {
                Some((_, opened)) => {
                    spans[opened].end_ms = Some(event.happened_ms());
                    spans[opened].has_failed = event.is_failure();
                }
                None => spans.extend(stated_span(event, index, attempt.number())),
            },
            Role::Neither => {}
        }
    }
    spans.sort_by_key(|span| span.start_ms);
    spans
}

/// The span of an event that nothing opened, but that says how long it took.
fn stated_span(event: &JobEvent, index: usize, attempt: u32) -> Option<Span> {
    let duration_ms = event.duration_ms.filter(|ms| ms.is_finite() && *ms > 0.0)?;
    let Role::Closes(name) = role(&event.event_type) else { return None };
    let end_ms = event.happened_ms();
    Some(Span {
        name: span_name(entity(&event.event_type), name),
        service: event.service.clone(),
        start_ms: end_ms.saturating_sub(duration_ms as i64),
        end_ms: Some(end_ms),
        has_failed: event.is_failure(),
        attempt,
        event: index,
    })
}

/// The intervals that cover the same moments and do not touch each other, in order.
fn union(mut intervals: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    intervals.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::with_capacity(intervals.len());
    for (start, end) in intervals {
        match joined.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => joined.push((start, end)),
        }
    }
    joined
}

/// The parts of an interval that these, which are in order and apart, do not cover.
fn uncovered((start, end): (i64, i64), covered: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut parts = Vec::new();
    let mut from = start;
    let first = covered.partition_point(|(_, until)| *until <= start);
    for (begins, ends) in covered[first..].iter().take_while(|(begins, _)| *begins < end) {
        if from < *begins {
            parts.push((from, *begins));
        }
        from = from.max(*ends);
    }
    if from < end {
        parts.push((from, end));
    }
    parts
}
