//! Jobs that ended badly, that are tried again and again, and of whose end nobody was told.

use std::collections::BTreeMap;

use emp_findings::{Confidence, Culprit, CulpritKind, Evidence, SameCause, Verdict};
use emp_job::{History, JobEvent, Span, entity, error_text, fingerprint, is_claim, is_retry, is_terminal};
use emp_units as units;

use super::judge::{CASES_FOR_P99, Case, Finding, clock, lasting};
use super::surroundings::Surroundings;

/// So many attempts within [`MANY_WITHIN_MS`] are too many, whatever is usual.
const MANY_ATTEMPTS: usize = 5;
const MANY_WITHIN_MS: i64 = 600_000;
/// A job may need as many attempts as 99 of 100 of its kind, and this many at least.
const ATTEMPTS_USUAL_MIN: u32 = 3;
/// A webhook that is confirmed within this time is not late.
const UNDELIVERED_MS_MIN: i64 = 60_000;
/// An error that so many other jobs have is not the job's own.
const SHARED_JOBS_MIN: usize = 2;
const ERROR_CHARS_MAX: usize = 160;

/// It ended with an error.
pub(super) fn failed(case: &Case<'_>) -> Option<Finding> {
    let end =
        case.history.terminal().filter(|end| is_terminal(&end.event_type) && end.event_type != "job.completed")?;
    let said = said_by(case, end);
    let attempts = match case.history.attempts() {
        1 => String::new(),
        attempts => format!(" after {attempts} attempts"),
    };
    let what = match end.event_type.as_str() {
        "job.creation_failed" => "It could not be created",
        "job.cancelled" | "job.canceled" => "It was cancelled",
        "job.timed_out" => "It timed out",
        _ => "It failed",
    };
    let why = said.as_deref().map(|text| format!(": {}", short(text))).unwrap_or_default();
    let mut finding = Finding::new(
        Verdict::Failed,
        Confidence::Proven,
        format!("{what}{attempts} at {}{why}", clock(end.happened_ms())),
    );
    finding.since_ms = Some(end.happened_ms());
    explain_error(case, &mut finding, said.as_deref());
    Some(finding)
}

/// It is tried again and again, with the same error each time.
pub(super) fn retry_loop(case: &Case<'_>) -> Option<Finding> {
    let history = case.history;
    if history.terminal().is_some() {
        return None;
    }
    let failures = failures(history);
    let latest = failures.last()?;
    let said = error_text(&latest.data)?;
    let of_error = fingerprint(&said);
    let same =
        failures.iter().filter(|event| error_text(&event.data).is_some_and(|text| fingerprint(&text) == of_error));
    let same = same.count();
    let begun: Vec<i64> = history
        .events()
        .iter()
        .filter(|event| is_claim(&event.event_type) || is_retry(&event.event_type))
        .map(JobEvent::happened_ms)
        .collect();
    let usual = case.typical.attempts_p99(case.job_type()).filter(|(_, jobs)| *jobs >= CASES_FOR_P99);
    let most = usual.map_or(0, |(p99, _)| p99).max(ATTEMPTS_USUAL_MIN);
    let claims: Vec<i64> =
        history.events().iter().filter(|event| is_claim(&event.event_type)).map(JobEvent::happened_ms).collect();
    let is_frequent = claims.windows(MANY_ATTEMPTS).any(|some| some[MANY_ATTEMPTS - 1] - some[0] <= MANY_WITHIN_MS);
    if !((history.attempts() > most && same > most as usize) || is_frequent) {
        return None;
    }
    let expected =
        usual.map(|(p99, jobs)| format!("; 99 of 100 {} need {p99} at most (n = {})", case.noun(), units::count(jobs)));
    let reason = format!(
        "It has been tried {} times and fails with the same error: {}{}",
        history.attempts(),
        short(&said),
        expected.unwrap_or_default()
    );
    let mut finding = Finding::new(Verdict::RetryLoop, Confidence::Proven, reason);
    finding.since_ms = begun.first().copied();
    explain_error(case, &mut finding, Some(&said));
    Some(finding)
}

