//! A job's time line, judged: which gaps are unusual, where the time went, and how it differs from
//! another one.

use super::investigation::Investigation;
use super::judge::{CASES_FOR_P99, Case, budget_of, skews};
use super::surroundings::Surroundings;
use emp_findings::{ComparedStep, FlaggedGap, Judgement};
use emp_job::{Gap, History};
use emp_typical::Typical;

/// Flagged from here on, whatever is typical.
const GAP_MS_MIN: f64 = 1_000.0;
/// The same without a baseline.
const GAP_MS_MIN_UNKNOWN: f64 = 5_000.0;

impl Investigation<'_> {
    /// Judges a job's time line; gaps from `min_gap_ms` on are flagged where that is given, else those
    /// that are unusual for their class.
    pub fn judge_timeline(&self, history: &History, min_gap_ms: Option<i64>) -> Judgement {
        let flagged = history.gaps().iter().filter_map(|gap| {
            let flagged = flag(history, gap, self.typical(), min_gap_ms)?;
            Some((history.events()[gap.before].id, flagged))
        });
        let around = Surroundings::new(Vec::new(), (0, 0), Vec::new(), self.now_ms());
        let case = Case { job_id: "", history, typical: self.typical(), around: &around };
        Judgement { gaps_after: flagged.collect(), budget: budget_of(&case), notes: skews(history) }
    }

    /// Two jobs side by side, aligned by their steps.
    pub fn compare(&self, left: &History, right: &History) -> Vec<ComparedStep> {
        let of_right = steps(right);
        align(&steps(left), &of_right)
    }

    /// A job beside the usual way of its kind.
    pub fn compare_with_typical(&self, left: &History) -> Vec<ComparedStep> {
        let mut at = 0.0;
        let way = self.typical().usual_way(left.job_type()).into_iter().map(|(event_type, ms)| {
            at += ms;
            Timed { event_type: event_type.to_owned(), at_ms: at, step_ms: ms }
        });
        align(&steps(left), &way.collect::<Vec<_>>())
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
    (gap.ms() as f64 >= limit_ms).then(|| FlaggedGap { ms: gap.ms(), kind: gap.kind.as_str(), times_typical })
}

struct Timed {
    event_type: String,
    at_ms: f64,
    step_ms: f64,
}

/// One of several events of a type in a row is a step: the first.
fn steps(history: &History) -> Vec<Timed> {
    let mut steps: Vec<Timed> = Vec::new();
    let mut last_ms = history.start_ms();
    for event in history.events() {
        if steps.last().is_some_and(|last| last.event_type == event.event_type) {
            continue;
        }
        let ms = event.happened_ms();
        let (at_ms, step_ms) = ((ms - history.start_ms()) as f64, (ms - last_ms) as f64);
        steps.push(Timed { event_type: event.event_type.clone(), at_ms, step_ms });
        last_ms = ms;
    }
    steps
}

/// By their longest common subsequence of steps.
fn align(left: &[Timed], right: &[Timed]) -> Vec<ComparedStep> {
    let mut longest = vec![vec![0_u32; right.len() + 1]; left.len() + 1];
    for (i, a) in left.iter().enumerate().rev() {
        for (j, b) in right.iter().enumerate().rev() {
            longest[i][j] = if a.event_type == b.event_type {
                longest[i + 1][j + 1] + 1
            } else {
                longest[i + 1][j].max(longest[i][j + 1])
            };
        }
    }
    let step = |a: Option<&Timed>, b: Option<&Timed>| ComparedStep {
        event_type: a.or(b).map(|one| one.event_type.clone()).unwrap_or_default(),
        left_at_ms: a.map(|a| a.at_ms),
        right_at_ms: b.map(|b| b.at_ms),
        left_step_ms: a.map(|a| a.step_ms),
        right_step_ms: b.map(|b| b.step_ms),
    };
    let (mut i, mut j) = (0, 0);
    let mut aligned = Vec::new();
    while i < left.len() || j < right.len() {
        let (a, b) = (left.get(i), right.get(j));
        let is_same = a.zip(b).is_some_and(|(a, b)| a.event_type == b.event_type);
        if is_same {
            aligned.push(step(a, b));
            (i, j) = (i + 1, j + 1);
        } else if b.is_none() || (a.is_some() && longest[i + 1][j] >= longest[i][j + 1]) {
            aligned.push(step(a, None));
            i += 1;
        } else {
            aligned.push(step(None, b));
            j += 1;
        }
    }
    aligned
}
