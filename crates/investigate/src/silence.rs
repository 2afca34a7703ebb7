//! Jobs of which nothing is heard any more.

use emp_findings::{Confidence, Culprit, CulpritKind, Evidence, Life, SameCause, Verdict, command, moment_word};
use emp_job::{History, JobEvent, Meaning, State, begins_work, vocabulary};
use emp_typical::Typical;
use emp_units as units;

use super::judge::{CASES_MIN, Case, Finding, clock, last_word, lasting};
use super::living::Word;
use super::surroundings::Surroundings;

/// Jobs that stopped further apart did not stop for one reason.
const TOGETHER_MS: i64 = 15 * 60_000;

/// Entries were trimmed unread after the last event that is known of the job, so its end may be among them.
pub(super) fn no_data(case: &Case<'_>) -> Option<Finding> {
    let history = case.history;
    if history.terminal().is_some() {
        return None;
    }
    let last = history.last();
    let lost =
        case.around.lost.iter().find(|lost| lost.to_ms >= last.arrived_ms && lost.from_ms >= history.start_ms())?;
    let reason = format!(
        "What became of it is not known: {} entries were trimmed from Redis unread between {} and {}, right after its \
         last known event, {}",
        units::count(lost.count),
        clock(lost.from_ms),
        clock(lost.to_ms),
        last.event_type
    );
    let mut finding = Finding::new(Verdict::NoData, Confidence::Likely, reason);
    finding.since_ms = Some(lost.from_ms);
    finding.next = vec![command(&["sql", "select * from losses"]), command(&["health"])];
    Some(finding)
}

/// Nothing is heard of the worker that has the job.
pub(super) fn worker_silent(case: &Case<'_>) -> Option<Finding> {
    let history = case.history;
    let worker = has_job(history)?;
    let last = last_word(history, worker)?;
    let known = case.around.living.worker(worker)?;
    let start = known.start_after(last.id).filter(|start| has_died_with_it(case, worker, last, start));
    if start.is_none() && known.life(history.now_ms()) == Life::Alive {
        return None;
    }
    let on = known.machine.as_deref().map(|machine| format!(" on {machine}")).unwrap_or_default();
    let expected = known.habit_in_words().map(|habit| format!("; {habit}")).unwrap_or_default();
    let (reason, since_ms, confidence) = match start {
        Some(start) => {
            let reason = format!(
                "Its worker, {worker}{on}, died and started again at {}, {} after its last word about the job, without \
                 the job",
                clock(start.arrived_ms),
                lasting(start.arrived_ms - last.arrived_ms)
            );
            (reason, last.arrived_ms, Confidence::Proven)
        }
        None => {
            let silent = lasting(history.now_ms() - known.last_ms);
            let at = clock(known.last_ms);
            let reason = format!("Its worker, {worker}{on}, has been silent for {silent}, since {at}{expected}");
            (reason, known.last_ms, Confidence::Likely)
        }
    };
    let mut finding = Finding::new(Verdict::WorkerSilent, confidence, reason);
    finding.culprit = Culprit::new(CulpritKind::Worker, Some(worker));
    finding.since_ms = Some(since_ms);
    finding.evidence.push(Evidence::new(last, format!("the last word of {worker} about the job")));
    let is_start = |event: &&JobEvent| start.is_some_and(|start| start.id == event.id);
    let started = case.around.worker(worker).find(is_start);
    finding.evidence.extend(started.map(|event| Evidence::new(event, format!("{worker} starts again"))));
    finding.same_cause = SameCause::of(left_behind(case.around, worker, last), case.job_id);
    finding.ruled_out.push(others_alive(case.around, worker));
    finding.next =
        vec![command(&["workers"]), words_of(worker, last.arrived_ms - 60_000), command(&["correlate", case.job_id])];
    Some(finding)
}

