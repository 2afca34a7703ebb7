//! A job's time line, judged: which gaps are unusual, and where the time went.

use emp_findings::{FlaggedGap, Judgement};
use emp_job::{Gap, History};
use emp_typical::Typical;

use super::investigation::Investigation;
use super::judge::{CASES_FOR_P99, Case, budget_of, skews};
use super::surroundings::Surroundings;

/// Shorter gaps are never flagged, whatever is typical.
const GAP_MS_MIN: f64 = 1_000.0;
/// Shorter gaps are not flagged where no baseline is known.
const GAP_MS_MIN_UNKNOWN: f64 = 5_000.0;

impl Investigation<'_> {
    /// Judges a job's time line; gaps from `min_gap_ms` on are flagged where that is given, else those
    /// that are unusual for their class.
    pub fn judge_timeline(&self, history: &History, min_gap_ms: Option<i64>) -> Judgement {
        let gaps = history.gaps().iter().filter_map(|gap| flag(history, gap, self.typical(), min_gap_ms));
        let around = Surroundings::new(Vec::new(), Vec::new(), self.now_ms());
        let case = Case { job_id: "", history, typical: self.typical(), around: &around };
        Judgement { gaps: gaps.collect(), budget: budget_of(&case), notes: skews(history) }
    }
}

fn flag(history: &History, gap: &Gap, typical: &Typical, min_gap_ms: Option<i64>) -> Option<FlaggedGap> {
    let before = &history.events()[gap.before].event_type;
    let class = match gap.after {
        Some(after) => typical.step(history.job_type(), before, &history.events()[after].event_type).cloned(),
        None => Some(typical.state(history.job_type(), before)),
    };
    let known = class.filter(|class| class.count() >= CASES_FOR_P99);
    let limit_ms = match (min_gap_ms, &known) {
        (Some(min_gap_ms), _) => min_gap_ms as f64,
        (None, Some(class)) => GAP_MS_MIN.max(3.0 * class.quantile(0.99).unwrap_or_default()),
        (None, None) => {
            let rest_ms = history.end_ms() - history.start_ms() - gap.ms();
            GAP_MS_MIN_UNKNOWN.max(0.1 * rest_ms as f64)
        }
    };
    let median = known.and_then(|class| class.quantile(0.5)).filter(|median| *median >= 1.0);
    let times_typical = median.map(|median| gap.ms() as f64 / median);
    (gap.ms() as f64 >= limit_ms).then(|| FlaggedGap {
        before: gap.before,
        start_ms: gap.start_ms,
        end_ms: gap.end_ms,
        kind: gap.kind.as_str(),
        times_typical,
    })
}
