//! Jobs that take, or took, unusually long.

use emp_findings::{Confidence, Culprit, CulpritKind, Evidence, SameCause, Verdict, command, moment_word};
use emp_job::{History, Meaning, Part, PartKind, Span, begins_work, budget, vocabulary};
use emp_typical::{Sketch, Typical};
use emp_units as units;

use super::attempts::NOTICED_MS;
use super::busy::busy_with;
use super::failure::explain_last_error;
use super::judge::{CASES_FOR_P99, CASES_MIN, Case, Finding, describe, lasting, others_of, typical_ms};
use super::pieces::is_untold_work;
use super::silence::claims_are_all;
use super::speed::Slowness;

/// A job is slow that takes so many times as long as 99 of 100 of its kind.
const SLOW_FACTOR: f64 = 1.2;
/// With fewer than a hundred cases, so many times as long as the longest.
const SLOW_FACTOR_OF_MAX: f64 = 1.5;

/// It goes on, and has taken longer than is usual from beginning to end.
pub(super) fn running_slow(case: &Case<'_>) -> Option<Finding> {
    if case.history.terminal().is_some() {
        return None;
    }
    slow(case, Verdict::RunningSlow, "It is running and has taken")
}

/// It is done, and took unusually long.
pub(super) fn done_slow(case: &Case<'_>) -> Option<Finding> {
    case.history.terminal()?;
    slow(case, Verdict::DoneSlow, "It is done, and took")
}

/// How long a job has taken, where that is unusually long for its kind. What it was asked to wait is left out.
pub(super) fn overlong(history: &History, typical: &Typical) -> Option<i64> {
    if !history.has_beginning() {
        return None;
    }
    let asked_ms: i64 = budget(history).iter().filter(|part| part.kind.is_asked()).map(Part::ms).sum();
    let total_ms = history.end_ms() - history.start_ms() - asked_ms;
    (total_ms as f64 > limit_ms(history, typical)?).then_some(total_ms)
}

/// What takes longer is slow, by what is typical for its kind of job.
pub(super) fn limit_ms(history: &History, typical: &Typical) -> Option<f64> {
    slow_beyond(&usual_total(history, typical)?)
}

/// What takes longer than others did is slow: a second at least, as less is not noticed.
fn slow_beyond(others: &Sketch) -> Option<f64> {
    let limit_ms = match others.count() {
        CASES_FOR_P99.. => SLOW_FACTOR * others.quantile(0.99)?,
        CASES_MIN.. => SLOW_FACTOR_OF_MAX * others.max_ms() as f64,
        _ => return None,
    };
    Some(limit_ms.max(NOTICED_MS as f64))
}

/// How long others of its kind take: without this one.
fn usual_total(history: &History, typical: &Typical) -> Option<Sketch> {
    let total_ms = history.end_ms() - history.start_ms();
    typical.total(history.job_type()).map(|usual| usual.without(total_ms))
}

fn slow(case: &Case<'_>, verdict: Verdict, beginning: &str) -> Option<Finding> {
    let history = case.history;
    let total_ms = overlong(history, case.typical)?;
    let usual = usual_total(history, case.typical)?;
    let parts = budget(history);
    // The part that took longest beyond what it usually takes. Most jobs need no second attempt: whatever they wait for
    // one is beyond.
    let usual_ms = |part: &Part| typical_ms(case, part).filter(|_| part.kind != PartKind::Backoff);
    let beyond = |part: &Part| part.ms() as f64 - usual_ms(part).unwrap_or_default();
    let worst = parts.iter().filter(|part| !part.kind.is_asked()).max_by(|a, b| beyond(a).total_cmp(&beyond(b)))?;
    let typically = usual_ms(worst);
    let factor = typically.filter(|typical| *typical > 0.0).map(|typical| worst.ms() as f64 / typical);
    let times = factor.map(|factor| format!(", {} typical", units::factor(factor))).unwrap_or_default();
    let reason = format!(
        "{beginning} {}, most of it for {} ({}{times}); {} take {}",
        lasting(total_ms),
        worst.kind.label(),
        lasting(worst.ms()),
        case.noun(),
        describe(&usual)
    );
    let mut finding = Finding::new(verdict, Confidence::Likely, reason);
    finding.since_ms = Some(worst.start_ms);
    let at = history.events().partition_point(|event| event.happened_ms() < worst.start_ms);
    let at = at.min(history.events().len() - 1);
    finding.evidence.push(Evidence::new(&history.events()[at], format!("{} begins", worst.kind.label())));
    blame(case, worst, &mut finding);
    finding.next.push(command(&["timeline", case.job_id, "--compare", "typical"]));
    finding.next.push(around_it(case, &["why-slow"]));
    Some(finding)
}

/// A question about the time of the job, which may be long ago, and an hour before and after it.
fn around_it(case: &Case<'_>, question: &[&str]) -> String {
    const AROUND_MS: i64 = 3_600_000;
    let since = moment_word(case.history.start_ms() - AROUND_MS);
    let until = moment_word((case.history.end_ms() + AROUND_MS).min(case.history.now_ms()));
    command(&[question, &["--since", &since, "--until", &until]].concat())
}

