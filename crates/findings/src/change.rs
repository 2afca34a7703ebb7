//! What is different in one range of time from another.

use serde::Serialize;

use crate::Moment;

/// What changed from one range of time to a later one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changes {
    /// From when to before when the later range is, as far as the store covers it.
    pub after: [Moment; 2],
    /// The same of the earlier range.
    pub before: [Moment; 2],
    /// How much of the later range has events, in hours: rates are per hour of that.
    pub after_hours: f64,
    /// The same of the earlier range.
    pub before_hours: f64,
    /// How many events the later range has.
    pub after_events: u64,
    /// How many events the earlier range has.
    pub before_events: u64,
    /// The jobs of both ranges, which rates of events are measured by.
    pub jobs: Option<Jobs>,
    /// How many tests were made.
    pub tests: usize,
    /// Of the changes that are told this share is false, at most.
    pub q_max: f64,
    /// What changed, the most important first.
    pub changes: Vec<Change>,
    /// What limits the comparison, in words.
    pub notes: Vec<String>,
}

impl Changes {
    /// Has each of the ranges an event at all?
    pub const fn can_compare(&self) -> bool {
        self.after_events > 0 && self.before_events > 0
    }
}

/// How many jobs began in both ranges.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Jobs {
    /// The type of event that they are counted by.
    pub event_type: String,
    /// In the earlier range.
    pub before_per_hour: f64,
    /// In the later one.
    pub after_per_hour: f64,
}

/// Something that changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// How.
    pub change: Direction,
    /// What kind of thing.
    pub kind: ChangeKind,
    /// Its name: a type of event, a worker, the text of an error.
    pub what: String,
    /// Whose it is, where it is one service's.
    pub service: Option<String>,
    /// Of a connector: the key of `data` that names it.
    pub key: Option<String>,
    /// How often it was counted in the earlier range.
    pub before_count: u64,
    /// How often in the later one.
    pub after_count: u64,
    /// Of a share: what it is a share of, in the earlier range.
    pub before_of: Option<u64>,
    /// The same in the later one.
    pub after_of: Option<u64>,
    /// Of what happens or not: how often an hour in the earlier range.
    pub before_per_hour: Option<f64>,
    /// The same in the later one.
    pub after_per_hour: Option<f64>,
    /// Of what takes time: how long half of it took at most in the earlier range.
    pub before_p50_ms: Option<f64>,
    /// The same in the later one.
    pub after_p50_ms: Option<f64>,
    /// How many times as much, as often or as long as was to be expected by the earlier range and, of events of
    /// jobs, by the number of jobs; `None` where there was nothing before.
    pub factor: Option<f64>,
    /// How the difference was tested.
    pub test: Test,
    /// The probability of such a difference by chance.
    pub p_value: f64,
    /// The share of false findings among those up to this one.
    pub q_value: f64,
    /// In one line.
    pub words: String,
    /// What goes with it, and is not told again.
    pub implies: Vec<Implied>,
}

impl Change {
    /// Is it one for the worse, whatever its size?
    pub const fn is_bad(&self) -> bool {
        matches!(
            (self.kind, self.change),
            (
                ChangeKind::ErrorText | ChangeKind::ErrorShare | ChangeKind::MissingStep,
                Direction::New | Direction::More
            ) | (ChangeKind::Service | ChangeKind::Machine | ChangeKind::Worker, Direction::Gone)
                | (ChangeKind::Outcome, _)
        )
    }
}

/// A change that follows from another one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Implied {
    /// How it changed.
    pub change: Direction,
    /// What kind of thing it is.
    pub kind: ChangeKind,
    /// Its name.
    pub what: String,
    /// In one line.
    pub words: String,
}

/// How something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// It was not there before.
    New,
    /// It is not there any more.
    Gone,
    /// There is more of it.
    More,
    /// There is less of it.
    Less,
    /// It takes longer.
    Slower,
    /// It takes less time.
    Faster,
}

impl Direction {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::More => "more",
            Self::Less => "less",
            Self::Slower => "slower",
            Self::Faster => "faster",
        }
    }
}

/// How a difference was tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Rates: as far as they vary from slot to slot by themselves.
    QuasiPoisson,
    /// Shares: Fisher's exact test.
    Fisher,
    /// Durations: Mann and Whitney's, of slots in which they depend on each other.
    MannWhitney,
    /// What is new or gone: that none of its occurrences falls into the time without it.
    Absence,
}

impl Test {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QuasiPoisson => "quasi_poisson",
            Self::Fisher => "fisher",
            Self::MannWhitney => "mann_whitney",
            Self::Absence => "absence",
        }
    }
}

/// What kind of thing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// What errors say, ids and numbers masked.
    ErrorText,
    /// How jobs end.
    Outcome,
    /// The share of errors among events.
    ErrorShare,
    /// The share of completed jobs of a kind that lack an event which they have else.
    MissingStep,
    /// A service.
    Service,
    /// A machine.
    Machine,
    /// A worker.
    Worker,
    /// How long the work of one connector takes.
    Connector,
    /// How long events of a type take.
    Latency,
    /// How long a worker takes, beside its peers.
    WorkerSpeed,
    /// How many jobs come in.
    Jobs,
    /// How often a type of event occurs.
    EventType,
}

impl ChangeKind {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ErrorText => "error_text",
            Self::Outcome => "outcome",
            Self::ErrorShare => "error_share",
            Self::MissingStep => "missing_step",
            Self::Service => "service",
            Self::Machine => "machine",
            Self::Worker => "worker",
            Self::Connector => "connector",
            Self::Latency => "latency",
            Self::WorkerSpeed => "worker_speed",
            Self::Jobs => "jobs",
            Self::EventType => "event_type",
        }
    }

    /// The same for people.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::ErrorText => "error",
            Self::Outcome => "job outcome",
            Self::ErrorShare => "share of errors",
            Self::MissingStep => "jobs without",
            Self::Service => "service",
            Self::Machine => "machine",
            Self::Worker => "worker",
            Self::Connector => "connector",
            Self::Latency => "event type",
            Self::WorkerSpeed => "worker",
            Self::Jobs => "number of",
            Self::EventType => "event type",
        }
    }
}
