//! Who had a job, and from whom it was taken.

use std::collections::BTreeMap;

use emp_findings::{LostJob, Moment};
use emp_job::{History, JobEvent, Meaning, begins_work};

use super::living::Living;
use super::surroundings::Surroundings;

/// The jobs of one worker.
#[derive(Debug, Default, Clone)]
pub(super) struct Custody {
    /// Those that it has.
    pub jobs: Vec<String>,
    /// Those that it did not bring to their end: another one took it, or it started anew.
    pub lost: Vec<LostJob>,
}

/// The jobs of each worker.
pub(super) fn custody(around: &Surroundings) -> BTreeMap<String, Custody> {
    let mut workers: BTreeMap<String, Custody> = BTreeMap::new();
    for (job_id, history) in around.histories() {
        for (worker, lost) in follow(job_id, history, &around.living) {
            let custody = workers.entry(worker).or_default();
            match lost {
                Some(lost) => custody.lost.push(lost),
                None => custody.jobs.push(job_id.to_owned()),
            }
        }
    }
    workers
}

/// Who has a job, from its events up to some moment.
struct Holder<'a> {
    worker: &'a str,
    /// Its last word about the job.
    last: &'a JobEvent,
}

/// Each worker that had the job and lost it, and the one that has it.
fn follow(job_id: &str, history: &History, living: &Living) -> Vec<(String, Option<LostJob>)> {
    let mut found = Vec::new();
    let mut holder: Option<Holder<'_>> = None;
    let mut had: Vec<&str> = Vec::new();
    let mut lose = |of: &Holder<'_>, taken: Option<(&str, i64)>| {
        let (taken_by, after_ms) = taken.map(|(by, at_ms)| (by.to_owned(), at_ms - of.last.arrived_ms)).unzip();
        let lost = LostJob { job_id: job_id.to_owned(), since: Moment(of.last.arrived_ms), taken_by, after_ms };
        found.push((of.worker.to_owned(), Some(lost)));
    };
    for (index, event) in history.events().iter().enumerate() {
        let meaning = history.meaning(index);
        let by = event.worker_id.as_deref();
        if by.is_some() && by == holder.as_ref().map(|holder| holder.worker) {
            if let (Some(before), Some(worker), true) = (&holder, by, begins_again(history, index)) {
                // It was started anew meanwhile, or its lease ran out, and it took the job a second time.
                lose(before, Some((worker, event.arrived_ms)));
            }
            if meaning.is_some_and(gives_back) {
                holder = None;
            } else if let Some(holder) = &mut holder {
                holder.last = event;
            }
            continue;
        }
        if meaning.is_some_and(Meaning::is_end) {
            // Whoever tells of it, a service may: it has ended.
            holder = None;
        } else if let Some(worker) = by.filter(|worker| takes(event, meaning, &had, worker)) {
            if let Some(before) = &holder {
                lose(before, Some((worker, event.arrived_ms)));
            }
            had.push(worker);
            holder = Some(Holder { worker, last: event });
        }
    }
    let Some(holder) = holder.filter(|_| history.terminal().is_none()) else { return found };
    if living.worker(holder.worker).is_some_and(|worker| worker.start_after(holder.last.id).is_some()) {
        lose(&holder, None);
    } else {
        found.push((holder.worker.to_owned(), None));
    }
    found
}

/// Does another attempt begin with that event?
fn begins_again(history: &History, index: usize) -> bool {
    history.runs().iter().skip(1).any(|run| run.begun == index)
}

/// Does its worker give the job back with that event?
fn gives_back(meaning: Meaning) -> bool {
    meaning.is_end() || meaning.is_wait()
}

/// Does a worker begin to have the job with that event? One that froze and goes on does not take it back.
fn takes(event: &JobEvent, meaning: Option<Meaning>, had: &[&str], worker: &str) -> bool {
    let begins = begins_work(&event.event_type, meaning);
    meaning == Some(Meaning::Claimed) || ((begins || meaning == Some(Meaning::Started)) && !had.contains(&worker))
}
