//! Counts of two ranges of time, each cut into slots: tests that bursts do not deceive.
//!
//! Events come in bursts, so that counts are more spread than Poisson's (and shares more than the
//! binomial's) by a factor that the slots of a range show. All tests here divide by it.

use statrs::distribution::{Binomial, DiscreteCDF as _};

use super::{fisher_more, student_p};

/// Events of one slot of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slot {
    /// How many there were.
    pub count: f64,
    /// How many were to be expected, in a unit that is the same for all slots of both ranges: hours, jobs.
    pub exposure: f64,
}

/// Whether events became more or fewer from one range to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatioTest {
    /// The rate after, in units of the rate before; infinite where there was nothing before.
    pub factor: f64,
    /// How many times as spread as Poisson's the counts of the slots are, one at least.
    pub spread: f64,
    /// Two-sided.
    pub p: f64,
}

/// Fewer degrees of freedom say nothing about how spread counts are.
const FREEDOM_MIN: f64 = 3.0;
/// Of fewer events the exact test is asked, too: the other one takes them for many.
const EXACT_COUNT_MAX: f64 = 1_000.0;

/// Compares the rates of two ranges: the F test of a quasi-Poisson model with a rate for each range
/// (McCullagh & Nelder 1989, chapters 4.5 and 9.2), where the spread is Pearson's, the largest of slots of
/// one, two and four times the length, so that bursts longer than a slot count. Of few events the p-value is
/// no smaller than that of the exact test of two Poisson rates (Przyborowski & Wilenski 1940). `None` where
/// the slots with any exposure are too few, or nothing happened.
pub fn ratio_test(before: &[Slot], after: &[Slot]) -> Option<RatioTest> {
    let seen = |slots: &[Slot]| slots.iter().copied().filter(|slot| slot.exposure > 0.0).collect::<Vec<_>>();
    let (before, after) = (seen(before), seen(after));
    let (spread, freedom) = pearson_spread(&before, &after)?;
    let p = p_of_totals(total(&before), total(&after), spread, freedom);
    let rate = |slots: &[Slot]| total(slots).count / total(slots).exposure;
    Some(RatioTest { factor: rate(&after) / rate(&before), spread, p })
}

/// The same of totals of which the spread and its degrees of freedom are known.
pub fn p_of_totals(before: Slot, after: Slot, spread: f64, freedom: f64) -> f64 {
    let all = before.count + after.count;
    let share = after.exposure / (before.exposure + after.exposure);
    let deviance = |count: f64, share: f64| match count > 0.0 {
        true => 2.0 * count * (count / (all * share)).ln(),
        false => 0.0,
    };
    let deviance = (deviance(before.count, 1.0 - share) + deviance(after.count, share)).max(0.0);
    let p = student_p((deviance / spread.max(1.0)).sqrt(), freedom);
    if all < EXACT_COUNT_MAX { p.max(exact_p(after.count, all, share)) } else { p }
}

/// The two-sided probability that so many of all events are in the range that has this share of time.
fn exact_p(count: f64, all: f64, share: f64) -> f64 {
    let (count, all) = (count.round() as u64, all.round() as u64);
    let Ok(binomial) = Binomial::new(share.clamp(0.0, 1.0), all) else { return 1.0 };
    let more = if count == 0 { 1.0 } else { binomial.sf(count - 1) };
    (2.0 * more.min(binomial.cdf(count))).min(1.0)
}

fn total(slots: &[Slot]) -> Slot {
    slots.iter().fold(Slot { count: 0.0, exposure: 0.0 }, |sum, slot| Slot {
        count: sum.count + slot.count,
        exposure: sum.exposure + slot.exposure,
    })
}

/// How spread the counts of slots are within their ranges, in units of Poisson's; with the degrees of freedom.
fn pearson_spread(before: &[Slot], after: &[Slot]) -> Option<(f64, f64)> {
    let at = |slots: usize| {
        let parts = [residuals(before, slots), residuals(after, slots)];
        let (sum, freedom) = parts.iter().flatten().fold((0.0, 0.0), |(sum, all), part| (sum + part.0, all + part.1));
        (freedom >= FREEDOM_MIN).then(|| (sum / freedom, freedom))
    };
    let (_, freedom) = at(1)?;
    let spread = [1, 2, 4].into_iter().filter_map(at).map(|(spread, _)| spread).fold(1.0, f64::max);
    Some((spread, freedom))
}

/// Pearson's X² of the slots of one range, so many of them put together, and its degrees of freedom; `None`
/// of a range without any event, which says nothing about its spread.
fn residuals(slots: &[Slot], together: usize) -> Option<(f64, f64)> {
    let whole = total(slots);
    let rate = whole.count / whole.exposure;
    let chunks = slots.chunks(together);
    let freedom = chunks.len() as f64 - 1.0;
    let of_chunk = |chunk: &[Slot]| {
        let Slot { count, exposure } = total(chunk);
        (count - rate * exposure).powi(2) / (rate * exposure)
    };
    (whole.count > 0.0 && whole.exposure > 0.0).then(|| (chunks.map(of_chunk).sum(), freedom))
}

/// Some of all events of a slot: errors, say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Part {
    /// How many of them.
    pub hits: u64,
    /// How many there were in all.
    pub of: u64,
}

/// The two-sided probability that the shares of two ranges differ by chance: Fisher's exact test on counts
/// that are divided by how many times as spread as the binomial's the shares of the earlier range's slots
/// are (the design effect of Rao & Scott 1992). The later range says nothing about that: an outage that
/// fills a part of it is what is looked for.
pub fn share_test(before: &[Part], after: &[Part]) -> f64 {
    let spread = share_spread(before);
    let sum = |parts: &[Part]| {
        let all =
            parts.iter().fold(Part::default(), |all, one| Part { hits: all.hits + one.hits, of: all.of + one.of });
        let divided = |count: u64| (count as f64 / spread).round() as u64;
        Part { hits: divided(all.hits), of: divided(all.of) }
    };
    let (before, after) = (sum(before), sum(after));
    let more = fisher_more(after.hits, after.of, before.hits, before.of);
    let less = fisher_more(before.hits, before.of, after.hits, after.of);
    (2.0 * more.min(less)).min(1.0)
}

fn share_spread(parts: &[Part]) -> f64 {
    let (hits, of) = parts.iter().fold((0.0, 0.0), |(hits, of), one| (hits + one.hits as f64, of + one.of as f64));
    let share: f64 = hits / of;
    let variance = share * (1.0 - share);
    if variance.is_nan() || variance <= 0.0 {
        return 1.0;
    }
    let at = |together: usize| {
        let chunks = parts
            .chunks(together)
            .map(|chunk| chunk.iter().fold((0.0, 0.0), |(hits, of), one| (hits + one.hits as f64, of + one.of as f64)));
        let chunks: Vec<(f64, f64)> = chunks.filter(|(_, of)| *of > 0.0).collect();
        let squares = chunks.iter().map(|(hits, of)| (hits - share * of).powi(2) / (of * variance));
        if chunks.len() > 2 { squares.sum::<f64>() / (chunks.len() as f64 - 1.0) } else { 1.0 }
    };
    [1, 2, 4].into_iter().map(at).fold(1.0, f64::max)
}
