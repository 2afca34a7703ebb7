//! How many events there are of each kind, in five minutes each: what rates, error shares and silences are read
//! from, counted by the engine, so that no number of events is too many.

use emp_query::{HAPPENED_MS, moment_literal};

use super::investigation::{Investigation, InvestigationError};
use super::rows::Rows;

/// Buckets are of this length.
pub(super) const BUCKET_MS: i64 = 5 * 60_000;
/// What clients tell of themselves: it comes by a timer of theirs, also from a service that does nothing any more.
pub(super) const OF_CLIENTS: &str = "telemetry.";
/// How far back the clocks are looked at by which events are counted: what happened earlier is of what is usual.
const CLOCKS_MS: i64 = 3 * 3_600_000;

/// Events of one service and type in one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Count {
    /// 0 is the bucket that ends now, 1 the one before it.
    pub bucket: i64,
    pub service: String,
    pub event_type: String,
    pub events: u64,
    pub errors: u64,
    /// When the last of them arrived, ms since the epoch.
    pub last_ms: i64,
}

/// All counts of some ranges of time, as of one moment.
#[derive(Debug, Default)]
pub(super) struct Counts {
    counts: Vec<Count>,
}

impl Counts {
    pub fn new(mut counts: Vec<Count>) -> Self {
        counts.sort_by(|a, b| (a.bucket, &a.service, &a.event_type).cmp(&(b.bucket, &b.service, &b.event_type)));
        Self { counts }
    }

    /// Those of the buckets from the newest of the range to before its oldest.
    pub fn within(&self, buckets: &std::ops::Range<i64>) -> impl Iterator<Item = &Count> + use<'_> {
        let first = self.counts.partition_point(|count| count.bucket < buckets.start);
        let end = self.counts.partition_point(|count| count.bucket < buckets.end);
        self.counts[first..end.max(first)].iter()
    }

    /// The oldest bucket of a range in which anything happened.
    pub fn oldest_within(&self, buckets: &std::ops::Range<i64>) -> Option<i64> {
        self.within(buckets).last().map(|count| count.bucket)
    }
}

/// The condition that an event arrived in one of these ranges, from their first moment to before their last.
pub(super) fn arrived_in(ranges: &[(i64, i64)]) -> String {
    let ranges = ranges.iter().map(|(from_ms, until_ms)| {
        format!("(ingested_at >= {} and ingested_at < {})", moment_literal(*from_ms), moment_literal(*until_ms))
    });
    ranges.collect::<Vec<_>>().join(" or ")
}

impl Investigation<'_> {
    /// Asks what counts events by when they happened, as the clocks of the day before that moment tell.
    pub(super) async fn ask_by_clocks(&self, sql: &str, now_ms: i64) -> Result<Rows, InvestigationError> {
        Rows::ask_within(self.engine(), sql, (now_ms - CLOCKS_MS, now_ms)).await
    }

    /// Counts the events of these ranges, in buckets that end at that moment, by when they happened.
    pub(super) async fn counts(&self, ranges: &[(i64, i64)], now_ms: i64) -> Result<Counts, InvestigationError> {
        Ok(Counts::new(self.count_by(HAPPENED_MS, ranges, now_ms).await?))
    }

    /// The same by when they arrived: what is usual depends on no clock.
    pub(super) async fn arrivals(&self, ranges: &[(i64, i64)], now_ms: i64) -> Result<Vec<Count>, InvestigationError> {
        // The last ms of a bucket belongs to it, and the first of the next one does not.
        self.count_by("cast(ingested_at as bigint) + 1", ranges, now_ms).await
    }

    async fn count_by(&self, ms: &str, ranges: &[(i64, i64)], now_ms: i64) -> Result<Vec<Count>, InvestigationError> {
        if ranges.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "select cast(floor(({now_ms} - ({ms})) / {BUCKET_MS}.0) as bigint) as bucket, service, event_type, \
             count(*) as events, count(*) filter (where level = 'error') as errors, \
             cast(max(ingested_at) as bigint) as last from events where {} group by 1, 2, 3",
            arrived_in(ranges)
        );
        let mut counts = self.ask_by_clocks(&sql, now_ms).await?.map(|row| {
            let event_type = row.text("event_type")?;
            let (events, errors) = (row.integer("events")?.unsigned_abs(), row.integer("errors")?.unsigned_abs());
            let (bucket, service, last_ms) = (row.integer("bucket")?, row.text("service")?, row.integer("last")?);
            Ok(Count { bucket, service, event_type, events, errors, last_ms })
        })?;
        counts.retain(|count| !count.event_type.starts_with(OF_CLIENTS));
        Ok(counts)
    }
}
