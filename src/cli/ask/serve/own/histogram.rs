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
    /// Parts of the range, 1000 or fewer; those without events are left out
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

impl Histogram {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        let begun = Instant::now();
        let engine = asking.engine()?;
        let now_ms = self.as_of.ms(asking, &engine)?;
        let (filter, (since, until)) = counted(asking, (&self.filters, &self.range, &self.as_of), now_ms)?;
        let buckets = i64::from(self.buckets);
        let step = ((until - since).max(1) + buckets - 1) / buckets;
        let key = match self.by {
            By::Level => "level",
            By::Service => "service",
            By::EventType => "event_type",
        };
        let sql = format!(
            "select {since} + bucket * {step} as from_ms, least({since} + (bucket + 1) * {step}, {until}) as until_ms, \
             key, count from (select (arrow_cast(timestamp, 'Int64') - {since}) / {step} as bucket, {key} as key, \
             count(*) as count from events where {} group by 1, 2) order by from_ms, key",
            filter.sql()
        );
        asking.is_in_sql(&sql);
        stream(asking, &engine, begun, false, engine.sql(&sql)).await?;
        Ok(ExitCode::SUCCESS)
    }
}
