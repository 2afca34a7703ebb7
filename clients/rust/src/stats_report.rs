//! What the client tells of itself once a minute.

use std::time::{Duration, Instant};

use serde_json::{Map, Number, Value};

use crate::core::Core;
use crate::{Reason, Stats};

/// Tells what became of events since it told last.
pub(crate) struct StatsReport {
    every: Duration,
    told: Stats,
    told_at: Instant,
}

impl StatsReport {
    pub(crate) fn new(every: Duration) -> Self {
        Self { every, told: Stats::default(), told_at: Instant::now() }
    }

    /// When there will be something to tell; `None` where nothing was emitted since: who is silent stays silent.
    pub(crate) fn due_at(&self, core: &Core) -> Option<Instant> {
        (core.stats().emitted != self.told.emitted).then(|| self.told_at + self.every)
    }

    /// The data of a `telemetry.stats`, where it is time for it.
    pub(crate) fn due(&mut self, core: &Core) -> Option<Map<String, Value>> {
        if self.due_at(core)? > Instant::now() {
            return None;
        }
        let now = core.stats();
        let mut data = Map::new();
        let counts = [
            ("emitted", now.emitted - self.told.emitted),
            ("sent", now.sent - self.told.sent),
            ("sampled", now.sampled - self.told.sampled),
            ("spooled", now.spooled - self.told.spooled),
            ("dropped", now.dropped - self.told.dropped),
            ("queued", now.queued),
            ("intervalMs", u64::try_from(self.told_at.elapsed().as_millis()).unwrap_or(u64::MAX)),
        ];
        data.extend(counts.map(|(name, count)| (name.to_owned(), count.into())));
        let reasons = Reason::ALL.map(|reason| (reason, now.dropped_by(reason) - self.told.dropped_by(reason)));
        let reasons = reasons.into_iter().filter(|(_, count)| *count > 0);
        let reasons: Map<String, Value> =
            reasons.map(|(reason, count)| (reason.as_str().to_owned(), count.into())).collect();
        data.insert("reasons".to_owned(), reasons.into());
        if let Some((half, most)) = core.calls.take() {
            let number = |number: f64| Number::from_f64(number).map_or(Value::Null, Value::Number);
            data.insert("callP50Us".to_owned(), number(half));
            data.insert("callP99Us".to_owned(), number(most));
        }
        if let Some(bytes) = resident_bytes() {
            data.insert("rssBytes".to_owned(), bytes.into());
        }
        (self.told, self.told_at) = (now, Instant::now());
        Some(data)
    }

    /// The event that tells it is no news of its own.
    pub(crate) fn was_told(&mut self) {
        self.told.emitted += 1;
    }
}

/// What Linux says that this process has in memory.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}
