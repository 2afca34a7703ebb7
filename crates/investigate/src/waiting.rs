//! Jobs that no worker has taken.

use emp_findings::{Confidence, Culprit, CulpritKind, Evidence, SameCause, Verdict};
use emp_job::{JobEvent, State, is_claim};
use emp_units as units;

use super::judge::{Case, Finding, clock, describe, lasting};
use super::surroundings::Surroundings;

/// No worker has taken the job. One that has not waited for long is waiting, too, but nothing is wrong
/// with it: then there is no `since`.
pub(super) fn waiting(case: &Case<'_>) -> Option<Finding> {
    let history = case.history;
    let event = match history.state() {
        State::Waiting(event) => &history.events()[event],
        State::BackingOff(until_ms) => return Some(backing_off(case, until_ms)),
        _ => return None,
    };
    let waits_ms = history.now_ms() - event.happened_ms();
    let overdue = case.overdue(&event.event_type, waits_ms);
    let ahead = waiting_before(case, event);
    let workers: Vec<&str> = case.around.living.alive().collect();
    let queue = history.queue();
    let place = queue.map(|queue| format!(" in queue `{queue}`")).unwrap_or_default();
    let why = match (workers.len(), ahead.len()) {
        (0, _) => "no worker is alive".to_owned(),
        (alive, 0) => {
            format!("no job waits before it, and {} alive", units::counted(alive, "worker is", "workers are"))
        }
        (alive, ahead) => format!(
            "{} before it, for {}",
            units::counted(ahead, "job waits", "jobs wait"),
            units::counted(alive, "worker", "workers")
        ),
    };
    let usual = case.typical.state(case.job_type(), &event.event_type);
    let usual = if usual.count() > 0 { format!("; this wait takes {}", describe(&usual)) } else { String::new() };
    let reason = format!(
        "No worker has taken it{place} for {}, since {}: {why}{usual}",
        lasting(waits_ms),
        clock(event.happened_ms())
    );
    let confidence = if overdue.is_some() || ahead.is_empty() { Confidence::Likely } else { Confidence::Proven };
    let mut finding = Finding::new(Verdict::Waiting, confidence, reason);
    finding.evidence.push(Evidence::new(event, "since then it waits for a worker"));
    finding.same_cause = SameCause::of(ahead.iter().map(String::as_str), case.job_id);
    if overdue.is_some() {
        finding.since_ms = Some(event.happened_ms());
        finding.culprit = match workers.len() {
            0 => Culprit::new(CulpritKind::Service, Some("worker")),
            _ => Culprit::new(CulpritKind::Queue, Some(queue.unwrap_or("default"))),
        };
    }
    let taken = taken_since(case, event);
    finding.ruled_out.push(match taken {
        0 => "no job at all was claimed after it was queued".to_owned(),
        taken => {
            format!("the queue moves: {} claimed after it was queued", units::counted(taken, "job was", "jobs were"))
        }
    });
    finding.next = vec![
        "emp-events health".to_owned(),
        "emp-events search --event-type worker.shutting_down --last 3h".to_owned(),
    ];
    Some(finding)
}

fn backing_off(case: &Case<'_>, until_ms: i64) -> Finding {
    let left = lasting(until_ms - case.history.now_ms());
    let reason = format!("It waits for its next attempt, which is due in {left}, at {}", clock(until_ms));
    let mut finding = Finding::new(Verdict::Waiting, Confidence::Proven, reason);
    finding.ruled_out.push("it is not overdue: the time of its next attempt has not come".to_owned());
    finding
}

/// Jobs that were put into a queue earlier and that nobody has taken yet.
fn waiting_before(case: &Case<'_>, event: &JobEvent) -> Vec<String> {
    let waiting = case.around.histories().filter(|(job, other)| match other.state() {
        State::Waiting(since) => *job != case.job_id && other.events()[since].id < event.id,
        _ => false,
    });
    waiting.map(|(job, _)| job.to_owned()).collect()
}

fn taken_since(case: &Case<'_>, event: &JobEvent) -> usize {
    let claims = case.around.events().filter(|other| other.id > event.id && is_claim(&other.event_type));
    Surroundings::jobs_of(claims).len()
}
