//! Jobs that take, or took, unusually long.

use emp_findings::{Confidence, Culprit, CulpritKind, Evidence, SameCause, Verdict};
use emp_job::{History, Part, PartKind, budget};
use emp_statistics::{mann_whitney_larger, quantile};
use emp_units as units;

use super::attempts::NOTICED_MS;
use super::judge::{CASES_FOR_P99, CASES_MIN, Case, Finding, describe, lasting, typical_ms};

/// A job is slow that takes so many times as long as 99 of 100 of its kind.
const SLOW_FACTOR: f64 = 1.2;
/// With fewer than a hundred cases, so many times as long as the longest.
const SLOW_FACTOR_OF_MAX: f64 = 1.5;
/// A difference that is worth a word.
const TELLING_FACTOR: f64 = 1.5;
const TELLING_P: f64 = 0.01;
/// Pieces of work of a worker that tell how fast it is.
const PIECES_MIN: usize = 3;

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

/// What takes longer is slow, by what is typical for its kind of job: a second at least, as less is not noticed.
pub(super) fn limit_ms(case: &Case<'_>) -> Option<f64> {
    let usual = case.typical.total(case.job_type())?;
    let limit_ms = match usual.count() {
        CASES_FOR_P99.. => SLOW_FACTOR * usual.quantile(0.99)?,
        CASES_MIN.. => SLOW_FACTOR_OF_MAX * usual.max_ms() as f64,
        _ => return None,
    };
    Some(limit_ms.max(NOTICED_MS as f64))
}

fn slow(case: &Case<'_>, verdict: Verdict, beginning: &str) -> Option<Finding> {
    let history = case.history;
    if !history.has_beginning() {
        return None;
    }
    let parts = budget(history);
    // A job that was to wait is not slow for it.
    let asked_ms: i64 = parts.iter().filter(|part| part.kind == PartKind::Delay).map(Part::ms).sum();
    let total_ms = history.end_ms() - history.start_ms() - asked_ms;
    let usual = case.typical.total(case.job_type())?;
    if total_ms as f64 <= limit_ms(case)? {
        return None;
    }
    // The part that took longest beyond what it usually takes.
    let beyond = |part: &Part| part.ms() as f64 - typical_ms(case, &part.kind).unwrap_or_default();
    let worst =
        parts.iter().filter(|part| part.kind != PartKind::Delay).max_by(|a, b| beyond(a).total_cmp(&beyond(b)))?;
    let typically = typical_ms(case, &worst.kind);
    let factor = typically.filter(|typical| *typical > 0.0).map(|typical| worst.ms() as f64 / typical);
    let times = factor.map(|factor| format!(", {} typical", units::factor(factor))).unwrap_or_default();
    let reason = format!(
        "{beginning} {}, most of it for {} ({}{times}); {} take {}",
        lasting(total_ms),
        worst.kind.label(),
        lasting(worst.ms()),
        case.noun(),
        describe(usual)
    );
    let mut finding = Finding::new(verdict, Confidence::Likely, reason);
    finding.since_ms = Some(worst.start_ms);
    let at = history.events().partition_point(|event| event.happened_ms() < worst.start_ms);
    let at = at.min(history.events().len() - 1);
    finding.evidence.push(Evidence::new(&history.events()[at], format!("{} begins", worst.kind.label())));
    blame(case, worst, &mut finding);
    finding.next.push(format!("emp-events timeline {} --compare typical", case.job_id));
    finding.next.push("emp-events why-slow --last 2h".to_owned());
    Some(finding)
}

fn blame(case: &Case<'_>, worst: &Part, finding: &mut Finding) {
    match &worst.kind {
        PartKind::Work(name) => blame_work(case, name, finding),
        PartKind::QueueWait => {
            finding.culprit = Culprit::new(CulpritKind::Queue, Some(case.history.queue().unwrap_or("default")));
            let waited = |history: &History| {
                let wait = budget(history).into_iter().find(|part| part.kind == PartKind::QueueWait);
                wait.is_some_and(|wait| wait.ms() >= worst.ms() / 2)
            };
            let others =
                case.around.histories_about(worst.start_ms).filter(|(_, other)| waited(other)).map(|(job, _)| job);
            finding.same_cause = SameCause::of(others.collect::<Vec<_>>(), case.job_id);
        }
        PartKind::Backoff => {
            finding.culprit = Culprit::new(CulpritKind::Connector, case.history.connector());
            finding
                .ruled_out
                .push("the work itself was not slow: most of the time went into waits for another attempt".to_owned());
        }
        PartKind::Lost(worker) => finding.culprit = Culprit::new(CulpritKind::Worker, Some(worker)),
        // It was to wait.
        PartKind::Delay => {}
        PartKind::Between { .. } => {
            // Who had it then, not who took it over.
            finding.culprit = match case.history.worker_at(worst.start_ms) {
                Some(worker) if is_of_workers(case.history, &worst.service) => {
                    Culprit::new(CulpritKind::Worker, Some(worker))
                }
                _ => Culprit::new(CulpritKind::Service, Some(&worst.service)),
            };
        }
    }
}

