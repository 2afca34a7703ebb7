//! Silences: services of which nothing is heard any more. Workers are judged by `living`.

use std::collections::BTreeMap;

use emp_findings::{AnomalyKind, Severity, Subject, Unit};
use emp_units as units;

use super::{DAY_MS, HOUR_MS, MINUTE_MS, Suspicion, Windows};
use crate::counts::{BUCKET_MS, Counts, OF_CLIENTS, arrived_in};
use crate::investigation::{Investigation, InvestigationError};
use crate::past::Past;
use crate::rows::Rows;

/// Whether anything was heard is looked at in slots of this length.
const SLOT_MS: i64 = 5_000;
/// Fewer events say nothing about how long silences mostly last.
const EVENTS_MIN: u64 = 200;
/// Longer silences lie between two parts of the baseline, not in one.
const SILENCE_MS_MAX: i64 = 3 * HOUR_MS;

/// How long each service was silent at the longest, and how many events it sent.
pub(crate) type Longest = BTreeMap<String, (i64, u64)>;

impl Investigation<'_> {
    /// Services of which nothing is heard for longer than they were ever silent at this hour.
    pub(crate) async fn silences(
        &self,
        counts: &Counts,
        windows: &Windows,
        (past, base): (&Past, &[(i64, i64)]),
    ) -> Result<Vec<Suspicion>, InvestigationError> {
        let mut heard: BTreeMap<&str, i64> = BTreeMap::new();
        let day = 0..DAY_MS / BUCKET_MS;
        for count in counts.within(&day).chain(past.counts.within(&day)) {
            let last_ms = heard.entry(&count.service).or_default();
            *last_ms = count.last_ms.max(*last_ms);
        }
        let speaks = |last_ms: &i64| windows.now_ms - last_ms <= MINUTE_MS;
        // Where nobody at all is heard of, it is the collector that is silent; where everybody is, nobody is.
        if !heard.values().any(speaks) || heard.values().all(speaks) {
            return Ok(Vec::new());
        }
        let longest = match past.longest_silences() {
            Some(longest) => longest,
            None => past.keep_longest_silences(self.longest_silences(base).await?),
        };
        let found = heard.iter().filter_map(|(service, last_ms)| {
            let (longest_ms, n) = longest.get(*service).copied().filter(|(_, n)| *n >= EVENTS_MIN)?;
            let silent_ms = windows.now_ms - last_ms;
            (silent_ms > MINUTE_MS.max(2 * longest_ms)).then(|| silence(service, (*last_ms, silent_ms), longest_ms, n))
        });
        Ok(found.collect())
    }

    /// How long each service was silent at the longest within the baseline, and how many events it sent then.
    async fn longest_silences(&self, base: &[(i64, i64)]) -> Result<Longest, InvestigationError> {
        let sql = format!(
            "select service, max(slot - before) filter (where slot - before <= {most}) as longest, sum(events) as events \
             from (select service, slot, events, lag(slot) over (partition by service order by slot) as before from \
             (select service, cast(floor(cast(ingested_at as bigint) / {SLOT_MS}.0) as bigint) as slot, \
             count(*) as events from events where ({}) and event_type not like '{OF_CLIENTS}%' group by 1, 2)) group by service",
            arrived_in(base),
            most = SILENCE_MS_MAX / SLOT_MS
        );
        let longest = Rows::ask(self.engine(), &sql).await?.map(|row| {
            let longest_ms = row.integer("longest")? * SLOT_MS;
            Ok((row.text("service")?, (longest_ms, row.integer("events")?.unsigned_abs())))
        })?;
        Ok(longest.into_iter().collect())
    }
}

fn silence(service: &str, (last_ms, silent_ms): (i64, i64), longest_ms: i64, n: u64) -> Suspicion {
    Suspicion {
        kind: AnomalyKind::Silence,
        severity: Severity::Alert,
        subject: Subject { service: Some(service.to_owned()), ..Subject::default() },
        value: silent_ms as f64,
        baseline: Some(longest_ms as f64),
        unit: Unit::Ms,
        since_ms: Some(last_ms),
        until_ms: None,
        n,
        p: None,
        is_large: true,
        message: format!(
            "{service} has been silent for {}, while others speak; it was never silent for more than {}",
            units::millis(silent_ms as f64),
            units::millis(longest_ms as f64)
        ),
        shared: None,
    }
}
