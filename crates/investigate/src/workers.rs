//! The workers, one by one: who lives, what each has, and what it lost.

use emp_findings::{Life, LostJob, Moment, WorkerState, Workers};
use emp_units as units;

use super::custody::{Custody, custody};
use super::detect::HOUR_MS;
use super::investigation::{Investigation, InvestigationError};
use super::judge::{clock, lasting};
use super::living::{Living, Worker};
use super::speed::Slowness;
use super::surroundings::Surroundings;

/// A worker of which nothing was heard for that long is not looked for any more.
pub(super) const HEARD_MS: i64 = 24 * 3_600_000;
/// So many of the jobs that a worker lost are named in a sentence.
const LOST_NAMED_MAX: usize = 3;

impl Investigation<'_> {
    /// Every worker that was heard of since `since_ms`.
    ///
    /// # Errors
    /// As [`Investigation::open`].
    pub async fn workers(&self, since_ms: i64) -> Result<Workers, InvestigationError> {
        let living = self.living_since(since_ms).await?;
        let (around, note) = self.around_range(since_ms).await?;
        let around = around.with_living(living);
        let (recent, _) = self.around_range(self.now_ms() - HOUR_MS).await?;
        let speeds = recent.speeds(self.typical());
        let clocks = self.clocks(since_ms).await?;
        let mut workers = states(&around);
        for worker in &mut workers {
            worker.speed = speeds.of_worker(&worker.worker_id).map(Slowness::shown);
            worker.clock = clocks.of_worker(&worker.worker_id, worker.machine_id.as_deref());
        }
        let window = [Moment(since_ms), Moment(self.now_ms())];
        Ok(Workers { window, workers, notes: note.into_iter().collect() })
    }
}

/// All workers as of now: the silent first, then by name.
pub(super) fn states(around: &Surroundings) -> Vec<WorkerState> {
    let custody = custody(around);
    let none = Custody::default();
    let living = &around.living;
    let mut states: Vec<WorkerState> =
        living.workers().map(|(id, worker)| state(id, worker, custody.get(id).unwrap_or(&none), living)).collect();
    states.sort_by(|a, b| (a.life, &a.worker_id).cmp(&(b.life, &b.worker_id)));
    states
}

/// Those of which somebody has to know: silent ones that had work or always say something, those that died
/// with a job, and those that lost one to another worker.
pub(super) fn missed(around: &Surroundings) -> Vec<WorkerState> {
    let mut states = states(around);
    states.retain(|state| {
        let Some(worker) = around.living.worker(&state.worker_id) else { return false };
        let is_recent = |at: Moment| around.living.now_ms() - at.0 <= HOUR_MS;
        let died_with_a_job = state.started_without_its_jobs().is_some_and(is_recent);
        // It may live, and have stood still: another one has taken what it had.
        let has_lost = state.lost.iter().any(|lost| lost.taken_by.is_some() && is_recent(lost.since));
        let had_work = !state.jobs.is_empty() || !state.lost.is_empty();
        died_with_a_job || has_lost || around.living.is_missed(worker, had_work)
    });
    states
}

fn state(id: &str, worker: &Worker, custody: &Custody, living: &Living) -> WorkerState {
    let life = worker.life(living.now_ms());
    WorkerState {
        worker_id: id.to_owned(),
        machine_id: worker.machine.clone(),
        life,
        last_heard: Moment(worker.last_ms),
        since: (life != Life::Alive).then_some(Moment(worker.last_ms)),
        habit_ms: worker.habit.within_ms.map(units::tenth),
        limit_ms: worker.habit.limit_ms(),
        events: worker.events,
        restarts: worker.starts.len(),
        restarted: worker.starts.last().map(|start| Moment(start.arrived_ms)),
        jobs: custody.jobs.clone(),
        lost: custody.lost.clone(),
        speed: None,
        clock: None,
    }
}

/// What is known of a worker of which nothing is heard, in a sentence.
pub(super) fn in_words(state: &WorkerState, now_ms: i64) -> String {
    let on = state.machine_id.as_deref().map(|machine| format!(" on {machine}")).unwrap_or_default();
    let habit = state.habit_ms.map(|ms| format!(", and mostly says something within {}", units::millis(ms)));
    let silent = lasting(now_ms - state.last_heard.0);
    let at = clock(state.last_heard.0);
    let mut said = match (state.life, state.started_without_its_jobs()) {
        (Life::Silent, _) => {
            format!(
                "{}{on} has been silent for {silent}, since {at}, while others speak{}",
                state.worker_id,
                habit.unwrap_or_default()
            )
        }
        (_, Some(restarted)) => {
            format!("{}{on} died with a job and started again at {}", state.worker_id, clock(restarted.0))
        }
        (Life::Alive, None) if !state.lost.is_empty() => {
            format!("{}{on} lives, and did not go on with what it had", state.worker_id)
        }
        (..) => format!("{}{on} was heard of last at {at}", state.worker_id),
    };
    if let Some(job) = state.jobs.first() {
        said += &format!("; it has {}: {job}", units::counted(state.jobs.len(), "job", "jobs"));
    }
    if !state.lost.is_empty() {
        said += &format!("; it lost {}", lost_in_words(&state.lost));
    }
    said
}

/// The first jobs that a worker lost, each with who took it.
fn lost_in_words(lost: &[LostJob]) -> String {
    let named = lost.iter().take(LOST_NAMED_MAX).map(|lost| match (&lost.taken_by, lost.after_ms) {
        (Some(by), Some(after_ms)) => format!("{}, which {by} took after {}", lost.job_id, lasting(after_ms)),
        _ => lost.job_id.clone(),
    });
    let mut said = named.collect::<Vec<_>>().join(", and ");
    if let Some(more) = lost.len().checked_sub(LOST_NAMED_MAX).filter(|more| *more > 0) {
        said += &format!(", and {}", units::counted(more, "other", "others"));
    }
    said
}
