//! The parts of a job's life that no piece of work covers.

use super::history::History;
use super::meaning::Meaning;
use super::runs::Run;
use super::spans::Span;
use super::words::{Role, role};

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
    /// It was to wait.
    Delay,
    /// It waits for other jobs.
    OtherJobs,
    /// It waits for its next attempt.
    RetryBackoff,
    /// Between two services.
    Handoff,
    /// Its worker had been given up, or was to be.
    Lost,
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
            Self::Delay => "delay",
            Self::OtherJobs => "other-jobs",
            Self::RetryBackoff => "retry-backoff",
            Self::Handoff => "handoff",
            Self::Lost => "lost",
            Self::SilentRun => "silent-run",
            Self::Tail => "tail",
        }
    }
}

impl History {
    /// What kind of silence lies between these two events.
    pub(super) fn kind_between(&self, before: usize, after: Option<usize>) -> GapKind {
        let meaning = self.meaning(before);
        let is_taken = after.is_none_or(|after| self.meaning(after) == Some(Meaning::Claimed));
        let (event, next) = (&self.events()[before], after.map(|after| &self.events()[after]));
        if meaning.is_some_and(Meaning::is_between_attempts) {
            GapKind::RetryBackoff
        } else if meaning == Some(Meaning::Delayed) {
            GapKind::Delay
        } else if meaning == Some(Meaning::Blocked) {
            GapKind::OtherJobs
        } else if meaning.is_some_and(Meaning::is_put_back) || (meaning == Some(Meaning::Created) && is_taken) {
            GapKind::QueueWait
        } else if after.is_some_and(|after| self.is_loss(before, after)) {
            GapKind::Lost
        } else if next.is_some_and(|next| next.service != event.service) {
            GapKind::Handoff
        } else if matches!(role(&event.event_type, meaning), Role::Closes(_)) {
            GapKind::Tail
        } else {
            GapKind::SilentRun
        }
    }

    /// Does the time in which a lost job was nobody's lie between them?
    fn is_loss(&self, before: usize, after: usize) -> bool {
        self.losses().any(|(_, loss)| loss.last <= before && after <= loss.noticed)
    }

    pub(super) fn find_gaps(&self) -> Vec<Gap> {
        let end = self.end_ms();
        // What a worker tells of a job that had been taken from it covers no time in which the job was nobody's.
        let covers = |span: &Span| {
            let worker = self.events()[span.event].worker_id.as_ref();
            let is_its_own =
                |run: &Run| run.attempt == span.attempt && worker.is_some() && run.worker.as_ref() == worker;
            let lost = self.losses().find(|(run, _)| is_its_own(run));
            let until_ms = lost.map(|(_, loss)| self.events()[loss.last].happened_ms().max(span.start_ms));
            Some((span.start_ms, span.end_ms?.min(until_ms.unwrap_or(i64::MAX))))
        };
        let covered = union(self.spans().iter().filter_map(covers).collect());
        let mut gaps = Vec::new();
        let last = self.end_index().unwrap_or(self.events().len() - 1);
        let course: Vec<usize> = self.course().iter().copied().take_while(|index| *index <= last).collect();
        for (place, before) in course.iter().copied().enumerate() {
            let after = course.get(place + 1).copied();
            let start_ms = self.events()[before].happened_ms();
            let end_ms = after.map_or(end, |after| self.events()[after].happened_ms());
            for (start_ms, end_ms) in uncovered((start_ms, end_ms), &covered) {
                let kind = self.kind_between(before, after);
                gaps.push(Gap { start_ms, end_ms, kind, before, after });
            }
        }
        gaps
    }
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
