use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Each bucket is so much wider than the one below it: any quantile is off by 1 % at most.
const GROWTH: f64 = 1.02;
/// Intervals are of one length that lie so many buckets apart, 4 % that is.
const REGULAR_BUCKETS: u16 = 2;
/// Fewer intervals of one length are a coincidence.
const REGULAR_CASES: u64 = 20;
/// What is regular fills so much of the time.
const REGULAR_SHARE: f64 = 0.05;

/// How long something takes, of any number of cases, in a few hundred bytes: counts in buckets that
/// grow by a constant factor, as in DDSketch (Masson, Rim and Lee, VLDB 2019). Two sketches add up
/// to that of both.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sketch {
    count: u64,
    max_ms: i64,
    buckets: BTreeMap<u16, u32>,
}

impl Sketch {
    /// One more case, in ms; less than nothing counts as nothing.
    pub fn add(&mut self, ms: i64) {
        self.add_times(ms, 1);
    }

    /// So many more cases of one length.
    pub fn add_times(&mut self, ms: i64, times: u32) {
        self.count += u64::from(times);
        self.max_ms = self.max_ms.max(ms);
        let bucket = self.buckets.entry(bucket_of(ms)).or_default();
        *bucket = bucket.saturating_add(times);
    }

    /// All cases of another one.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.max_ms = self.max_ms.max(other.max_ms);
        for (bucket, more) in &other.buckets {
            let count = self.buckets.entry(*bucket).or_default();
            *count = count.saturating_add(*more);
        }
    }

    /// How many cases.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest, exactly, in ms.
    pub fn max_ms(&self) -> i64 {
        self.max_ms
    }

    /// That share of the cases, from 0 to 1, took no longer, in ms and within 1 %; `None` of none.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let rank = (share.clamp(0.0, 1.0) * self.count.saturating_sub(1) as f64).round() as u64;
        let mut below = 0;
        for (bucket, count) in &self.buckets {
            below += u64::from(*count);
            if below > rank {
                return Some(middle_of(*bucket).min(self.max_ms.max(0) as f64));
            }
        }
        None
    }

    /// The longest interval that comes again and again, such as that of a heartbeat: [`REGULAR_CASES`] or more of one
    /// length, which fill a twentieth of all the time together. A busy worker says a thousand things between two
    /// beats, so that the 99th percentile of its intervals knows nothing of them.
    pub fn regular_ms(&self) -> Option<f64> {
        let ms = |bucket: u16, count: u32| middle_of(bucket) * f64::from(count);
        let all_ms: f64 = self.buckets.iter().map(|(bucket, count)| ms(*bucket, *count)).sum();
        let is_regular = |bucket: &u16| {
            let around = self.buckets.range(bucket.saturating_sub(REGULAR_BUCKETS)..=bucket + REGULAR_BUCKETS);
            let (cases, together_ms) =
                around.fold((0, 0.0), |(cases, sum), (of, count)| (cases + u64::from(*count), sum + ms(*of, *count)));
            cases >= REGULAR_CASES && together_ms >= REGULAR_SHARE * all_ms
        };
        self.buckets.keys().rev().find(|bucket| is_regular(bucket)).map(|bucket| middle_of(*bucket))
    }

    /// The same without one case of that length: what is known when that very case is to be judged.
    #[must_use]
    pub fn without(&self, ms: i64) -> Self {
        let mut others = self.clone();
        if let Some(count) = others.buckets.get_mut(&bucket_of(ms)) {
            *count = count.saturating_sub(1);
            others.count = others.count.saturating_sub(1);
            others.buckets.retain(|_, count| *count > 0);
            if ms >= others.max_ms {
                // Exactly it is not known any more, but to a hundredth.
                others.max_ms = others.buckets.keys().next_back().map_or(0, |last| middle_of(*last) as i64);
            }
        }
        others
    }

    /// How many cases took that long or longer, within a bucket.
    pub fn at_least(&self, ms: i64) -> u64 {
        self.buckets.range(bucket_of(ms)..).map(|(_, count)| u64::from(*count)).sum()
    }
}

/// 0 for less than a millisecond, then 1 for up to `GROWTH`, and so on.
fn bucket_of(ms: i64) -> u16 {
    if ms < 1 { 0 } else { 1 + ((ms as f64).ln() / GROWTH.ln()).floor() as u16 }
}

fn middle_of(bucket: u16) -> f64 {
    if bucket == 0 { 0.0 } else { GROWTH.powf(f64::from(bucket) - 0.5) }
}