fn blame(case: &Case<'_>, worst: &Part, finding: &mut Finding) {
    match &worst.kind {
        PartKind::Work(_) => blame_work(case, worst, worker_of(case.history, worst), finding),
        PartKind::QueueWait => {
            let queue = case.history.queue().unwrap_or("default");
            finding.culprit = Culprit::new(CulpritKind::Queue, Some(queue));
            let (then, speeds) = ((worst.start_ms, worst.end_ms), case.around.speeds(case.typical));
            if let Some(busy) = busy_with(case, then) {
                put_down_to(case, busy, finding);
                finding.reason += &format!(", and {}", busy.kept_busy());
            } else if let Some(slow) = speeds.during(CulpritKind::Queue, Some(queue), then) {
                put_down_to(case, slow, finding);
            }
        }
        PartKind::Backoff => {
            // Another attempt was needed since the one before had failed.
            if !explain_last_error(case, finding) {
                finding.culprit = Culprit::new(CulpritKind::Connector, case.history.connector());
            }
            finding
                .ruled_out
                .push("the work itself was not slow: most of the time went into waits for another attempt".to_owned());
        }
        PartKind::Lost(worker) => finding.culprit = Culprit::new(CulpritKind::Worker, Some(worker)),
        // It was to wait.
        PartKind::Delay | PartKind::OtherJobs => {}
        PartKind::Between { .. } => {
            // Who had it then, not who took it over.
            match case.history.worker_at(worst.start_ms) {
                Some(worker) if is_untold_work(case.history, worst) => blame_work(case, worst, Some(worker), finding),
                // It is at work still: whoever was slow for others may be slow for it.
                Some(worker)
                    if is_work_that_goes_on(case, worst) && blame_by_speed(case, worst, Some(worker), finding) => {}
                // It had the job, and said nothing of what it did.
                Some(worker) if is_of_workers(case.history, &worst.service) => {
                    finding.culprit = Culprit::new(CulpritKind::Worker, Some(worker));
                }
                _ => finding.culprit = Culprit::new(CulpritKind::Service, Some(&worst.service)),
            }
        }
    }
}

/// Is it a service of workers, which had the job?
fn is_of_workers(history: &History, service: &str) -> bool {
    history.runs().iter().any(|run| *history.events()[run.begun].service == *service)
}

/// Is it the silence of a worker that has begun and not ended its work?
fn is_work_that_goes_on(case: &Case<'_>, part: &Part) -> bool {
    let PartKind::Between { before, after: None, .. } = &part.kind else { return false };
    let meaning = vocabulary().meaning_anywhere(before);
    begins_work(before, meaning)
        || matches!(meaning, Some(Meaning::Started | Meaning::Progressed))
        || (meaning == Some(Meaning::Claimed) && claims_are_all(case))
}

/// Is it the worker, the connector, or this job alone? Told by the work that others did around it.
fn blame_work(case: &Case<'_>, worst: &Part, worker: Option<&str>, finding: &mut Finding) {
    if blame_by_speed(case, worst, worker, finding) {
        return;
    }
    finding.culprit = Culprit::new(CulpritKind::Job, Some(case.job_id));
    let slow = slow_then(case, worst, worker);
    let little = slow.iter().map(|slow| format!("{}: this took far longer", slow.in_words()));
    finding.ruled_out.extend(little);
    if slow.is_empty() {
        finding.ruled_out.push("neither its worker nor its connector was slow for others then".to_owned());
    }
}

/// Blames its worker or its connector where that was slow for others, and so slow that it explains this; says whether
/// one was. Of both, it is the one that took more beyond what is usual: how sure each is says how long it has been
/// watched, not how much it matters here.
fn blame_by_speed(case: &Case<'_>, worst: &Part, worker: Option<&str>, finding: &mut Finding) -> bool {
    let slow = slow_then(case, worst, worker).into_iter().filter(|slow| explains(case, worst, slow));
    let Some(slow) = slow.max_by(|a, b| a.factor.total_cmp(&b.factor)) else { return false };
    put_down_to(case, slow, finding);
    finding.next.push(match slow.kind {
        CulpritKind::Connector => {
            let key = case.history.connector_key().unwrap_or("connectorType");
            around_it(case, &["perf", "--by", key])
        }
        _ => around_it(case, &["workers"]),
    });
    true
}

/// Its worker and its connector, where they were slow for others meanwhile.
fn slow_then<'a>(case: &Case<'a>, worst: &Part, worker: Option<&str>) -> Vec<&'a Slowness> {
    let speeds = case.around.speeds(case.typical);
    let then = (worst.start_ms, worst.end_ms);
    let subjects = [(CulpritKind::Worker, worker), (CulpritKind::Connector, case.history.connector())];
    subjects.into_iter().filter_map(|(kind, id)| speeds.during(kind, id, then)).collect()
}

/// Would that part not have been slow, had that one been as fast as others?
fn explains(case: &Case<'_>, worst: &Part, slow: &Slowness) -> bool {
    let limit_ms = others_of(case, worst).and_then(|others| slow_beyond(&others));
    limit_ms.is_none_or(|limit_ms| worst.ms() as f64 / slow.factor <= limit_ms)
}

/// Names who was slow, since when, and the jobs that were slow by it.
fn put_down_to(case: &Case<'_>, slow: &Slowness, finding: &mut Finding) {
    finding.culprit = Culprit::new(slow.kind, Some(&slow.id));
    finding.since_ms = Some(slow.since_ms);
    finding.reason += &format!("; {}", slow.in_words());
    finding.same_cause = SameCause::of(slow.jobs.iter().map(String::as_str), case.job_id);
}

/// Who did that work: not always the one that has the job now.
fn worker_of<'a>(history: &'a History, part: &Part) -> Option<&'a str> {
    let is_it = |span: &&Span| PartKind::Work(span.name.clone()) == part.kind && span.start_ms == part.start_ms;
    let span = history.spans().iter().find(is_it)?;
    history.events()[span.event].worker_id.as_deref().or_else(|| history.holder())
}
