//! What waits in each queue and what workers took from it, counted once for all jobs that ask.

use std::collections::HashMap;
use std::sync::Arc;

use emp_event::EntryId;
use emp_job::{History, Run, State, is_claim};

use super::surroundings::Surroundings;

/// All queues by name. Jobs that name none share one.
#[derive(Debug, Default)]
pub(super) struct Queues {
    by_name: HashMap<Option<String>, Queue>,
}

/// One queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The jobs that wait, by the event since which they do.
    waiting: Vec<(EntryId, Arc<str>)>,
    /// When each job began that a worker has taken, ms since the epoch, in order.
    begun_ms: Vec<i64>,
    /// The last claim of each job that was taken from it, in order.
    claims: Vec<EntryId>,
    worked: Vec<Worked>,
}

/// A time for which a worker had a job of a queue, ms since the epoch.
#[derive(Debug)]
pub(super) struct Worked {
    pub job: Arc<str>,
    pub from_ms: i64,
    pub until_ms: i64,
    pub connector: Option<Arc<str>>,
    pub worker: Option<Arc<str>>,
}

impl Queues {
    pub fn of(around: &Surroundings) -> Self {
        let mut queues = Self::default();
        for (job, history) in around.histories() {
            queues.note(&Arc::from(job), history);
        }
        let mut claims: HashMap<(Option<String>, &str), EntryId> = HashMap::new();
        for event in around.events().filter(|event| is_claim(&event.event_type)) {
            let Some(job) = event.job_id.as_deref() else { continue };
            let queue = event.queue().or_else(|| around.history(job)?.queue());
            // In order of arrival, so that the last one stays.
            claims.insert((queue.map(str::to_owned), job), event.id);
        }
        for ((queue, _), id) in claims {
            queues.by_name.entry(queue).or_default().claims.push(id);
        }
        queues.by_name.values_mut().for_each(Queue::sort);
        queues
    }

    fn note(&mut self, job: &Arc<str>, history: &History) {
        let queue = self.by_name.entry(history.queue().map(str::to_owned)).or_default();
        if let State::Waiting(since) = history.state() {
            queue.waiting.push((history.events()[since].id, job.clone()));
        }
        if !history.runs().is_empty() {
            queue.begun_ms.push(history.start_ms());
        }
        let connector: Option<Arc<str>> = history.connector().map(Arc::from);
        queue.worked.extend(history.runs().iter().map(|run| {
            let (from_ms, until_ms) = of_run(history, run);
            Worked { job: job.clone(), from_ms, until_ms, connector: connector.clone(), worker: run.worker.clone() }
        }));
    }

    /// The jobs that were put into that queue before an event and wait still, the first ones first.
    pub fn waiting_before(&self, queue: Option<&str>, event: EntryId) -> impl ExactSizeIterator<Item = &str> {
        let waiting = self.get(queue).map_or(&[][..], |queue| &queue.waiting);
        waiting[..waiting.partition_point(|(since, _)| *since < event)].iter().map(|(_, job)| &**job)
    }

    /// How many jobs that began after a moment a worker has taken from that queue.
    pub fn taken_of_later(&self, queue: Option<&str>, ms: i64) -> usize {
        self.get(queue).map_or(0, |queue| queue.begun_ms.len() - queue.begun_ms.partition_point(|begun| *begun <= ms))
    }

    /// How many jobs were taken after an event: from that queue, and from all others.
    pub fn taken_after(&self, queue: Option<&str>, event: EntryId) -> (usize, usize) {
        let after = |queue: &Queue| queue.claims.len() - queue.claims.partition_point(|claim| *claim <= event);
        let same = self.get(queue).map_or(0, after);
        (same, self.by_name.values().map(after).sum::<usize>() - same)
    }

    /// What workers did of the jobs of that queue.
    pub fn worked(&self, queue: Option<&str>) -> &[Worked] {
        self.get(queue).map_or(&[], |queue| &queue.worked)
    }

    fn get(&self, queue: Option<&str>) -> Option<&Queue> {
        self.by_name.get(&queue.map(str::to_owned))
    }
}

impl Queue {
    fn sort(&mut self) {
        self.waiting.sort_unstable();
        self.begun_ms.sort_unstable();
        self.claims.sort_unstable();
    }
}

/// From when to when a worker had a job: until now where it has it still.
fn of_run(history: &History, run: &Run) -> (i64, i64) {
    let moment = |index: usize| history.events()[index].happened_ms();
    let end = run.end.map(|(end, _)| end).or_else(|| Some(run.loss?.noticed));
    (moment(run.begun), end.map_or(history.now_ms(), moment))
}
