use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, ValueEnum};

use super::counted;
use crate::cli::ask::Asking;
use crate::cli::ask::answer::{AsOf, TimeRange, stream};
use crate::cli::ask::filters::Filters;
use crate::cli::failure::Outcome;

/// Count events over time, by level, service or type
#[derive(Debug, Args)]
pub(in crate::cli) struct Histogram {
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    range: TimeRange,
    /// Parts of the range, 1000 or fewer, about; those without events are left out. Parts of some hours begin and end with
    /// whole hours, the first and the last one beyond the range
    #[arg(long, value_name = "COUNT", default_value_t = 120, value_parser = clap::value_parser!(u16).range(1..=1000))]
    buckets: u16,
    /// What is told apart
    #[arg(long, value_enum, default_value = "level")]
    by: By,
    #[command(flatten)]
    as_of: AsOf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    Level,
    Service,
    #[value(name = "event_type")]
    EventType,
}

const HOUR_MS: i64 = 3_600_000;
/// A shorter range is read event by event, whatever its parts are.
const LONG_MS: i64 = 12 * HOUR_MS;

/// How long a part is.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Ms(i64),
    /// What whole hours contribute is known without reading their events.
    Hours(i64),
}

impl Step {
    /// Of a range in about so many parts.
    fn of(since: i64, until: i64, parts: i64) -> Self {
        let length = (until - since).max(1);
        let step = (length + parts - 1) / parts;
        if length >= LONG_MS && 2 * step >= HOUR_MS {
            Self::Hours((step + HOUR_MS - 1) / HOUR_MS)
        } else {
            Self::Ms(step)
        }
    }
}

impl Histogram {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        let begun = Instant::now();
        let engine = asking.engine()?;
        let now_ms = self.as_of.ms(asking, &engine)?;
        let (filter, (since, until)) = counted(asking, (&self.filters, &self.range, &self.as_of), now_ms)?;
        let key = match self.by {
            By::Level => "level",
            By::Service => "service",
            By::EventType => "event_type",
        };
        let condition = filter.sql();
        let sql = match Step::of(since, until, i64::from(self.buckets)) {
            Step::Ms(step) => format!(
                "select {since} + bucket * {step} as from_ms, least({since} + (bucket + 1) * {step}, {until}) as until_ms, \
                 key, count from (select (arrow_cast(timestamp, 'Int64') - {since}) / {step} as bucket, {key} as key, \
                 count(*) as count from events where {condition} group by 1, 2) order by from_ms, key"
            ),
            Step::Hours(hours) => format!(
                "select from_ms, from_ms + {hours} * {HOUR_MS} as until_ms, key, count from (select \
                 arrow_cast(arrow_cast(bucket, 'Timestamp(ms, \"UTC\")'), 'Int64') as from_ms, key, count from (select date_bin(interval '{hours} hours', timestamp) \
                 as bucket, {key} as key, count(*) as count from events where {condition} group by 1, 2)) order by from_ms, key"
            ),
        };
        asking.is_in_sql(&sql);
        stream(asking, &engine, begun, false, engine.sql(&sql)).await?;
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_long_range_are_whole_hours() {
        let of = |hours: i64, parts| Step::of(7, 7 + hours * HOUR_MS, parts);
        assert_eq!(of(3, 90), Step::Ms(120_000));
        // So short that its events are read, though its one part is some hours long.
        assert_eq!(of(11, 1), Step::Ms(11 * HOUR_MS));
        assert_eq!(of(24, 60), Step::Ms(24 * 60_000));
        assert_eq!(of(72, 120), Step::Hours(1));
        assert_eq!(of(8_760, 120), Step::Hours(73));
        assert_eq!(of(8_761, 120), Step::Hours(74));
    }
}
