//! What may have changed, before it is known which of it is real.

use emp_findings::{Change, ChangeKind, Direction, Implied, Test};
use emp_units as units;

/// A difference that was tested.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub change: Change,
    /// Would anybody care, were it real?
    pub is_large: bool,
    /// The type of event that it is about.
    pub event_type: Option<String>,
    /// The connector that it is about.
    pub connector: Option<String>,
    /// The kind of job that it is about.
    pub job_type: Option<String>,
    /// Is it about the slowest alone?
    pub is_tail: bool,
}

impl Candidate {
    /// One of which the counts, the rates and the like are still to be told.
    pub fn new(kind: ChangeKind, change: Direction, what: &str, p_value: f64) -> Self {
        let change = Change {
            change,
            kind,
            what: what.to_owned(),
            service: None,
            key: None,
            before_count: 0,
            after_count: 0,
            before_of: None,
            after_of: None,
            before_per_hour: None,
            after_per_hour: None,
            before_p50_ms: None,
            after_p50_ms: None,
            factor: None,
            test: test_of(kind),
            p_value,
            q_value: 1.0,
            words: String::new(),
            implies: Vec::new(),
        };
        Self { change, is_large: false, event_type: None, connector: None, job_type: None, is_tail: false }
    }

    /// As another one implies it.
    pub fn implied(&self) -> Implied {
        let Change { change, kind, what, words, .. } = &self.change;
        Implied { change: *change, kind: *kind, what: what.clone(), words: words.clone() }
    }
}

/// The test of most changes of a kind.
fn test_of(kind: ChangeKind) -> Test {
    match kind {
        ChangeKind::Outcome | ChangeKind::ErrorShare | ChangeKind::MissingStep => Test::Fisher,
        ChangeKind::Service | ChangeKind::Machine | ChangeKind::Worker => Test::Absence,
        ChangeKind::Connector | ChangeKind::Latency | ChangeKind::WorkerSpeed => Test::MannWhitney,
        ChangeKind::Jobs | ChangeKind::EventType | ChangeKind::ErrorText => Test::QuasiPoisson,
    }
}

/// To three digits: what more there are is noise.
pub(super) fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10.0_f64.powi(2 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

/// A factor as JSON has it: there is none where nothing was before.
pub(super) fn finite(factor: f64) -> Option<f64> {
    factor.is_finite().then(|| rounded(factor))
}

/// `×3.2`, `÷4`.
pub(super) fn times(factor: f64) -> String {
    if factor == 0.0 {
        return "none any more".to_owned();
    }
    if factor >= 1.0 { units::factor(factor) } else { units::factor(1.0 / factor).replace('×', "÷") }
}

/// `42 an hour`, `0.25 an hour`.
pub(super) fn per_hour(rate: f64) -> String {
    if rate >= 1_000.0 { units::count(rate.round() as u64) } else { units::decimal(rounded(rate)) }
}

/// `12 %`, `0.4 %`.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    format!("{} %", units::decimal(if percent >= 10.0 { percent.round() } else { units::tenth(percent) }))
}
