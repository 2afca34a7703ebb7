//! Workers, as of one moment.

use serde::Serialize;

use crate::Moment;

/// A worker: whether it lives, what it has, and how it does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkerState {
    /// The worker.
    pub worker_id: String,
    /// The machine that it says it is on.
    pub machine_id: Option<String>,
    /// Does it live?
    pub life: Life,
    /// When it was heard of last, by Redis' clock.
    pub last_heard: Moment,
    /// Since when it is silent, or has ended; nothing of one that lives.
    pub since: Option<Moment>,
    /// How long it mostly leaves nothing to be heard, in ms: 99 of 100 times no longer, or from one heartbeat to the
    /// next; `None` where that is not known yet.
    pub habit_ms: Option<f64>,
    /// From which silence on it is taken to be dead, in ms.
    pub limit_ms: i64,
    /// How many events it sent in the range.
    pub events: u64,
    /// How often it started in the range.
    pub restarts: usize,
    /// When it started last.
    pub restarted: Option<Moment>,
    /// The jobs that it has.
    pub jobs: Vec<String>,
    /// The jobs that it had when it died, or that another one took from it.
    pub lost: Vec<LostJob>,
    /// How many times as long as its peers it takes, where that differs.
    pub speed: Option<Speed>,
    /// By how much its clock is proven to be wrong.
    pub clock: Option<ClockOff>,
}

impl WorkerState {
    /// When it started again after it had lost a job: it had died. One that froze and went on has not.
    pub fn started_without_its_jobs(&self) -> Option<Moment> {
        self.restarted.filter(|restarted| self.lost.iter().any(|lost| lost.since.0 <= restarted.0))
    }
}

/// Does a worker live?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// Nothing is heard of it for longer than is its habit.
    Silent,
    /// It was heard of within its habit.
    Alive,
    /// It said that it ends.
    Stopped,
}

impl Life {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Alive => "alive",
            Self::Stopped => "stopped",
        }
    }
}

/// A job that a worker did not bring to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LostJob {
    /// The job.
    pub job_id: String,
    /// The worker's last word about it.
    pub since: Moment,
    /// Who took it; nobody so far where there is none.
    pub taken_by: Option<String>,
    /// How long after the worker's last word about it, in ms.
    pub after_ms: Option<i64>,
}

/// A worker that takes longer than its peers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Speed {
    /// How many times as long.
    pub factor: f64,
    /// Since when.
    pub since: Moment,
}

/// A clock that is proven to be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClockOff {
    /// It is ahead by so many ms at least; below zero where it is behind.
    pub ms: i64,
    /// Since when that shows.
    pub since: Moment,
}

/// The workers of a store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Workers {
    /// From when to when they are looked at.
    pub window: [Moment; 2],
    /// Each that was heard of: the silent first, then by name.
    pub workers: Vec<WorkerState>,
    /// What to know beside it.
    pub notes: Vec<String>,
}
