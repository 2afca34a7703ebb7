use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::core::Core;
use crate::{Reason, Stats};

/// Pause between two reports: a constant loss must not become a constant stream of reports.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells, once things work again, what was lost.
#[derive(Default)]
pub(crate) struct DropReport {
    told: Stats,
    told_at: Option<Instant>,
}

impl DropReport {
    /// The data of a `telemetry.dropped`, where there is something new to tell.
    pub(crate) fn due(&mut self, core: &Core) -> Option<Map<String, Value>> {
        if self.told_at.is_some_and(|at| at.elapsed() < PAUSE) {
            return None;
        }
        let since = core.take_loss_began()?;
        let now = core.stats();
        let mut reasons = Map::new();
        for reason in Reason::ALL {
            let count = now.dropped_by(reason) - self.told.dropped_by(reason);
            if count > 0 {
                reasons.insert(reason.as_str().to_owned(), count.into());
            }
        }
        let mut data = Map::new();
        data.insert("dropped".to_owned(), (now.dropped - self.told.dropped).into());
        data.insert("reasons".to_owned(), reasons.into());
        data.insert("sinceMs".to_owned(), (since.elapsed().as_millis() as u64).into());
        (self.told, self.told_at) = (now, Some(Instant::now()));
        Some(data)
    }
}
