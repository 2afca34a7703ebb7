//! What the store knows from before both ranges: what is new was not there then, either.

use super::ranges::{Ranges, Times};

/// It is looked through so far back.
const BACK_MS: i64 = 7 * 24 * 3_600_000;

/// The time before the later range, as far as it is not the earlier one.
#[derive(Debug, Clone)]
pub(super) struct Earlier {
    /// From when to before when, ms since the epoch.
    stretches: Vec<(i64, i64)>,
    times: Times,
}

impl Earlier {
    /// Seven days back, or as far as the store goes.
    pub fn of(ranges: &Ranges, first_ms: i64) -> Self {
        let since_ms = first_ms.max(ranges.after.since_ms - BACK_MS);
        let stretches =
            [(since_ms, ranges.before.since_ms), (ranges.before.until_ms.max(since_ms), ranges.after.since_ms)];
        let stretches = stretches.into_iter().filter(|(since_ms, until_ms)| since_ms < until_ms).collect();
        Self { stretches, times: ranges.times }
    }

    /// Has the store nothing from then?
    pub fn is_empty(&self) -> bool {
        self.stretches.is_empty()
    }

    /// The condition that an event is of that time, in SQL.
    pub fn condition(&self) -> String {
        let within = |(since_ms, until_ms): &(i64, i64)| self.times.within(*since_ms, *until_ms);
        format!("({})", self.stretches.iter().map(within).collect::<Vec<_>>().join(" or "))
    }

    /// Which share of all time that is known, this and both ranges, is not of the later range.
    pub fn share_with(&self, ranges: &Ranges) -> f64 {
        let earlier_ms: i64 = self.stretches.iter().map(|(since_ms, until_ms)| until_ms - since_ms).sum();
        let before_hours = earlier_ms as f64 / 3.6e6 + ranges.before.hours();
        before_hours / (before_hours + ranges.after.hours())
    }
}

/// The probability that none of so many independent occurrences falls into a part that holds this share of time.
pub(super) fn absence(occurrences: f64, share: f64) -> f64 {
    (1.0 - share).max(0.0).powf(occurrences)
}
