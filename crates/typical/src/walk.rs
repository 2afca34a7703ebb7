//! Walking events in order of arrival, each job's one after the other.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::names::Names;
use super::table::Typical;
use emp_job::{Dialect, Meaning, Offsets, OpenWork, Role, entity, happened_ms, is_begun, role, span_name};

/// A job of which nothing was heard for that long is not waited for any more.
const FORGET_MS: i64 = 24 * 3_600_000;
/// One that has ended is waited for, for what still follows, that long.
const FORGET_ENDED_MS: i64 = 3_600_000;

/// Jobs that are remembered at once. Where there are more, a part of them is learned from, one in two, four and so on:
/// what is typical is told by some thousands as well, and a million open jobs would take half a gigabyte.
const JOBS_MAX: usize = 20_000;

/// One event, as far as the walk looks at it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a> {
    pub timestamp_ms: i64,
    pub arrived_ms: i64,
    pub event_type: &'a str,
    pub job_id: Option<&'a str>,
    pub worker_id: Option<&'a str>,
    /// Whose clock it goes by: the worker, else the machine, else the service.
    pub producer: &'a str,
    /// Of an event that says of which kind its job is.
    pub job_type: Option<&'a str>,
}

/// What the walk has to remember of the jobs and workers that it has met.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Walk {
    /// Names of its own, as tables come and go.
    names: Names,
    /// By a hash of the id, of which so many bits are zero.
    jobs: HashMap<u64, Open>,
    zero_bits: u32,
    /// When each worker was heard of last.
    workers: HashMap<String, i64>,
}

/// A job that goes on. There are thousands in a busy hour, so names are numbers of the walk's.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Open {
    job_type: u16,
    last: u16,
    last_ms: i64,
    created_ms: Option<i64>,
    attempts: u32,
    has_ended: bool,
    /// Was it to wait, as somebody asked? Then its whole time is not how long such jobs take.
    was_to_wait: bool,
    dialect: Dialect,
    /// What is open, and since when.
    spans: OpenWork<i64>,
    had: Vec<u16>,
}

impl Walk {
    /// Takes note of one event; `offsets` are the clocks of its time.
    pub fn step(&mut self, table: &mut Typical, offsets: &Offsets, step: Step<'_>) {
        let behind_ms = offsets.behind_ms(step.producer, step.timestamp_ms, step.arrived_ms);
        let happened_ms = happened_ms(step.timestamp_ms + behind_ms, step.arrived_ms);
        if let Some(worker_id) = step.worker_id {
            self.hear_of_worker(table, worker_id, happened_ms);
        }
        let Some(job_id) = step.job_id else { return };
        let key = xxh3_64(job_id.as_bytes());
        if key.trailing_zeros() < self.zero_bits {
            return;
        }
        let event_type = self.names.number(step.event_type);
        let job_type = step.job_type.map(|job_type| self.names.number(job_type));
        let unknown = self.names.number("");
        match self.jobs.get_mut(&key) {
            Some(job) => {
                if let Some(job_type) = job_type.filter(|_| job.job_type == unknown) {
                    job.job_type = job_type;
                }
                job.go_on(&mut self.names, table, (event_type, step.event_type), happened_ms);
            }
            None => {
                let mut dialect = Dialect::default();
                let meaning = dialect.meaning(step.event_type);
                let mut job = Open {
                    job_type: job_type.unwrap_or(unknown),
                    last: event_type,
                    last_ms: happened_ms,
                    created_ms: meaning.is_some_and(Meaning::is_beginning).then_some(happened_ms),
                    attempts: u32::from(is_begun(None, step.event_type, meaning)),
                    has_ended: false,
                    was_to_wait: meaning.is_some_and(Meaning::is_asked_wait),
                    dialect,
                    spans: OpenWork::default(),
                    had: vec![event_type],
                };
                let kind = table.names.number(self.names.name(job.job_type));
                job.follow_span(table, kind, (step.event_type, meaning), happened_ms);
                self.jobs.insert(key, job);
                self.leave_out_some();
            }
        }
    }

