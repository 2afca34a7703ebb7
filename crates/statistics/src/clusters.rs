//! Lengths of two ranges of time, each cut into slots: what is slow at one moment is so for all at once, so
//! that a thousand waits of one rush say as little as one.

use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::Counted;

/// Whether values are larger in one range than in another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankTest {
    /// The probability that one of after is larger than one of before, ties counted by half: 0.5 where
    /// nothing has changed.
    pub larger: f64,
    /// Two-sided.
    pub p: f64,
}

/// With fewer slots nothing is known of how they differ.
const SLOTS_MIN: usize = 4;

/// The Mann–Whitney test of values that come in slots, in which they depend on each other: each value's rank
/// among all, ties at their middle; the difference of the ranges' mean ranks, in units of its standard
/// deviation as the slots' mean ranks show it (the between-cluster variance, as Rosner, Glynn & Lee 2003 and
/// Datta & Satten 2005 have it), by Student's distribution with Welch's degrees of freedom. The deviation is
/// the largest of independent values', of single slots' and of pairs of them. `None` where less than four
/// slots of either range have any value.
pub fn clustered_rank_test(before: &[Counted], after: &[Counted]) -> Option<RankTest> {
    let ranks = Ranks::of(before.iter().chain(after));
    let [before, after] = [before, after].map(|slots| Side::of(slots, &ranks));
    let (before, after) = (before?, after?);
    let variance = before.variance + after.variance;
    let difference = after.mean - before.mean;
    if variance <= 0.0 {
        let p = if difference == 0.0 { 1.0 } else { f64::MIN_POSITIVE };
        return Some(RankTest { larger: 0.5 + difference, p });
    }
    let freedom = variance.powi(2)
        / (before.variance.powi(2) / (before.slots - 1.0) + after.variance.powi(2) / (after.slots - 1.0));
    let t = difference.abs() / variance.sqrt();
    let p = StudentsT::new(0.0, 1.0, freedom).map_or(1.0, |student| 2.0 * student.sf(t));
    Some(RankTest { larger: 0.5 + difference, p })
}

/// The place of each value among all, from 0 to 1.
struct Ranks(Vec<(f64, f64)>);

impl Ranks {
    fn of<'a>(slots: impl Iterator<Item = &'a Counted>) -> Self {
        let all: Counted = slots.flat_map(|slot| slot.values.iter().copied()).collect();
        let total = all.count() as f64;
        let mut passed = 0.0;
        let same = all.values.chunk_by(|a, b| a.0 == b.0).map(|same| {
            let count = same.iter().map(|(_, count)| *count as f64).sum::<f64>();
            passed += count;
            (same[0].0, (passed - count / 2.0) / total)
        });
        Self(same.collect())
    }

    fn of_value(&self, value: f64) -> f64 {
        // Every value that is asked for is among them.
        self.0.binary_search_by(|(known, _)| known.total_cmp(&value)).map_or(0.5, |at| self.0[at].1)
    }
}

/// The mean rank of one range.
struct Side {
    mean: f64,
    /// Of that mean.
    variance: f64,
    slots: f64,
}

impl Side {
    fn of(slots: &[Counted], ranks: &Ranks) -> Option<Self> {
        let mut sums: Vec<(f64, f64)> = Vec::new();
        let mut squares = 0.0;
        for slot in slots.iter().filter(|slot| slot.count() > 0) {
            let mut sum = 0.0;
            for (value, count) in &slot.values {
                let rank = ranks.of_value(*value);
                sum += rank * *count as f64;
                squares += rank * rank * *count as f64;
            }
            sums.push((slot.count() as f64, sum));
        }
        let (count, sum) = sums.iter().fold((0.0, 0.0), |(count, sum), slot| (count + slot.0, sum + slot.1));
        let mean = sum / count;
        let independent = (squares / count - mean * mean).max(0.0) / count;
        let between = |together: usize| {
            let chunks = sums.chunks(together);
            let n = chunks.len() as f64;
            let deviation = |chunk: &[(f64, f64)]| {
                let (count, sum) = chunk.iter().fold((0.0, 0.0), |(count, sum), slot| (count + slot.0, sum + slot.1));
                (sum - mean * count).powi(2)
            };
            let squares: f64 = chunks.map(deviation).sum();
            if n > 1.0 { n / (n - 1.0) * squares / (count * count) } else { 0.0 }
        };
        let variance = independent.max(between(1)).max(between(2));
        (sums.len() >= SLOTS_MIN).then_some(Self { mean, variance, slots: sums.len() as f64 })
    }
}
