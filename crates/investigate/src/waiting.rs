//! Jobs that no worker has taken.

use emp_findings::{Confidence, Culprit, CulpritKind, Evidence, SameCause, Verdict, command};
use emp_job::{History, JobEvent, Meaning, State, error_text};
use emp_units as units;

use super::blocked::blocked;
use super::busy::busy_with;
use super::failure::short;
use super::judge::{Case, Finding, clock, describe, lasting};

/// A job is passed over where so many others that came later were taken before it,
const PASSED_MIN: usize = 3;
/// and so many times as many as wait before it.
const PASSED_FACTOR: usize = 10;

/// No worker has taken the job. One that has not waited for long is waiting, too, but nothing is wrong
/// with it: then there is no `since`.
pub(super) fn waiting(case: &Case<'_>) -> Option<Finding> {
    let history = case.history;
    let index = match history.state() {
        State::Waiting(event) => event,
        State::Blocked(event) => return Some(blocked(case, event)),
        State::Deferred { event, until_ms } => return Some(deferred(case, event, until_ms)),
        _ => return None,
    };
    let event = &history.events()[index];
    // What was to wait is waited for from then on.
    let since_ms = event.due_ms().unwrap_or(i64::MIN).max(event.happened_ms());
    let waits_ms = history.now_ms() - since_ms;
    let pause = case.around.pause(history.queue(), history.now_ms());
    let overdue = case.overdue(&event.event_type, waits_ms);
    let queues = case.around.queues();
    let ahead = queues.waiting_before(history.queue(), event.id);
    let later = queues.taken_of_later(history.queue(), since_ms);
    // Those that wait before it are the reason, unless they are few beside those that came later and went first.
    let is_passed_over = pause.is_none() && later >= PASSED_MIN && later >= PASSED_FACTOR * ahead.len();
    let busy = busy_with(case, (since_ms, history.now_ms())).filter(|_| pause.is_none() && !is_passed_over);
    let workers: Vec<&str> = case.around.living.alive().collect();
    let place = history.queue().map(|queue| format!(" in queue `{queue}`")).unwrap_or_default();
    let why = match pause {
        Some(pause) => format!("its queue is paused since {}", clock(pause.happened_ms())),
        None if is_passed_over => format!(
            "it was passed over, as {} after it and taken before it, and {} alive",
            units::counted(later, "job was queued", "jobs were queued"),
            units::counted(workers.len(), "worker is", "workers are")
        ),
        None => why(workers.len(), ahead.len()),
    };
    let usual = case.typical.state(case.job_type(), &event.event_type);
    let usual = if usual.count() > 0 { format!("; this wait takes {}", describe(&usual)) } else { String::new() };
    let reason = format!(
        "{}No worker has taken it{place} for {}, since {}: {why}{usual}",
        before_that(history, index),
        lasting(waits_ms),
        clock(since_ms)
    );
    let is_guessed = pause.is_none() && (overdue.is_some() || ahead.len() == 0);
    let confidence = if is_guessed { Confidence::Likely } else { Confidence::Proven };
    let mut finding = Finding::new(Verdict::Waiting, confidence, reason);
    finding.evidence.push(Evidence::new(event, "since then it waits for a worker"));
    finding.evidence.extend(pause.map(|pause| Evidence::new(pause, "its queue hands out no jobs")));
    finding.same_cause = SameCause::of_each(ahead);
    if overdue.is_some() || pause.is_some() {
        finding.since_ms = Some(pause.map_or(since_ms, |pause| pause.happened_ms().max(since_ms)));
        finding.culprit = match workers.len() {
            0 if pause.is_none() => Culprit::new(CulpritKind::Service, Some("worker")),
            _ if is_passed_over => Culprit::new(CulpritKind::Job, Some(case.job_id)),
            _ => Culprit::new(CulpritKind::Queue, Some(history.queue().unwrap_or("default"))),
        };
        if let Some(busy) = busy {
            finding.culprit = Culprit::new(busy.kind, Some(&busy.id));
            finding.since_ms = Some(busy.since_ms);
            finding.reason += &format!("; {}, and {}", busy.in_words(), busy.kept_busy());
        }
    }
    finding.ruled_out.push(taken_meanwhile(case, event));
    finding.next.push(command(&["workers"]));
    // Workers that have ended may be missed.
    finding.next.extend(
        case.around.ended_worker().map(|event| command(&["search", "--event-type", &event.event_type, "--last", "3h"])),
    );
    Some(finding)
}

fn why(workers: usize, ahead: usize) -> String {
    match (workers, ahead) {
        (0, _) => "no worker is alive".to_owned(),
        (alive, 0) => {
            format!("no job waits before it, and {} alive", units::counted(alive, "worker is", "workers are"))
        }
        (alive, ahead) => format!(
            "{} before it, for {}",
            units::counted(ahead, "job waits", "jobs wait"),
            units::counted(alive, "worker", "workers")
        ),
    }
}

/// What became of the attempt before the wait that began with that event, where there was one.
fn before_that(history: &History, index: usize) -> String {
    let event = &history.events()[index];
    match history.meaning(index) {
        Some(meaning) if meaning.is_between_attempts() => {
            let said = error_text(&event.data).map(|text| format!(": {}", short(&text))).unwrap_or_default();
            format!("Attempt {} failed{said}; it will be tried again. ", history.attempts())
        }
        Some(Meaning::Released) => match history.runs().last().and_then(|run| run.worker.as_deref()) {
            Some(worker) => format!("{worker} has given it back. "),
            None => "Its worker has given it back. ".to_owned(),
        },
        Some(Meaning::Stalled) => {
            let lost = history.losses().last().map(|(run, _)| format!("{} has lost it. ", run.named()));
            lost.unwrap_or_default()
        }
        _ => String::new(),
    }
}

/// It is to wait until then.
fn deferred(case: &Case<'_>, event: usize, until_ms: i64) -> Finding {
    let left = lasting(until_ms - case.history.now_ms());
    let is_retry = case.history.meaning(event).is_some_and(Meaning::is_between_attempts);
    let (reason, ruled_out) = if is_retry {
        (
            format!("It waits for its next attempt, which is due in {left}, at {}", clock(until_ms)),
            "it is not overdue: the time of its next attempt has not come",
        )
    } else {
        (
            format!("It waits until {}, as asked: it is due in {left}", clock(until_ms)),
            "it is not overdue: the time that was asked for has not come",
        )
    };
    let mut finding = Finding::new(Verdict::Waiting, Confidence::Proven, reason);
    finding.evidence.push(Evidence::new(&case.history.events()[event], "it says until when"));
    finding.ruled_out.push(ruled_out.to_owned());
    finding
}

/// Whether others were taken from the same queue after that event. Where jobs name no queue they share one.
fn taken_meanwhile(case: &Case<'_>, event: &JobEvent) -> String {
    let counted = |jobs: usize| units::counted(jobs, "job was", "jobs were");
    match case.around.queues().taken_after(case.history.queue(), event.id) {
        (0, 0) => "no job at all was claimed after it was queued".to_owned(),
        (0, elsewhere) => {
            format!(
                "not the workers: {} claimed from other queues meanwhile, and none from its own",
                counted(elsewhere)
            )
        }
        (same, _) => format!("the queue moves: {} claimed from it after this one was queued", counted(same)),
    }
}
