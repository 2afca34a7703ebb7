//! Jobs that ended badly, and that are tried again and again.

use std::collections::{BTreeMap, BTreeSet};

use emp_findings::{Confidence, Culprit, CulpritKind, Evidence, SameCause, Verdict, command};
use emp_job::{History, JobEvent, Meaning, Run, entity, error_text, fingerprint};
use emp_units as units;

use super::judge::{CASES_FOR_P99, Case, Finding, clock};
use super::surroundings::Surroundings;

/// So many attempts within [`MANY_WITHIN_MS`] are too many, whatever is usual.
const MANY_ATTEMPTS: usize = 5;
const MANY_WITHIN_MS: i64 = 600_000;
/// A job may need as many attempts as 99 of 100 of its kind, and this many at least.
const ATTEMPTS_USUAL_MIN: u32 = 3;
/// An error that so many other jobs have is not the job's own.
const SHARED_JOBS_MIN: usize = 2;
const ERROR_CHARS_MAX: usize = 160;
/// So many jobs that went on after they had failed are no exception.
const AGAIN_MIN: u64 = 3;
/// With fewer other jobs about, that none of them had an error says nothing.
const OTHERS_MIN: usize = 5;
/// Failures that are shown of one job, the last.
const FAILURES_SHOWN: usize = 8;

/// It ended with an error.
pub(super) fn failed(case: &Case<'_>) -> Option<Finding> {
    let history = case.history;
    let (end, ending) = (history.terminal()?, history.ending().filter(|ending| *ending != Meaning::Completed)?);
    let said = said_by(case, end);
    let attempts = match history.attempts() {
        1 => String::new(),
        attempts => format!(" after {attempts} attempts{}", on_workers(history)),
    };
    let what = match ending {
        Meaning::NotCreated => "It could not be created",
        Meaning::Cancelled => "It was cancelled",
        Meaning::TimedOut => "It timed out",
        _ => "It failed",
    };
    let why = said.as_deref().map(|text| format!(": {}", short(text))).unwrap_or_default();
    let mut finding = Finding::new(
        Verdict::Failed,
        Confidence::Proven,
        format!("{what}{attempts} at {}{why}", clock(end.happened_ms())),
    );
    finding.since_ms = Some(first_like(history, said.as_deref()).unwrap_or(end).happened_ms());
    explain_error(case, &mut finding, said.as_deref());
    blame_loss(history, &mut finding);
    doubt(case, end, &mut finding);
    Some(finding)
}

/// `, all on w7` or `, on w1, w2 and w7`: whoever had the job.
fn on_workers(history: &History) -> String {
    let mut workers: Vec<&str> = Vec::new();
    for worker in history.runs().iter().filter_map(|run| run.worker.as_deref()) {
        if !workers.contains(&worker) {
            workers.push(worker);
        }
    }
    match workers.split_last() {
        None => String::new(),
        Some((only, [])) => format!(", all on {only}"),
        Some((last, others)) => format!(", on {} and {last}", others.join(", ")),
    }
}

/// The first of the job's failures with that error: since then it is as it is.
fn first_like<'a>(history: &'a History, said: Option<&str>) -> Option<&'a JobEvent> {
    let of_error = fingerprint(said?);
    let is_like = |event: &&JobEvent| error_text(&event.data).is_some_and(|text| fingerprint(&text) == of_error);
    failures(history).into_iter().find(is_like)
}

/// A job that was given up since its worker had lost it did not fail by itself.
fn blame_loss(history: &History, finding: &mut Finding) {
    let Some(Run { worker: Some(worker), loss: Some(loss), .. }) = history.runs().last() else { return };
    finding.culprit = Culprit::new(CulpritKind::Worker, Some(worker));
    finding.evidence.push(Evidence::new(&history.events()[loss.last], format!("the last word of {worker} about it")));
}

