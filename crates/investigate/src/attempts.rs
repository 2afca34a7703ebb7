//! Jobs that a worker had and lost, and that another one had to take over.

use emp_findings::{Confidence, Culprit, CulpritKind, Evidence, SameCause, Verdict};
use emp_job::{History, Loss, Meaning, Run};

use super::judge::{Case, Finding, lasting};
use super::silence::words_of;
use super::slow;

/// Less than that nobody notices.
pub(super) const NOTICED_MS: i64 = 1_000;

/// It goes on with another worker, and most of its time was lost.
pub(super) fn running_after_loss(case: &Case<'_>) -> Option<Finding> {
    case.history.terminal().is_none().then_some(())?;
    lost(case, Verdict::RunningSlow, "It is running and has taken")
}

/// It is done, and most of its time was lost.
pub(super) fn done_after_loss(case: &Case<'_>) -> Option<Finding> {
    case.history.terminal()?;
    lost(case, Verdict::DoneSlow, "It is done, and took")
}

/// What there is to say of attempts beside the verdict: `lost by w1, taken by w4 after 37.7 s`, `it ran twice, on w2
/// and w3`.
pub(super) fn story(history: &History) -> Option<String> {
    let lost = history.losses().filter_map(|(run, loss)| Some(told(history, run, loss, loss.taken?)));
    let story: Vec<String> = lost.chain(ran_twice(history)).collect();
    (!story.is_empty()).then(|| story.join("; "))
}

fn lost(case: &Case<'_>, verdict: Verdict, beginning: &str) -> Option<Finding> {
    let history = case.history;
    let taken = history.losses().filter_map(|(run, loss)| Some((run, loss, loss.taken?)));
    let (run, loss, taken) = taken.max_by_key(|(_, loss, taken)| lost_ms(history, *loss, *taken))?;
    let lost_ms = lost_ms(history, loss, taken);
    let total_ms = history.end_ms() - history.start_ms();
    let is_slow = slow::limit_ms(case.history, case.typical).is_some_and(|limit_ms| total_ms as f64 > limit_ms);
    // Where nothing is known of how long such jobs take, half of its own life says enough.
    if lost_ms < NOTICED_MS || !(is_slow || 2 * lost_ms >= total_ms) {
        return None;
    }
    let reason = format!("{beginning} {}: {}", lasting(total_ms), story(history)?);
    let mut finding = Finding::new(verdict, Confidence::Proven, reason);
    finding.culprit = Culprit::new(CulpritKind::Worker, run.worker.as_deref());
    let events = history.events();
    finding.since_ms = Some(events[loss.last].happened_ms());
    finding.evidence.push(Evidence::new(&events[loss.last], format!("the last word of {} about it", run.named())));
    if loss.noticed != taken {
        finding.evidence.push(Evidence::new(&events[loss.noticed], "it is noticed that nobody has the job"));
    }
    let by = taker(history, taken).unwrap_or("another worker");
    finding.evidence.push(Evidence::new(&events[taken], format!("{by} takes it")));
    if run.worker.as_deref() != Some(by) {
        finding.ruled_out.push(format!("not {by}, which took it over: the time was lost before"));
    }
    if let Some(worker) = run.worker.as_deref() {
        finding.same_cause = SameCause::of(also_lost(case, worker), case.job_id);
        finding.next.push(words_of(worker, events[loss.last].arrived_ms - 60_000));
    }
    Some(finding)
}

fn lost_ms(history: &History, loss: Loss, taken: usize) -> i64 {
    history.events()[taken].happened_ms() - history.events()[loss.last].happened_ms()
}

fn told(history: &History, run: &Run, loss: Loss, taken: usize) -> String {
    let after = lasting(lost_ms(history, loss, taken));
    match (run.worker.as_deref(), taker(history, taken)) {
        (Some(worker), Some(by)) if worker == by => format!("lost by {worker}, taken by it again after {after}"),
        (_, Some(by)) => format!("lost by {}, taken by {by} after {after}", run.named()),
        (_, None) => format!("lost by {}, taken again after {after}", run.named()),
    }
}

fn taker(history: &History, taken: usize) -> Option<&str> {
    history.runs().iter().find(|run| run.begun == taken).and_then(|run| run.worker.as_deref())
}

fn ran_twice(history: &History) -> Option<String> {
    let is_done = |run: &&Run| matches!(run.end, Some((_, Meaning::Completed)));
    let workers: Vec<&str> = history.runs().iter().filter(is_done).map(Run::named).collect();
    let (last, others) = workers.split_last().filter(|(_, others)| !others.is_empty())?;
    let times = if others.len() == 1 { "twice".to_owned() } else { format!("{} times", workers.len()) };
    Some(format!("it ran {times}, on {} and {last}", others.join(", ")))
}

/// Other jobs of about that time that the worker lost.
fn also_lost<'a>(case: &'a Case<'_>, worker: &str) -> Vec<&'a str> {
    let has_lost = |history: &History| history.losses().any(|(run, _)| run.worker.as_deref() == Some(worker));
    let about = case.around.histories_about(case.history.end_ms());
    about.filter(|(_, history)| has_lost(history)).map(|(job, _)| job).collect()
}
