use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// Waits between attempts at something that fails: longer each time, with jitter, so that many who wait for
/// the same don't come back at once.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    waits: ExponentialBackoff,
}

impl Backoff {
    /// From the first wait to the longest; jitter adds up to as much again.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, waits: waits(first, longest) }
    }

    /// How long to wait now.
    pub fn next_wait(&mut self) -> Duration {
        self.waits.next().unwrap_or(self.longest)
    }

    /// It has worked: the next wait is the first one again.
    pub fn reset(&mut self) {
        self.waits = waits(self.first, self.longest);
    }
}

fn waits(first: Duration, longest: Duration) -> ExponentialBackoff {
    let builder = ExponentialBuilder::new().with_min_delay(first).with_max_delay(longest);
    builder.without_max_times().with_jitter().build()
}