/// Is it a service of workers, which had the job?
fn is_of_workers(history: &History, service: &str) -> bool {
    history.runs().iter().any(|run| history.events()[run.begun].service == service)
}

/// A piece of work, compared with what is typical for its kind of job.
struct Piece {
    job: String,
    worker: Option<String>,
    connector: Option<String>,
    factor: f64,
}

/// Is it the worker, the connector, or this job alone? Told by the work that others did around it.
fn blame_work(case: &Case<'_>, name: &str, finding: &mut Finding) {
    let pieces: Vec<Piece> = case
        .around
        .histories_about(case.history.end_ms())
        .filter_map(|(job, history)| piece(case, job, history, name))
        .collect();
    let (worker, connector) = (case.history.holder(), case.history.connector());
    let of_connector = |piece: &&Piece| piece.connector.as_deref() == connector;
    let on_worker: Vec<&Piece> = pieces.iter().filter(|piece| piece.worker.as_deref() == worker).collect();
    let elsewhere: Vec<&Piece> = pieces.iter().filter(|piece| piece.worker.as_deref() != worker).collect();
    let same_connector: Vec<&Piece> = pieces.iter().filter(of_connector).collect();
    let other_connectors: Vec<&Piece> = pieces.iter().filter(|piece| !of_connector(piece)).collect();
    let by_worker = difference(&on_worker, &elsewhere);
    let by_connector = difference(&same_connector, &other_connectors);
    let is_connector = by_connector.is_telling() && by_connector.p <= by_worker.p;
    let (slow, shown) = if is_connector {
        finding.culprit = Culprit::new(CulpritKind::Connector, connector);
        (
            &same_connector,
            format!(
                "{} takes ×{:.1} of what is typical, other connectors ×{:.1}",
                connector.unwrap_or_default(),
                by_connector.own,
                by_connector.others
            ),
        )
    } else if by_worker.is_telling() {
        finding.culprit = Culprit::new(CulpritKind::Worker, worker);
        (
            &on_worker,
            format!(
                "{} takes ×{:.1} of what is typical, its peers ×{:.1}",
                worker.unwrap_or_default(),
                by_worker.own,
                by_worker.others
            ),
        )
    } else {
        finding.culprit = Culprit::new(CulpritKind::Job, Some(case.job_id));
        finding.ruled_out.push(format!(
            "neither its worker (×{:.1} of what is typical) nor its connector (×{:.1}) was slow for others",
            by_worker.own, by_connector.own
        ));
        return;
    };
    finding.reason += &format!("; {shown}");
    let jobs = slow.iter().filter(|piece| piece.factor >= TELLING_FACTOR).map(|piece| piece.job.as_str());
    finding.same_cause = SameCause::of(jobs.collect::<Vec<_>>(), case.job_id);
    finding.next.push(match (is_connector, worker) {
        (false, Some(worker)) => format!("emp-events search --worker-id {worker} --last 2h"),
        _ => "emp-events perf --by connectorType --last 2h".to_owned(),
    });
}

fn piece(case: &Case<'_>, job: &str, history: &History, name: &str) -> Option<Piece> {
    let span =
        history.spans().iter().rev().find(|span| span.name == name && span.end_ms.is_some() && !span.has_failed)?;
    let typical = case.typical.span(history.job_type(), name).filter(|typical| typical.count() >= CASES_MIN)?;
    let factor = (span.end_ms? - span.start_ms) as f64 / typical.quantile(0.5)?.max(1.0);
    let worker = history.holder().map(str::to_owned);
    Some(Piece { job: job.to_owned(), worker, connector: history.connector().map(str::to_owned), factor })
}

struct Difference {
    own: f64,
    others: f64,
    p: f64,
    pieces: usize,
}

impl Difference {
    fn is_telling(&self) -> bool {
        self.pieces >= PIECES_MIN && self.own >= TELLING_FACTOR * self.others && self.p <= TELLING_P
    }
}

fn difference(own: &[&Piece], others: &[&Piece]) -> Difference {
    let factors = |pieces: &[&Piece]| pieces.iter().map(|piece| piece.factor).collect::<Vec<_>>();
    let (mut own, mut others) = (factors(own), factors(others));
    let p = mann_whitney_larger(&own, &others);
    let pieces = own.len();
    Difference {
        own: quantile(&mut own, 0.5).unwrap_or(1.0),
        others: quantile(&mut others, 0.5).unwrap_or(1.0),
        p,
        pieces,
    }
}
