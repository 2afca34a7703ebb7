//! What belongs to a job beside its own events.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{Evidence, Moment};

/// What happened in connection with a job: by its trace, on its worker, with its error.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Correlation {
    /// The job.
    pub job_id: String,
    /// Its first and its last event.
    pub window: [Moment; 2],
    /// Events of its trace that are not its own.
    pub trace: Vec<Evidence>,
    /// Other jobs of the worker in the same minutes.
    pub same_worker: Option<SameWorker>,
    /// Other jobs with the same error, half an hour before and after.
    pub same_error: Option<SameError>,
    /// Whether all of that is known.
    pub notes: Vec<String>,
    /// Commands that show more.
    pub next: Vec<String>,
}

/// What else a worker did in the same minutes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SameWorker {
    /// The worker.
    pub worker_id: String,
    /// The other jobs.
    pub jobs: Vec<OtherJob>,
    /// What was heard of the worker itself: starts, stops, errors.
    pub events: Vec<Evidence>,
}

/// Another job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherJob {
    /// Its id.
    pub job_id: String,
    /// How many events it had then.
    pub events: usize,
    /// How many of them are errors.
    pub errors: usize,
    /// The last of them.
    pub last_event: String,
}

/// Who else had an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SameError {
    /// The error, with what differs from case to case masked.
    pub error: String,
    /// The other jobs.
    pub jobs: Vec<OtherJob>,
    /// How many jobs of each worker had it.
    pub workers: BTreeMap<String, usize>,
}
