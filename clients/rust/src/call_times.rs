//! How long calls take: one of eight, counted by size.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Instant;

/// One call of so many is measured: the clock takes longer than most of the rest of a call.
const ONE_OF: u32 = 8;
/// Four buckets for each doubling.
const BUCKETS: usize = 4 * 32;

/// Since they were taken last.
pub(crate) struct CallTimes {
    calls: AtomicU32,
    buckets: [AtomicU32; BUCKETS],
}

impl CallTimes {
    pub(crate) fn new() -> Self {
        Self { calls: AtomicU32::new(0), buckets: [const { AtomicU32::new(0) }; BUCKETS] }
    }

    /// A call begins; `None` where it is not measured.
    pub(crate) fn begin(&self) -> Option<Instant> {
        self.calls.fetch_add(1, Relaxed).is_multiple_of(ONE_OF).then(Instant::now)
    }

    /// It has ended.
    pub(crate) fn end(&self, begun: Option<Instant>) {
        if let Some(begun) = begun {
            let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1);
            self.buckets[bucket(nanos)].fetch_add(1, Relaxed);
        }
    }

    /// How long half of the calls took at most, and 99 of 100, in microseconds; `None` where none was measured. They are
    /// forgotten.
    pub(crate) fn take(&self) -> Option<(f64, f64)> {
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.swap(0, Relaxed).into()).collect();
        let all: u64 = counts.iter().sum();
        let at = |share: f64| {
            let (wanted, mut seen) = ((all as f64 * share).ceil() as u64, 0);
            let found = counts.iter().position(|count| {
                seen += count;
                seen >= wanted
            });
            found.map(upper_bound_us)
        };
        if all == 0 { None } else { at(0.5).zip(at(0.99)) }
    }
}

fn bucket(nanos: u64) -> usize {
    let doublings = nanos.ilog2();
    // The two digits behind the first, noughts where there are none.
    let quarter = if doublings < 2 { (nanos << (2 - doublings)) & 3 } else { (nanos >> (doublings - 2)) & 3 };
    (doublings as usize * 4 + quarter as usize).min(BUCKETS - 1)
}

fn upper_bound_us(bucket: usize) -> f64 {
    let (doublings, quarter) = ((bucket / 4) as i32, (bucket % 4) as f64);
    2f64.powi(doublings) * (1.0 + (quarter + 1.0) / 4.0) / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_by_a_quarter_at_most_too_long() {
        for nanos in [1, 3, 100, 999, 1_000, 1_500, 123_456, 5_000_000] {
            let told = upper_bound_us(bucket(nanos)) * 1e3;
            assert!(told >= nanos as f64 && told <= nanos as f64 * 1.25 + 1.0, "{nanos}: {told}");
        }
    }

    #[test]
    fn they_are_taken_once() {
        let times = CallTimes::new();
        for _ in 0..80 {
            times.end(times.begin());
        }
        assert!(times.take().is_some_and(|(half, most)| half > 0.0 && half <= most));
        assert_eq!(times.take(), None);
    }
}
