//! What is said about a job.

use serde::{Serialize, Serializer};

use emp_event::EntryId;
use emp_job::JobEvent;

use crate::Moment;

/// What is the matter with a job, and why: what `diagnose` answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// The job.
    pub job_id: String,
    /// What is the matter.
    pub verdict: Verdict,
    /// How sure that is.
    pub confidence: Confidence,
    /// Why, in one sentence.
    pub reason: String,
    /// Who is behind it.
    pub culprit: Culprit,
    /// Since when, as far as something lasts.
    pub since: Option<Moment>,
    /// The last that was heard of the job.
    pub last_event: Option<LastEvent>,
    /// Where its time went; together its whole life.
    pub budget: Vec<BudgetPart>,
    /// The events that show it.
    pub evidence: Vec<Evidence>,
    /// What else has the same cause.
    pub same_cause: SameCause,
    /// What it is not.
    pub ruled_out: Vec<String>,
    /// Whether all is known.
    pub completeness: Completeness,
    /// Commands that show more.
    pub next: Vec<String>,
    /// What jobs of one cause have in common, such as the text of an error with ids and numbers masked.
    #[serde(skip)]
    pub cause: Option<String>,
}

/// What is the matter with a job. The first that applies, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The store has no event of it.
    NotFound,
    /// What would tell was lost.
    NoData,
    /// It ended with an error.
    Failed,
    /// It is tried again and again, with the same error each time.
    RetryLoop,
    /// Nothing is heard of the worker that has it.
    WorkerSilent,
    /// No worker has taken it.
    Waiting,
    /// A worker took it and does not begin.
    ClaimedNotStarted,
    /// A worker is at work on it and no longer gets on.
    Stuck,
    /// It goes on, and takes unusually long.
    RunningSlow,
    /// It goes on.
    Running,
    /// It is done, and whoever waits for it was not told.
    WebhookUndelivered,
    /// It is done, and took unusually long.
    DoneSlow,
    /// It is done.
    Done,
}

/// How soon somebody should look at a job, the soonest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// It goes on, and is still waited for.
    Waited,
    /// It has failed, or nobody was told of its end.
    Failed,
    /// It is done.
    Done,
}

impl Verdict {
    /// What nobody has got yet comes first, then what has failed, and last what is done and was slow.
    pub const fn urgency(self) -> Urgency {
        match self {
            Self::DoneSlow | Self::Done => Urgency::Done,
            Self::Failed | Self::WebhookUndelivered => Urgency::Failed,
            _ => Urgency::Waited,
        }
    }

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::NoData => "no_data",
            Self::Failed => "failed",
            Self::RetryLoop => "retry_loop",
            Self::WorkerSilent => "worker_silent",
            Self::Waiting => "waiting",
            Self::ClaimedNotStarted => "claimed_not_started",
            Self::Stuck => "stuck",
            Self::RunningSlow => "running_slow",
            Self::Running => "running",
            Self::WebhookUndelivered => "webhook_undelivered",
            Self::DoneSlow => "done_slow",
            Self::Done => "done",
        }
    }
}

/// How sure something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// The events say so.
    Proven,
    /// It is what is usual that says so.
    Likely,
    /// Too little is known to be sure.
    Guess,
}

/// Who is behind something.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize)]
pub struct Culprit {
    /// What it is; `None` where nobody is.
    pub kind: Option<CulpritKind>,
    /// Its id or name.
    pub id: Option<String>,
}

impl Culprit {
    /// One of that kind and name; nobody where there is no name.
    pub fn new(kind: CulpritKind, id: Option<&str>) -> Self {
        Self { kind: id.map(|_| kind), id: id.map(str::to_owned) }
    }

    /// What and who it is, such as `worker worker-3`; `None` where nobody is.
    pub fn named(&self) -> Option<String> {
        Some(format!("{} {}", self.kind?.as_str(), self.id.as_ref()?))
    }
}

/// What may be behind something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CulpritKind {
    /// A worker.
    Worker,
    /// A machine.
    Machine,
    /// A service.
    Service,
    /// What a worker hands the work to.
    Connector,
    /// A queue.
    Queue,
    /// The job itself.
    Job,
}

impl CulpritKind {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Machine => "machine",
            Self::Service => "service",
            Self::Connector => "connector",
            Self::Queue => "queue",
            Self::Job => "job",
        }
    }
}

/// The last that was heard of a job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LastEvent {
    /// Its entry ID.
    #[serde(serialize_with = "as_text")]
    pub id: EntryId,
    /// By its producer's clock.
    pub timestamp: Moment,
    /// Who sent it.
    pub service: String,
    /// What happened.
    pub event_type: String,
}

/// A part of a job's time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BudgetPart {
    /// What it was spent on.
    pub part: String,
    /// Who had the job.
    pub service: String,
    /// How long, in ms; parts of the same name together.
    pub ms: i64,
    /// Of the job's whole life, from 0 to 1.
    pub share: f64,
    /// How long one such part mostly takes in jobs of this kind, in ms.
    pub typical_ms: Option<f64>,
    /// Below that are 99 of 100 of them, where so many are known.
    pub typical_p99_ms: Option<f64>,
}

/// An event that shows something.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// Its entry ID.
    #[serde(serialize_with = "as_text")]
    pub id: EntryId,
    /// By its producer's clock.
    pub timestamp: Moment,
    /// What happened.
    pub event_type: String,
    /// What it shows.
    pub note: String,
}

impl Evidence {
    /// An event with what it shows.
    pub fn new(event: &JobEvent, note: impl Into<String>) -> Self {
        let timestamp = Moment(event.timestamp_ms);
        Self { id: event.id, timestamp, event_type: event.event_type.to_string(), note: note.into() }
    }
}

/// What else has the same cause.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SameCause {
    /// How many other jobs.
    pub jobs: usize,
    /// Some of them.
    pub examples: Vec<String>,
}

impl SameCause {
    const EXAMPLES_MAX: usize = 5;

    /// Those jobs, without the one that is looked at.
    pub fn of<'a>(jobs: impl IntoIterator<Item = &'a str>, but: &str) -> Self {
        let jobs: std::collections::BTreeSet<&str> = jobs.into_iter().filter(|job| *job != but).collect();
        Self::of_each(jobs.into_iter())
    }

    /// Those jobs, of which each comes once.
    pub fn of_each<'a>(jobs: impl ExactSizeIterator<Item = &'a str>) -> Self {
        Self { jobs: jobs.len(), examples: jobs.take(Self::EXAMPLES_MAX).map(str::to_owned).collect() }
    }
}

/// Whether all is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Completeness {
    /// Is nothing missing?
    pub complete: bool,
    /// What is missing, and what to know beside it.
    pub notes: Vec<String>,
}

fn as_text<S: Serializer>(id: &EntryId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

impl Diagnosis {
    /// Is something the matter with the job? One that waits as usual is well.
    pub fn is_unwell(&self) -> bool {
        let is_usual_wait = self.verdict == Verdict::Waiting && self.since.is_none();
        !matches!(self.verdict, Verdict::Done | Verdict::Running) && !is_usual_wait
    }
}