    fn leave_out_some(&mut self) {
        if self.jobs.len() > JOBS_MAX {
            self.zero_bits += 1;
            self.jobs.retain(|key, _| key.trailing_zeros() >= self.zero_bits);
        }
    }

    /// Does a job go on that both know?
    pub fn shares_jobs(&self, other: &Self) -> bool {
        self.jobs.keys().any(|key| other.jobs.contains_key(key))
    }

    /// Takes in what another walk remembers, of other jobs.
    pub fn add(&mut self, other: Self) {
        let names = &mut self.names;
        let mut number = |of: u16| names.number(other.names.name(of));
        for (key, mut job) in other.jobs {
            (job.job_type, job.last) = (number(job.job_type), number(job.last));
            job.had.iter_mut().for_each(|had| *had = number(*had));
            self.jobs.insert(key, job);
        }
        self.zero_bits = self.zero_bits.max(other.zero_bits);
        self.jobs.retain(|key, _| key.trailing_zeros() >= self.zero_bits);
        self.leave_out_some();
        for (worker, last_ms) in other.workers {
            let known = self.workers.entry(worker).or_insert(last_ms);
            *known = last_ms.max(*known);
        }
    }

    /// Forgets the jobs of which nothing more is expected.
    pub fn forget_old(&mut self, now_ms: i64) {
        self.jobs.retain(|_, job| {
            let wait_ms = if job.has_ended { FORGET_ENDED_MS } else { FORGET_MS };
            now_ms - job.last_ms <= wait_ms
        });
        if self.jobs.len() < JOBS_MAX / 8 {
            self.zero_bits = self.zero_bits.saturating_sub(1);
        }
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
    /// The event comes as its number and its name.
    fn go_on(&mut self, names: &mut Names, table: &mut Typical, (number, event_type): (u16, &str), happened_ms: i64) {
        let job_type = table.names.number(names.name(self.job_type));
        let (before, after) = (table.names.number(names.name(self.last)), table.names.number(event_type));
        table.steps.entry((job_type, before, after)).or_default().add(happened_ms - self.last_ms);
        let meaning = self.dialect.meaning(event_type);
        self.was_to_wait |= meaning.is_some_and(Meaning::is_asked_wait);
        self.attempts += u32::from(is_begun(Some(names.name(self.last)), event_type, meaning));
        self.follow_span(table, job_type, (event_type, meaning), happened_ms);
        if !self.had.contains(&number) {
            self.had.push(number);
        }
        if let Some(end) = meaning.filter(|meaning| meaning.is_end() && !self.has_ended) {
            self.end(names, table, job_type, end, happened_ms);
        }
        self.last = number;
        self.last_ms = happened_ms;
    }

    fn follow_span(
        &mut self,
        table: &mut Typical,
        job_type: u16,
        (event_type, meaning): (&str, Option<Meaning>),
        happened_ms: i64,
    ) {
        let of = entity(event_type);
        // The first attempt may begin before anybody claims the job.
        let attempt = self.attempts.max(1);
        match role(event_type, meaning) {
            Role::Opens(stem) => self.spans.begin(span_name(of, stem), attempt, happened_ms),
            Role::Closes(stem) => {
                if let Some((name, since_ms)) = self.spans.end(of, stem, attempt) {
                    let number = table.names.number(&name);
                    table.spans.entry((job_type, number)).or_default().add(happened_ms - since_ms);
                }
            }
            Role::Neither => {}
        }
    }

    fn end(&mut self, names: &Names, table: &mut Typical, job_type: u16, end: Meaning, happened_ms: i64) {
        self.has_ended = true;
        *table.attempts.entry(job_type).or_default().entry(self.attempts).or_default() += 1;
        if end != Meaning::Completed {
            return;
        }
        *table.completed.entry(job_type).or_default() += 1;
        for had in &self.had {
            let number = table.names.number(names.name(*had));
            *table.having.entry((job_type, number)).or_default() += 1;
        }
        if let Some(created_ms) = self.created_ms.filter(|_| !self.was_to_wait) {
            table.totals.entry(job_type).or_default().add(happened_ms - created_ms);
        }
    }
}