/// Was the job still on its way when its worker was heard of for the last time before that start? One that lived on
/// after the job had long been due was not what held it.
fn has_died_with_it(case: &Case<'_>, worker: &str, last: &JobEvent, start: &Word) -> bool {
    let before = case.around.worker(worker).rev().find(|event| event.id < start.id);
    let lived_ms = before.map_or(0, |before| before.arrived_ms - last.arrived_ms);
    case.overdue(&case.history.last().event_type, lived_ms).is_none()
}

/// A worker took it and does not begin.
pub(super) fn claimed_not_started(case: &Case<'_>) -> Option<Finding> {
    let State::Claimed(claim) = case.history.state() else { return None };
    if claims_are_all(case) {
        return None;
    }
    let claim = &case.history.events()[claim];
    let waits_ms = case.history.now_ms() - claim.happened_ms();
    let overdue = case.overdue(&claim.event_type, waits_ms)?;
    let worker = case.history.holder();
    let by = worker.map(|worker| format!(" by {worker}")).unwrap_or_default();
    let reason = format!(
        "It was claimed{by} {} ago and work on it has not begun; this takes {}",
        lasting(waits_ms),
        overdue.usual
    );
    let mut finding = Finding::new(Verdict::ClaimedNotStarted, overdue.confidence, reason);
    finding.culprit = Culprit::new(CulpritKind::Worker, worker);
    finding.since_ms = Some(claim.happened_ms());
    finding.evidence.push(Evidence::new(claim, "claimed, and nothing after that"));
    finding.ruled_out.extend(alive(case, claim));
    finding.next = worker.map(|worker| words_of(worker, claim.arrived_ms - 60_000)).into_iter().collect();
    Some(finding)
}

/// Do jobs of its kind mostly tell of nothing between their claim and their end? Then the claim is all that is heard of
/// their beginning.
pub(super) fn claims_are_all(case: &Case<'_>) -> bool {
    tell_of_claims_alone(case.typical, case.job_type())
}

/// The same of that kind of jobs.
pub(super) fn tell_of_claims_alone(typical: &Typical, job_type: &str) -> bool {
    let is_step = |event_type: &str| {
        let meaning = vocabulary().meaning_anywhere(event_type);
        begins_work(event_type, meaning) || matches!(meaning, Some(Meaning::Started | Meaning::Progressed))
    };
    typical.completed(job_type) >= CASES_MIN
        && !typical.usual_events(job_type, 0.5).into_iter().any(|(event_type, _)| is_step(event_type))
}

/// A worker is at work on it and no longer gets on.
pub(super) fn stuck(case: &Case<'_>) -> Option<Finding> {
    let history = case.history;
    match history.state() {
        State::Working => {}
        State::Claimed(_) if claims_are_all(case) => {}
        _ => return None,
    }
    let last = history.last_step();
    let quiet_ms = history.now_ms() - last.happened_ms();
    let overdue = case.overdue(&last.event_type, quiet_ms)?;
    let on = history.holder().map(|worker| format!(" on {worker}")).unwrap_or_default();
    let within = history.connector().map(|connector| format!(" in {connector}")).unwrap_or_default();
    let reason = format!(
        "It has been stuck{within}{on} for {}: nothing was heard of it since {} at {}; what follows takes {}",
        lasting(quiet_ms),
        last.event_type,
        clock(last.happened_ms()),
        overdue.usual
    );
    let mut finding = Finding::new(Verdict::Stuck, overdue.confidence, reason);
    let also = also_stuck(case);
    finding.culprit = culprit_of_stuck(case, &also);
    finding.since_ms = Some(last.happened_ms());
    finding.evidence.push(Evidence::new(last, "the last that was heard of the job"));
    finding.same_cause = SameCause::of(also.iter().map(String::as_str), case.job_id);
    finding.ruled_out.extend(alive(case, last));
    finding.next.extend(history.holder().map(|worker| words_of(worker, last.arrived_ms)));
    finding.next.push(command(&["timeline", case.job_id, "--compare", "typical"]));
    Some(finding)
}