/// It is done, and whoever waits for it was not told.
pub(super) fn webhook_undelivered(case: &Case<'_>) -> Option<Finding> {
    let history = case.history;
    let end = history.terminal()?;
    let webhook: Vec<&JobEvent> =
        history.events().iter().filter(|event| entity(&event.event_type) == "webhook").collect();
    if webhook.iter().any(|event| event.event_type == "webhook.delivered") {
        return None;
    }
    let last = webhook.last().copied().unwrap_or(end);
    let waits_ms = history.now_ms() - last.happened_ms();
    if webhook.is_empty() {
        // Only where almost every job of its kind is reported to a webhook.
        let told =
            case.typical.step(case.job_type(), &end.event_type, "webhook.delivering").map_or(0, |told| told.count());
        let completed = case.typical.completed(case.job_type());
        if completed < CASES_FOR_P99 || (told as f64) < 0.95 * completed as f64 {
            return None;
        }
    }
    let usual = case.typical.state(case.job_type(), &last.event_type);
    let limit_ms = if usual.count() < CASES_FOR_P99 { 0.0 } else { 3.0 * usual.quantile(0.99).unwrap_or_default() };
    if waits_ms <= UNDELIVERED_MS_MIN || waits_ms as f64 <= limit_ms {
        return None;
    }
    let service = webhook.last().map_or("webhook-service", |event| event.service.as_str());
    let to =
        webhook.iter().rev().find_map(|event| event.text("url")).map(|url| format!(" to {url}")).unwrap_or_default();
    let what = match webhook.last() {
        None => "no webhook was ever sent".to_owned(),
        Some(last) if last.is_failure() => {
            let said = error_text(&last.data).map(|text| format!(": {}", short(&text))).unwrap_or_default();
            format!("the last try{to} failed {} ago{said}", lasting(waits_ms))
        }
        Some(_) => format!("its webhook{to} was sent {} ago and never confirmed", lasting(waits_ms)),
    };
    let ended = lasting(end.happened_ms() - history.start_ms());
    let reason = format!("It was done in {ended}, but {what}");
    let mut finding = Finding::new(Verdict::WebhookUndelivered, Confidence::Proven, reason);
    finding.culprit = Culprit::new(CulpritKind::Service, Some(service));
    finding.since_ms = Some(last.happened_ms());
    finding.evidence.push(Evidence::new(end, "the work itself was done"));
    if !webhook.is_empty() {
        finding.evidence.push(Evidence::new(last, "the last that was heard of its webhook"));
    }
    let later: Vec<&JobEvent> = case.around.service(service).filter(|event| event.id > last.id).collect();
    let delivered = later.iter().filter(|event| event.event_type == "webhook.delivered").count();
    finding.ruled_out.push(match (later.len(), delivered) {
        (0, _) => format!("nothing at all was heard of {service} after that: the service itself may be down"),
        (_, delivered) => format!(
            "{service} is alive: it delivered {} after that",
            units::counted(delivered, "other webhook", "other webhooks")
        ),
    });
    finding.same_cause = SameCause::of(undelivered(case), case.job_id);
    finding.next.push(format!("emp-events search --service {service} --since {} --limit 20", last.timestamp_ms));
    Some(finding)
}

/// Other jobs whose webhook was sent, or should have been, and never confirmed.
fn undelivered<'a>(case: &'a Case<'_>) -> Vec<&'a str> {
    let is_undelivered = |history: &History| {
        let webhooks: Vec<&Span> = history.spans().iter().filter(|span| span.name == "webhook").collect();
        history.terminal().is_some_and(|end| end.event_type == "job.completed")
            && history.now_ms() - history.last().happened_ms() > UNDELIVERED_MS_MIN
            && !webhooks.iter().any(|span| span.end_ms.is_some() && !span.has_failed)
    };
    case.around
        .histories_about(case.history.end_ms())
        .filter(|(_, history)| is_undelivered(history))
        .map(|(job, _)| job)
        .collect()
}

/// The errors of the job itself, not of its webhook.
fn failures(history: &History) -> Vec<&JobEvent> {
    let errors = history.events().iter().filter(|event| event.is_failure());
    errors.filter(|event| entity(&event.event_type) != "webhook").collect()
}

/// What went wrong, by the event itself or the last error before it.
fn said_by(case: &Case<'_>, end: &JobEvent) -> Option<String> {
    let before = case.history.events().iter().rev().filter(|event| event.is_failure());
    error_text(&end.data).or_else(|| before.filter_map(|event| error_text(&event.data)).next())
}

/// Who else has the error, and so who is behind it.
fn explain_error(case: &Case<'_>, finding: &mut Finding, said: Option<&str>) {
    let history = case.history;
    let shown = failures(history);
    for event in shown.iter().rev().take(5).rev() {
        let text = error_text(&event.data).map_or_else(|| "an error".to_owned(), |text| short(&text));
        finding.evidence.push(Evidence::new(event, text));
    }
    finding.culprit = Culprit::new(CulpritKind::Job, Some(case.job_id));
    let Some(said) = said else { return };
    let of_error = fingerprint(said);
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
            0 => "no other job had this error within half an hour: it is of this job".to_owned(),
            _ => "only one other job had this error within half an hour".to_owned(),
        });
    } else if by_worker.len() == 1
        && worker.is_some_and(|worker| by_worker.contains_key(worker))
        && case.around.workers().count() > 2
    {
        finding.culprit = Culprit::new(CulpritKind::Worker, worker);
        finding.ruled_out.push("no other worker had this error".to_owned());
    } else if let Some(connector) = history.connector() {
        finding.culprit = Culprit::new(CulpritKind::Connector, Some(connector));
        finding.ruled_out.push(format!(
            "not one job or worker alone: {} on {} had this error",
            units::counted(others, "other job", "other jobs"),
            units::counted(by_worker.len(), "worker", "workers")
        ));
    } else {
        let service = shown.last().map(|event| event.service.as_str());
        finding.culprit = Culprit::new(CulpritKind::Service, service);
        finding
            .ruled_out
            .push(format!("not this job alone: {} had this error", units::counted(others, "other", "others")));
    }
    finding.next.push(format!("emp-events correlate {}", case.job_id));
}

fn short(text: &str) -> String {
    match text.char_indices().nth(ERROR_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
