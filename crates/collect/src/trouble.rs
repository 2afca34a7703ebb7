//! What goes wrong, how long to wait for it, and what is said about it.

use std::time::Duration;

use emp_system::Backoff;
use tokio::time::Instant;
use tracing::{error, info};

use super::{CollectError, Totals};

/// The waits between attempts after a failure.
const BACKOFF_FIRST: Duration = Duration::from_millis(200);
const BACKOFF_LAST: Duration = Duration::from_secs(5);
/// How often a failure that lasts is said again, and how often the totals are.
const REPORT_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Trouble {
    has_ever_worked: bool,
    since: Option<Instant>,
    said_at: Option<Instant>,
    waits: Backoff,
    totals: Totals,
    totals_at: Instant,
}

impl Trouble {
    pub fn new() -> Self {
        Self {
            has_ever_worked: false,
            since: None,
            said_at: None,
            waits: Backoff::new(BACKOFF_FIRST, BACKOFF_LAST),
            totals: Totals::default(),
            totals_at: Instant::now(),
        }
    }

    /// Will trying again not help? What worked once may work again.
    pub fn is_final(&self, error: &CollectError) -> bool {
        error.forbids_another_try() || (error.is_final() && !self.has_ever_worked)
    }

    /// Says what failed, at first and once in a while; how long to wait now.
    pub fn next_wait(&mut self, error: &CollectError) -> Duration {
        let wait = self.waits.next_wait();
        let since = *self.since.get_or_insert_with(Instant::now);
        if self.said_at.is_none_or(|said_at| said_at.elapsed() >= REPORT_EVERY) {
            self.said_at = Some(Instant::now());
            error!("{error}; trying again since {} s", since.elapsed().as_secs());
        }
        wait
    }

    /// It works: says so where it had not.
    pub fn is_over(&mut self) {
        self.has_ever_worked = true;
        if let Some(since) = self.since.take() {
            info!("reading again after {:.1} s", since.elapsed().as_secs_f64());
            self.waits.reset();
            self.said_at = None;
        }
    }

    /// Says once in a while what was done meanwhile, where something was.
    pub fn report_totals(&mut self, totals: Totals) {
        if self.totals_at.elapsed() >= REPORT_EVERY && totals != self.totals {
            let Totals { stored, quarantined, lost } = totals;
            info!("since the start: stored {stored} events, quarantined {quarantined} entries, lost {lost}");
            (self.totals, self.totals_at) = (totals, Instant::now());
        }
    }
}