/// Jobs that the same worker was at work on when that was heard of it last, and that have not ended.
fn left_behind<'a>(around: &'a Surroundings, worker: &'a str, last: &JobEvent) -> Vec<&'a str> {
    let jobs = Surroundings::jobs_of(around.worker(worker).filter(|event| event.id <= last.id));
    let is_left = |job: &&str| around.history(job).is_some_and(|history| has_job(history) == Some(worker));
    jobs.into_iter().filter(is_left).collect()
}

/// Who is at work on a job, or is about to be.
pub(super) fn has_job(history: &History) -> Option<&str> {
    matches!(history.state(), State::Claimed(_) | State::Working).then(|| history.holder()).flatten()
}

/// `its worker, worker-3, lives: it was heard of 2 s ago, and sent 214 events about 31 other jobs after that`.
fn alive(case: &Case<'_>, since: &JobEvent) -> Option<String> {
    let worker = case.history.holder()?;
    let known = case.around.living.worker(worker)?;
    if known.life(case.history.now_ms()) != Life::Alive {
        return None;
    }
    let later: Vec<&JobEvent> = case.around.worker(worker).filter(|event| event.id > since.id).collect();
    let jobs = Surroundings::jobs_of(later.iter().copied());
    let heard = lasting((case.history.now_ms() - known.last_ms).max(0));
    let events = units::counted(later.len(), "event", "events");
    let about = units::counted(jobs.len(), "other job", "other jobs");
    Some(format!(
        "its worker, {worker}, lives: it was heard of {heard} ago, and sent {events} about {about} after that"
    ))
}

fn others_alive(around: &Surroundings, worker: &str) -> String {
    match around.living.alive().filter(|other| *other != worker).count() {
        0 => "no other worker lives either: it may be all of them, or the collector".to_owned(),
        others => format!("not all workers: {} alive", units::counted(others, "other is", "others are")),
    }
}

/// Other jobs that were at work and of which nothing is heard any more, for as long as would be stuck.
fn also_stuck(case: &Case<'_>) -> Vec<String> {
    let connector = case.history.connector();
    let stuck = case.around.histories_about(case.history.last().happened_ms()).filter(|(job, other)| {
        let quiet_ms = other.now_ms() - other.last().happened_ms();
        let other_case = Case { job_id: job, history: other, ..*case };
        *job != case.job_id
            && (other.last().happened_ms() - case.history.last().happened_ms()).abs() <= TOGETHER_MS
            && other.state() == State::Working
            && (other.connector() == connector || other.holder() == case.history.holder())
            && other_case.overdue(&other.last().event_type, quiet_ms).is_some()
    });
    stuck.map(|(job, _)| job.to_owned()).collect()
}

/// One job alone is its own culprit; several on one worker, or in one connector, are not.
fn culprit_of_stuck(case: &Case<'_>, also: &[String]) -> Culprit {
    if also.is_empty() {
        return Culprit::new(CulpritKind::Job, Some(case.job_id));
    }
    let (holder, connector) = (case.history.holder(), case.history.connector());
    let mut stuck_with_it = also.iter().filter_map(|other| case.around.history(other));
    let are_on_one_worker = stuck_with_it.all(|other| other.holder() == holder);
    if holder.is_some() && are_on_one_worker {
        Culprit::new(CulpritKind::Worker, holder)
    } else if connector.is_some() && also.len() >= 2 {
        Culprit::new(CulpritKind::Connector, connector)
    } else {
        Culprit::new(CulpritKind::Job, Some(case.job_id))
    }
}

/// The command that shows what a worker said since then.
pub(super) fn words_of(worker: &str, since_ms: i64) -> String {
    let since = moment_word(since_ms);
    command(&["search", "--worker-id", worker, "--since", &since, "--oldest-first", "--limit", "20"])
}