/// Where jobs of its kind often go on after such an end, this one may, too.
fn doubt(case: &Case<'_>, end: &JobEvent, finding: &mut Finding) {
    let (typical, job_type) = (case.typical, case.job_type());
    let again = [Meaning::Claimed, Meaning::Retried, Meaning::Queued, Meaning::Released, Meaning::Delayed];
    let types = again.into_iter().flat_map(|meaning| emp_job::vocabulary().types(meaning));
    let steps = types.filter_map(|next| typical.step(job_type, &end.event_type, next));
    let (cases, longest_ms) = steps.fold((0, 0), |(cases, ms), step| (cases + step.count(), ms.max(step.max_ms())));
    let quiet_ms = case.history.now_ms() - end.happened_ms();
    let is_common = cases >= AGAIN_MIN && 10 * cases >= typical.state(job_type, &end.event_type).count();
    if is_common && quiet_ms <= longest_ms {
        finding.confidence = Confidence::Guess;
        finding.reason += &format!("; it may be tried again: {cases} {} went on after {}", case.noun(), end.event_type);
    }
}

/// It is tried again and again, with the same error each time.
pub(super) fn retry_loop(case: &Case<'_>) -> Option<Finding> {
    let history = case.history;
    if history.terminal().is_some() {
        return None;
    }
    // What a worker gives back, as a limit of its rate may ask it to, has not failed.
    let has_failed = |run: &Run| !run.is_given_back();
    let failures: Vec<&JobEvent> = failures_with_places(history)
        .filter(|(index, _)| history.run_of(*index).is_none_or(has_failed))
        .map(|(_, event)| event)
        .collect();
    let latest = failures.last()?;
    let said = error_text(&latest.data)?;
    let of_error = fingerprint(&said);
    let same =
        failures.iter().filter(|event| error_text(&event.data).is_some_and(|text| fingerprint(&text) == of_error));
    let same = same.count();
    let given_back = history.runs().iter().filter(|run| !has_failed(run)).count();
    let attempts = history.attempts() - given_back as u32;
    let usual = case.typical.attempts_p99(case.job_type()).filter(|(_, jobs)| *jobs >= CASES_FOR_P99);
    let most = usual.map_or(0, |(p99, _)| p99).max(ATTEMPTS_USUAL_MIN);
    let failed = history.runs().iter().filter(|run| has_failed(run));
    let claims: Vec<i64> = failed.map(|run| history.events()[run.begun].happened_ms()).collect();
    let is_frequent = claims.windows(MANY_ATTEMPTS).any(|some| some[MANY_ATTEMPTS - 1] - some[0] <= MANY_WITHIN_MS);
    if !((attempts > most && same > most as usize) || is_frequent) {
        return None;
    }
    let expected =
        usual.map(|(p99, jobs)| format!("; 99 of 100 {} need {p99} at most (n = {})", case.noun(), units::count(jobs)));
    let reason = format!(
        "It has been tried {attempts} times and fails with the same error: {}{}",
        short(&said),
        expected.unwrap_or_default()
    );
    let mut finding = Finding::new(Verdict::RetryLoop, Confidence::Proven, reason);
    finding.since_ms = first_like(history, Some(&said)).map(JobEvent::happened_ms);
    explain_error(case, &mut finding, Some(&said));
    Some(finding)
}

/// The errors of the job itself, not of its webhook.
fn failures(history: &History) -> Vec<&JobEvent> {
    failures_with_places(history).map(|(_, event)| event).collect()
}

fn failures_with_places(history: &History) -> impl Iterator<Item = (usize, &JobEvent)> {
    let is_own = |event: &JobEvent| event.is_failure() && entity(&event.event_type) != "webhook";
    history.events().iter().enumerate().filter(move |(_, event)| is_own(event))
}

/// What went wrong, by the event itself or the last error before it.
fn said_by(case: &Case<'_>, end: &JobEvent) -> Option<String> {
    let before = case.history.events().iter().rev().filter(|event| event.is_failure());
    error_text(&end.data).or_else(|| before.filter_map(|event| error_text(&event.data)).next())
}

/// Who is behind the last error of a job's attempts; says whether one of them said what went wrong.
pub(super) fn explain_last_error(case: &Case<'_>, finding: &mut Finding) -> bool {
    let said = failures(case.history).into_iter().rev().find_map(|event| error_text(&event.data));
    if said.is_some() {
        explain_error(case, finding, said.as_deref());
    }
    said.is_some()
}

