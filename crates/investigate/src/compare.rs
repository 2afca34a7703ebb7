//! Two jobs side by side, aligned by their steps.

use emp_findings::ComparedStep;
use emp_job::History;

use super::investigation::Investigation;

/// Steps of each job that are aligned at once. The table for it has as many cells as the square of this.
const WINDOW_STEPS: usize = 1_000;

impl Investigation<'_> {
    /// Two jobs side by side, aligned by their steps.
    pub fn compare(&self, left: &History, right: &History) -> Vec<ComparedStep> {
        align(&steps(left), &steps(right))
    }

    /// A job beside the usual way of its kind.
    pub fn compare_with_typical(&self, left: &History) -> Vec<ComparedStep> {
        let mut at_ms = 0.0;
        let usual = self.typical().usual_way(left.job_type()).into_iter().map(|(event_type, step_ms)| {
            at_ms += step_ms;
            Step { event_type: event_type.to_owned(), at_ms, step_ms }
        });
        align(&steps(left), &usual.collect::<Vec<_>>())
    }
}

struct Step {
    event_type: String,
    /// Since the job's beginning.
    at_ms: f64,
    /// Since the step before.
    step_ms: f64,
}

/// The events of a job; of several of one type in a row the first alone.
fn steps(history: &History) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut last_ms = history.start_ms();
    for event in history.events() {
        if steps.last().is_some_and(|last| *last.event_type == *event.event_type) {
            continue;
        }
        let ms = event.happened_ms();
        let (at_ms, step_ms) = ((ms - history.start_ms()) as f64, (ms - last_ms) as f64);
        steps.push(Step { event_type: event.event_type.to_string(), at_ms, step_ms });
        last_ms = ms;
    }
    steps
}

/// Each step beside the one that it corresponds to, or alone.
///
/// Jobs that fit into one window are aligned as well as can be. Of longer ones the first half of a window
/// is kept and the next window begins after it, so that time and memory grow with the jobs, not with the
/// product of their lengths.
fn align(left: &[Step], right: &[Step]) -> Vec<ComparedStep> {
    let (mut left_done, mut right_done) = (0, 0);
    let mut aligned = Vec::new();
    while left_done < left.len() || right_done < right.len() {
        let (from_left, from_right) = (window(&left[left_done..]), window(&right[right_done..]));
        let is_rest = left_done + from_left.len() == left.len() && right_done + from_right.len() == right.len();
        let kept = if is_rest { usize::MAX } else { WINDOW_STEPS / 2 };
        let (mut left_kept, mut right_kept) = (0, 0);
        for (on_left, on_right) in corresponding(from_left, from_right) {
            if left_kept.max(right_kept) >= kept {
                break;
            }
            aligned.push(compared(on_left, on_right));
            left_kept += usize::from(on_left.is_some());
            right_kept += usize::from(on_right.is_some());
        }
        left_done += left_kept;
        right_done += right_kept;
    }
    aligned
}

fn window(steps: &[Step]) -> &[Step] {
    &steps[..steps.len().min(WINDOW_STEPS)]
}

/// Steps in pairs, by their longest common subsequence; a step without its like is a pair of one.
fn corresponding<'a>(left: &'a [Step], right: &'a [Step]) -> Vec<(Option<&'a Step>, Option<&'a Step>)> {
    // How many steps correspond from the i-th on the left and the j-th on the right on.
    let mut common = vec![vec![0_u32; right.len() + 1]; left.len() + 1];
    for (i, a) in left.iter().enumerate().rev() {
        for (j, b) in right.iter().enumerate().rev() {
            common[i][j] = if a.event_type == b.event_type {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::with_capacity(left.len().max(right.len()));
    while i < left.len() || j < right.len() {
        let (a, b) = (left.get(i), right.get(j));
        let is_same = a.zip(b).is_some_and(|(a, b)| a.event_type == b.event_type);
        if is_same {
            pairs.push((a, b));
            (i, j) = (i + 1, j + 1);
        } else if b.is_none() || (a.is_some() && common[i + 1][j] >= common[i][j + 1]) {
            pairs.push((a, None));
            i += 1;
        } else {
            pairs.push((None, b));
            j += 1;
        }
    }
    pairs
}

fn compared(left: Option<&Step>, right: Option<&Step>) -> ComparedStep {
    ComparedStep {
        event_type: left.or(right).map(|step| step.event_type.clone()).unwrap_or_default(),
        left_at_ms: left.map(|step| step.at_ms),
        right_at_ms: right.map(|step| step.at_ms),
        left_step_ms: left.map(|step| step.step_ms),
        right_step_ms: right.map(|step| step.step_ms),
    }
}
