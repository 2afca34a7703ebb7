//! Who has a job, and from whom it was taken: the attempts of its history, by worker.

use std::collections::BTreeMap;

use emp_findings::{LostJob, Moment};
use emp_job::{History, JobEvent, Run};

use super::judge::last_word;
use super::living::Living;
use super::silence::has_job;
use super::surroundings::Surroundings;

/// The jobs of one worker.
#[derive(Debug, Default, Clone)]
pub(super) struct Custody {
    /// Those that it has.
    pub jobs: Vec<String>,
    /// Those that it did not bring to their end, the first one first: another one took it, or it started anew.
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
    workers.values_mut().for_each(|custody| custody.lost.sort_by_key(|lost| lost.since.0));
    workers
}

/// Each worker that had the job and lost it, and the one that has it.
fn follow(job_id: &str, history: &History, living: &Living) -> Vec<(String, Option<LostJob>)> {
    let events = history.events();
    let lost = |worker: &str, last: &JobEvent, taken: Option<&Run>| {
        let since = Moment(last.arrived_ms);
        let after_ms = taken.map(|taken| events[taken.begun].arrived_ms - last.arrived_ms);
        let taken_by = taken.and_then(|taken| taken.worker.as_deref().map(str::to_owned));
        (worker.to_owned(), Some(LostJob { job_id: job_id.to_owned(), since, taken_by, after_ms }))
    };
    let losses = history.losses().filter_map(|(run, loss)| {
        let taken = history.runs().iter().find(|taken| Some(taken.begun) == loss.taken);
        Some(lost(run.worker.as_deref()?, &events[loss.last], taken))
    });
    let mut found: Vec<_> = losses.collect();
    if let Some((worker, last)) = has_job(history).and_then(|worker| Some((worker, last_word(history, worker)?))) {
        let is_lost = living.worker(worker).is_some_and(|known| known.start_after(last.id).is_some());
        found.push(if is_lost { lost(worker, last, None) } else { (worker.to_owned(), None) });
    }
    found
}
