use std::time::{Duration, Instant};

use crate::random::random_share;

/// Failures in a row after which nothing is tried for a while.
const FAILURES_MAX: u32 = 3;
/// Pause after a failure that does not open the circuit.
const SHORT_PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Keeps the client from trying in vain: after some failures it waits, longer each time.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    failures: u32,
    again: Option<Instant>,
}

impl Breaker {
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        let pause = match self.failures.checked_sub(FAILURES_MAX) {
            None => SHORT_PAUSE,
            Some(surplus) => PAUSE_MIN.saturating_mul(1 << surplus.min(5)).min(PAUSE_MAX),
        };
        // Clients that lost their Redis at one moment must not come back at one moment.
        self.again = Some(now + pause.mul_f64(0.8 + 0.4 * random_share()));
    }

    /// Has it failed so often that it only tries now and then?
    pub(crate) fn is_open(&self) -> bool {
        self.failures >= FAILURES_MAX
    }

    /// Until when nothing is tried.
    pub(crate) fn pause(&self, now: Instant) -> Option<Instant> {
        self.again.filter(|again| *again > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_after_three_failures_and_waits_longer_each_time() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..12 {
            breaker.failed(now);
            pauses.push(breaker.pause(now).unwrap() - now);
        }
        assert!(pauses[1] < Duration::from_millis(121), "{pauses:?}");
        assert!((0.8..1.2).contains(&pauses[2].as_secs_f64()), "{pauses:?}");
        assert!((1.6..2.4).contains(&pauses[3].as_secs_f64()), "{pauses:?}");
        assert!((24.0..36.0).contains(&pauses[11].as_secs_f64()), "{pauses:?}");
        assert!(breaker.is_open());
        breaker.succeeded();
        assert!(!breaker.is_open() && breaker.pause(now).is_none());
    }
}
