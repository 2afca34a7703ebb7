//! Walking events in order of arrival, each job's one after the other.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::table::Typical;
use crate::job::{Role, entity, is_claim, is_terminal, role};

/// A job of which nothing was heard for that long is not waited for any more.
const FORGET_MS: i64 = 24 * 3_600_000;
/// One that has ended is waited for, for what still follows, that long.
const FORGET_ENDED_MS: i64 = 3_600_000;

/// One event, as far as the walk looks at it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a> {
    pub timestamp_ms: i64,
    pub arrived_ms: i64,
    pub event_type: &'a str,
    pub job_id: Option<&'a str>,
    pub worker_id: Option<&'a str>,
    /// Of an event that says of which kind its job is.
    pub job_type: Option<&'a str>,
}

/// What the walk has to remember of the jobs and workers that it has met.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Walk {
    jobs: HashMap<u64, Open>,
    /// When each worker was heard of last.
    workers: HashMap<String, i64>,
}

/// A job that goes on. Names are those of the walk's own table, and are kept as text here, as tables
/// come and go.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Open {
    job_type: String,
    last: String,
    last_ms: i64,
    created_ms: Option<i64>,
    attempts: u32,
    has_ended: bool,
    spans: Vec<(String, i64)>,
    had: Vec<String>,
}

impl Walk {
    /// Takes note of one event.
    pub fn step(&mut self, table: &mut Typical, step: Step<'_>) {
        let happened_ms = step.timestamp_ms.min(step.arrived_ms);
        if let Some(worker_id) = step.worker_id {
            self.hear_of_worker(table, worker_id, happened_ms);
        }
        let Some(job_id) = step.job_id else { return };
        let key = xxh3_64(job_id.as_bytes());
        match self.jobs.get_mut(&key) {
            Some(job) => job.go_on(table, step, happened_ms),
            None => {
                let job = Open {
                    job_type: step.job_type.unwrap_or_default().to_owned(),
                    last: step.event_type.to_owned(),
                    last_ms: happened_ms,
                    created_ms: (step.event_type == "job.created").then_some(happened_ms),
                    attempts: u32::from(is_claim(step.event_type)),
                    has_ended: false,
                    spans: Vec::new(),
                    had: vec![step.event_type.to_owned()],
                };
                self.jobs.insert(key, job);
            }
        }
    }

    /// Forgets the jobs of which nothing more is expected.
    pub fn forget_old(&mut self, now_ms: i64) {
        self.jobs.retain(|_, job| {
            let wait_ms = if job.has_ended { FORGET_ENDED_MS } else { FORGET_MS };
            now_ms - job.last_ms <= wait_ms
        });
        self.workers.retain(|_, last_ms| now_ms - *last_ms <= FORGET_MS);
    }

    fn hear_of_worker(&mut self, table: &mut Typical, worker_id: &str, happened_ms: i64) {
        let Some(last_ms) = self.workers.get_mut(worker_id) else {
            self.workers.insert(worker_id.to_owned(), happened_ms);
            return;
        };
        let number = table.names.number(worker_id);
        table.workers.entry(number).or_default().add(happened_ms - *last_ms);
        *last_ms = happened_ms.max(*last_ms);
    }
}

impl Open {
    fn go_on(&mut self, table: &mut Typical, step: Step<'_>, happened_ms: i64) {
        if let Some(job_type) = step.job_type.filter(|_| self.job_type.is_empty()) {
            job_type.clone_into(&mut self.job_type);
        }
        let job_type = table.names.number(&self.job_type);
        let (before, after) = (table.names.number(&self.last), table.names.number(step.event_type));
        table.steps.entry((job_type, before, after)).or_default().add(happened_ms - self.last_ms);
        self.follow_span(table, job_type, step.event_type, happened_ms);
        self.attempts += u32::from(is_claim(step.event_type));
        if !self.had.iter().any(|had| had == step.event_type) {
            self.had.push(step.event_type.to_owned());
        }
        if is_terminal(step.event_type) && !self.has_ended {
            self.end(table, job_type, step.event_type, happened_ms);
        }
        step.event_type.clone_into(&mut self.last);
        self.last_ms = happened_ms;
    }

    fn follow_span(&mut self, table: &mut Typical, job_type: u16, event_type: &str, happened_ms: i64) {
        let of = entity(event_type);
        let name = |name: &str| if name.is_empty() { of.to_owned() } else { format!("{of}.{name}") };
        match role(event_type) {
            Role::Opens(stem) => {
                let name = name(stem);
                self.spans.retain(|(open, _)| *open != name);
                self.spans.push((name, happened_ms));
            }
            Role::Closes(stem) => {
                let name = name(stem);
                let is_meant = |open: &str| entity(open) == of && (open == name || open == of || stem.is_empty());
                if let Some(index) = self.spans.iter().rposition(|(open, _)| is_meant(open)) {
                    let (name, since_ms) = self.spans.remove(index);
                    let number = table.names.number(&name);
                    table.spans.entry((job_type, number)).or_default().add(happened_ms - since_ms);
                }
            }
            Role::Neither => {}
        }
    }

    fn end(&mut self, table: &mut Typical, job_type: u16, event_type: &str, happened_ms: i64) {
        self.has_ended = true;
        *table.attempts.entry(job_type).or_default().entry(self.attempts).or_default() += 1;
        if event_type != "job.completed" {
            return;
        }
        *table.completed.entry(job_type).or_default() += 1;
        for had in &self.had {
            let number = table.names.number(had);
            *table.having.entry((job_type, number)).or_default() += 1;
        }
        if let Some(created_ms) = self.created_ms {
            table.totals.entry(job_type).or_default().add(happened_ms - created_ms);
        }
    }
}
