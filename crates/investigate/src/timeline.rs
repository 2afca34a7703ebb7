//! A job's time line, judged: which gaps are unusual, and where the time went.

use emp_findings::{FlaggedGap, Judgement, TypicalTime};
use emp_job::{Gap, History, Span};
use emp_typical::Typical;
use emp_units::tenth;

use super::investigation::Investigation;
use super::judge::{CASES_FOR_P99, CASES_MIN, Case, budget_of, skews};
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
        let spans = history.spans().iter().map(|span| self.typical_time(history, span)).collect();
        Judgement { gaps: gaps.collect(), spans, budget: budget_of(&case), notes: skews(history) }
    }

    /// How long such work takes in other jobs of this kind.
    fn typical_time(&self, history: &History, span: &Span) -> TypicalTime {
        let Some(known) = self.typical().span(history.job_type(), &span.name) else { return TypicalTime::default() };
        let others = span.end_ms.map_or_else(|| known.clone(), |end_ms| known.without(end_ms - span.start_ms));
        let quantile = |share, cases_min| others.quantile(share).filter(|_| others.count() >= cases_min).map(tenth);
        TypicalTime { median_ms: quantile(0.5, CASES_MIN), p99_ms: quantile(0.99, CASES_FOR_P99) }
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
    let typical_p99_ms = known.as_ref().and_then(|class| class.quantile(0.99));
    let median = known.and_then(|class| class.quantile(0.5)).filter(|median| *median >= 1.0);
    let times_typical = median.map(|median| gap.ms() as f64 / median);
    (gap.ms() as f64 >= limit_ms).then(|| FlaggedGap {
        before: gap.before,
        start_ms: gap.start_ms,
        end_ms: gap.end_ms,
        kind: gap.kind.as_str(),
        times_typical,
        typical_p99_ms,
    })
}
