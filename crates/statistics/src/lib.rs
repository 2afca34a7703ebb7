//! Whether a difference is real: the tests that anomalies and comparisons rest on.
//!
//! Each returns the probability of a difference this large or larger where there is none. The
//! distributions are those of `statrs`; the values are compared with SciPy's in the tests.

mod clusters;
mod exact;
mod sequential;
mod slots;

use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};
use statrs::function::factorial::ln_binomial;

pub use clusters::{RankTest, clustered_rank_test};
pub use sequential::{evidence_limit, ln_evidence, new_a_day, stretches};
pub use slots::{Part, RatioTest, Slot, p_of_totals, ratio_test, share_test};

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
    let expected = n as f64 * all_hits as f64 / all as f64;
    if (hits as f64) < expected - FAR_BELOW * expected.sqrt() - FAR_BELOW {
        // So far below what is expected it is all but sure, and the sum would have as many terms.
        return 1.0;
    }
    let ln_all = ln_binomial(all, n);
    let most = all_hits.min(n);
    let mut p = 0.0;
    for k in (hits..=most).filter(|k| n - k <= all - all_hits) {
        let term = (ln_binomial(all_hits, k) + ln_binomial(all - all_hits, n - k) - ln_all).exp();
        p += term;
        // Beyond what is expected each term is smaller than the one before, ever faster.
        if k as f64 > expected && term <= p * f64::EPSILON / 8.0 {
            break;
        }
    }
    p.clamp(0.0, 1.0)
}

/// So many standard deviations below what is expected nothing has to be added up.
const FAR_BELOW: f64 = 12.0;

/// Values with how often each occurs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counted {
    /// In rising order.
    values: Vec<(f64, u64)>,
}

impl FromIterator<(f64, u64)> for Counted {
    fn from_iter<T: IntoIterator<Item = (f64, u64)>>(values: T) -> Self {
        let mut values: Vec<(f64, u64)> = values.into_iter().collect();
        values.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        Self { values }
    }
}

impl Counted {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.values.iter().map(|(_, count)| count).sum()
    }

    /// That share of them is no larger. `None` of none.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let place = (share.clamp(0.0, 1.0) * self.count().checked_sub(1)? as f64).round() as u64;
        let mut passed = 0;
        let found = self.values.iter().find(|(_, count)| {
            passed += count;
            place < passed
        });
        found.map(|(value, _)| *value)
    }

    /// How many are larger.
    pub fn above(&self, bound: f64) -> u64 {
        self.values.iter().filter(|(value, _)| *value > bound).map(|(_, count)| count).sum()
    }

    /// All of both.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        self.values.iter().chain(&other.values).copied().collect()
    }
}

/// The Mann–Whitney test: the probability that values like `now` tend to be as much larger than those
/// of `base` as they are, where both are of one kind. One-sided; exact for a few values, of which the normal approximation
/// knows little: that three values are larger than three hundred others is one case of 4.6 million, and not of 600. Else
/// with that approximation, corrected for ties and continuity. 1 where one of them is empty.
pub fn mann_whitney_larger(now: &[f64], base: &[f64]) -> f64 {
    if now.len() <= exact::FEW && base.len() >= now.len() {
        return exact::mann_whitney_of_few(now, base);
    }
    let counted = |values: &[f64]| values.iter().map(|value| (*value, 1)).collect::<Counted>();
    mann_whitney_counted(&counted(now), &counted(base))
}

/// The same of values that come with how often they occur.
pub fn mann_whitney_counted(now: &Counted, base: &Counted) -> f64 {
    let (n, m) = (now.count() as f64, base.count() as f64);
    if n == 0.0 || m == 0.0 {
        return 1.0;
    }
    let mut all: Vec<(f64, f64, f64)> = now.values.iter().map(|(value, count)| (*value, *count as f64, 0.0)).collect();
    all.extend(base.values.iter().map(|(value, count)| (*value, 0.0, *count as f64)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut rank_sum, mut ties, mut before) = (0.0, 0.0, 0.0);
    for same in all.chunk_by(|a, b| a.0 == b.0) {
        let (of_now, of_base) = same.iter().fold((0.0, 0.0), |(now, base), one| (now + one.1, base + one.2));
        let count = of_now + of_base;
        let rank = before + (count + 1.0) / 2.0;
        rank_sum += rank * of_now;
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

/// Student's test of two samples, with one spread for both: the probability that the mean of `now` is as much larger than
/// that of `base` as it is, where both are of one normal distribution. One-sided; 1 where there are too few to know their
/// spread.
pub fn student_larger(now: &[f64], base: &[f64]) -> f64 {
    let (n, m) = (now.len() as f64, base.len() as f64);
    if now.is_empty() || base.is_empty() || n + m < 4.0 {
        return 1.0;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let squares = |values: &[f64], mean: f64| values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    let (of_now, of_base) = (mean(now), mean(base));
    let variance = (squares(now, of_now) + squares(base, of_base)) / (n + m - 2.0);
    if variance <= 0.0 {
        return 1.0;
    }
    let t = (of_now - of_base) / (variance * (1.0 / n + 1.0 / m)).sqrt();
    StudentsT::new(0.0, 1.0, n + m - 2.0).map_or(1.0, |student| student.sf(t))
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