/// Who else has the error, and so who is behind it.
fn explain_error(case: &Case<'_>, finding: &mut Finding, said: Option<&str>) {
    let history = case.history;
    let shown = failures(history);
    for event in shown.iter().rev().take(FAILURES_SHOWN).rev() {
        let text = error_text(&event.data).map_or_else(|| "an error".to_owned(), |text| short(&text));
        let on = event.worker_id.as_deref().filter(|_| history.runs().len() > 1);
        finding
            .evidence
            .push(Evidence::new(event, on.map(|worker| format!("on {worker}: ")).unwrap_or_default() + &text));
    }
    finding.culprit = Culprit::new(CulpritKind::Job, Some(case.job_id));
    let Some(said) = said else { return };
    let of_error = fingerprint(said);
    finding.cause = Some(of_error.clone());
    let at_ms = shown.last().map_or(history.end_ms(), |event| event.happened_ms());
    let same: Vec<&JobEvent> = case.around.same_errors(&of_error, at_ms).collect();
    let jobs = Surroundings::jobs_of(same.iter().copied());
    let others = jobs.iter().filter(|job| **job != case.job_id).count();
    finding.same_cause = SameCause::of(jobs.iter().copied(), case.job_id);
    let mut by_worker: BTreeMap<&str, usize> = BTreeMap::new();
    for event in &same {
        *by_worker.entry(event.worker_id.as_deref().unwrap_or_default()).or_default() += 1;
    }
    let worker = history.holder();
    if others < SHARED_JOBS_MIN {
        finding.ruled_out.push(match others {
            0 => of_this_job_alone(case, &of_error),
            _ => "only one other job had this error within half an hour".to_owned(),
        });
    } else if by_worker.len() == 1
        && worker.is_some_and(|worker| by_worker.contains_key(worker))
        && case.around.workers().count() > 2
    {
        finding.culprit = Culprit::new(CulpritKind::Worker, worker);
        finding.ruled_out.push("no other worker had this error".to_owned());
    } else if let Some(connector) = history.connector().filter(|connector| is_of_most(case, &jobs, connector)) {
        finding.culprit = Culprit::new(CulpritKind::Connector, Some(connector));
        finding.ruled_out.push(format!(
            "not one job or worker alone: {} on {} had this error",
            units::counted(others, "other job", "other jobs"),
            units::counted(by_worker.len(), "worker", "workers")
        ));
    } else {
        let service = shown.last().map(|event| &*event.service);
        finding.culprit = Culprit::new(CulpritKind::Service, service);
        finding
            .ruled_out
            .push(format!("not this job alone: {} had this error", units::counted(others, "other", "others")));
    }
    finding.next.push(command(&["correlate", case.job_id]));
}

/// Do most of the other jobs with that error need the connector, too?
fn is_of_most(case: &Case<'_>, jobs: &BTreeSet<&str>, connector: &str) -> bool {
    let others = || jobs.iter().filter(|job| **job != case.job_id);
    let needs_it = |job: &&&str| case.around.history(job).and_then(History::connector) == Some(connector);
    2 * others().filter(needs_it).count() > others().count()
}

/// That nobody else had an error says whose it is where it came again and again, or where others had the chance.
fn of_this_job_alone(case: &Case<'_>, of_error: &str) -> String {
    let is_same = |event: &&JobEvent| error_text(&event.data).is_some_and(|text| fingerprint(&text) == *of_error);
    let runs = case.history.runs().len();
    let failed = failures(case.history).into_iter().filter(is_same).count().min(runs);
    let others = case.around.histories_about(case.history.end_ms());
    let others = others.filter(|(job, other)| *job != case.job_id && other.job_type() == case.job_type()).count();
    let nobody = "no other job had this error within half an hour";
    if failed >= 2 && others >= OTHERS_MIN {
        let others = units::count(others as u64);
        return format!("{nobody}: it is of this job, of which {failed} attempts had it, and none of {others} others");
    }
    format!("{nobody}; one case does not tell whether it is of this job")
}

pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(ERROR_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
