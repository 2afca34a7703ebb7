//! Whether a difference is real: the tests that anomalies and comparisons rest on.
//!
//! Each returns the probability of a difference this large or larger where there is none. The
//! distributions are those of `statrs`; the values are compared with SciPy's in the tests.

use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};
use statrs::function::factorial::ln_binomial;

/// How unusual the number of events of one bucket of time is among those of others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateTest {
    /// How many there are on average.
    pub mean: f64,
    /// How many more (or fewer, below zero) there are now, in units of what is usual.
    pub t: f64,
    /// Two-sided.
    pub p: f64,
}

/// Compares a count with those of other buckets of the same length, of which there must be two at
/// least. Counts of events are more spread than Poisson's by φ = max(1, v/m); the square root makes
/// their spread the same at any height (Anscombe 1948): `T = 2(√(x+⅜) − √(m+⅜)) / √(φ(1+1/n))`, of
/// Student's distribution with n − 1 degrees of freedom.
pub fn rate_test(now: f64, others: &[f64]) -> Option<RateTest> {
    let n = others.len() as f64;
    if others.len() < 2 {
        return None;
    }
    let mean = others.iter().sum::<f64>() / n;
    let variance = others.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let spread = if mean > 0.0 { (variance / mean).max(1.0) } else { 1.0 };
    let root = |count: f64| (count + 0.375).sqrt();
    let t = 2.0 * (root(now) - root(mean)) / (spread * (1.0 + 1.0 / n)).sqrt();
    Some(RateTest { mean, t, p: student_p(t, n - 1.0) })
}

/// The two-sided probability of Student's t with that many degrees of freedom.
fn student_p(t: f64, freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(1.0, |student| 2.0 * student.sf(t.abs()))
}

/// Fisher's exact test: the probability of `hits` or more of `n`, where in all `other_hits` of
/// `other_n` more were hits and both are of one kind. One-sided. 1 where the counts make no sense.
pub fn fisher_more(hits: u64, n: u64, other_hits: u64, other_n: u64) -> f64 {
    let (all_hits, all) = (hits + other_hits, n + other_n);
    if hits > n || other_hits > other_n || n == 0 || other_n == 0 {
        return 1.0;
    }
    let ln_all = ln_binomial(all, n);
    let most = all_hits.min(n);
    let terms = (hits..=most).filter(|k| n - k <= all - all_hits);
    let p: f64 = terms.map(|k| (ln_binomial(all_hits, k) + ln_binomial(all - all_hits, n - k) - ln_all).exp()).sum();
    p.clamp(0.0, 1.0)
}

/// The Mann–Whitney test: the probability that values like `now` tend to be as much larger than those
/// of `base` as they are, where both are of one kind. One-sided, with the normal approximation,
/// corrected for ties and continuity. 1 where one of them is empty.
pub fn mann_whitney_larger(now: &[f64], base: &[f64]) -> f64 {
    let (n, m) = (now.len() as f64, base.len() as f64);
    if now.is_empty() || base.is_empty() {
        return 1.0;
    }
    let mut all: Vec<(f64, bool)> = now.iter().map(|value| (*value, true)).collect();
    all.extend(base.iter().map(|value| (*value, false)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut rank_sum, mut ties, mut before) = (0.0, 0.0, 0.0);
    for same in all.chunk_by(|a, b| a.0 == b.0) {
        let count = same.len() as f64;
        let rank = before + (count + 1.0) / 2.0;
        rank_sum += rank * same.iter().filter(|(_, is_now)| *is_now).count() as f64;
        ties += count.powi(3) - count;
        before += count;
    }
    let u = rank_sum - n * (n + 1.0) / 2.0;
    let all = n + m;
    let variance = n * m / 12.0 * ((all + 1.0) - ties / (all * (all - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    let z = (u - n * m / 2.0 - 0.5) / variance.sqrt();
    Normal::standard().sf(z)
}

/// The q-values of tests made together (Benjamini and Hochberg 1995), in the order of their
/// p-values: among the findings with q up to some bound, about that share is false.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*b].total_cmp(&p_values[*a]));
    let count = p_values.len() as f64;
    let mut q_values = vec![1.0; p_values.len()];
    let mut smallest = 1.0_f64;
    for (place, index) in order.into_iter().enumerate() {
        smallest = smallest.min(p_values[index] * count / (count - place as f64));
        q_values[index] = smallest;
    }
    q_values
}

/// The exact quantile of values, as SQL's `quantile_cont`: between two of them, on the line from one
/// to the other. They are sorted for it. `None` of none.
pub fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let at = share.clamp(0.0, 1.0) * values.len().checked_sub(1)? as f64;
    let (below, above) = (values[at.floor() as usize], values[at.ceil() as usize]);
    Some(below + (above - below) * at.fract())
}

#[cfg(test)]
mod tests;
