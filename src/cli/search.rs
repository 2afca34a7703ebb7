use std::io::{BufWriter, Write as _};
use std::process::ExitCode;

use arrow::array::AsArray as _;
use arrow::datatypes::{Int64Type, TimeUnit};
use clap::Args;

use super::answer::{TimeRange, ask, engine, format, now_ms, runtime, screen, warn, write_json};
use super::failure::{Failure, Outcome};
use super::filters::Filters;
use super::options::{FormatOption, Options};
use crate::investigate::{EVENT_COLUMNS, read_events};
use crate::query::{Engine, Filter, nearest};
use crate::render::{Bucket, EventLines, Format, write_histogram};
use crate::units;

/// Find events, the newest first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events search --job-id job_123 --oldest-first
  emp-events search --level error --last 1h --histogram
  emp-events search --event-type 'connector.*' -f connectorType=comfyui -f 'error~~=timeout|reset'
  emp-events search --service worker --since 'friday 14:00' --format csv")]
pub(super) struct Search {
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    range: TimeRange,
    /// Events at most [default: 100 on a screen, else all]
    #[arg(long, value_name = "EVENTS")]
    limit: Option<usize>,
    /// The oldest first
    #[arg(long)]
    oldest_first: bool,
    /// How many events there were over time instead
    #[arg(long)]
    histogram: bool,
    /// What --last counts from [default: now, or the store's newest event where no collector writes to it]
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
}

/// Events on a screen.
const SCREEN_LIMIT: usize = 100;
/// Lines of a histogram, about.
const BUCKETS: i64 = 40;
/// The lengths of its buckets.
const BUCKET_MS: [i64; 14] = [
    1_000,
    5_000,
    15_000,
    60_000,
    300_000,
    900_000,
    1_800_000,
    3_600_000,
    10_800_000,
    21_600_000,
    43_200_000,
    86_400_000,
    604_800_000,
    2_592_000_000,
];

impl Search {
    pub fn run(self, options: &Options) -> Outcome {
        let mut filter = self.filters.filter()?;
        let now = runtime()?.block_on(async { now_ms(options, self.now.as_deref(), &engine(options)?) })?;
        (filter.since_ms, filter.until_ms) = self.range.bounds(options, now)?;
        if self.histogram {
            return histogram(options, &filter);
        }
        let direction = if self.oldest_first { "" } else { " desc" };
        let is_screen = format(options) == Format::Table;
        let limit = self.limit.or(is_screen.then_some(SCREEN_LIMIT));
        let limited = limit.map(|limit| format!(" limit {limit}")).unwrap_or_default();
        let order =
            format!("order by timestamp{direction}, ingested_at{direction}, length(id){direction}, id{direction}");
        let sql = format!("select {EVENT_COLUMNS} from events where {} {order}{limited}", filter.sql());
        if is_screen {
            on_screen(options, &filter, &sql, limit)
        } else {
            ask(options, async |engine| engine.sql(&sql).await)
        }
    }
}

fn on_screen(options: &Options, filter: &Filter, sql: &str, limit: Option<usize>) -> Outcome {
    runtime()?.block_on(async {
        let engine = engine(options)?;
        let answer = engine.sql(sql).await?;
        warn(&answer.warnings);
        let events = read_events(&answer.batches().await?)?;
        let mut out = BufWriter::new(std::io::stdout().lock());
        EventLines::new(screen(options)?).write(&mut out, &events)?;
        if events.is_empty() {
            writeln!(out, "no event matches{}", hint(&engine, filter).await?)?;
        } else if limit == Some(events.len()) {
            writeln!(
                out,
                "… the first {}; --limit shows more, --histogram all of them over time",
                units::counted(events.len(), "event", "events")
            )?;
        } else {
            writeln!(out, "{}", units::counted(events.len(), "event", "events"))?;
        }
        if let Some(job) = events.iter().find_map(|event| event.job_id.as_deref()) {
            writeln!(out, "next: emp-events diagnose {job}")?;
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    })
}

/// What may have been meant where nothing matches.
async fn hint(engine: &Engine, filter: &Filter) -> Result<String, Failure> {
    for column in ["service", "event_type", "level", "worker_id", "machine_id"] {
        let Some(asked) = filter.exactly(column) else { continue };
        let sql = format!("select distinct {column} from events where {column} is not null limit 500");
        let batches = engine.sql(&sql).await?.batches().await?;
        let known: Vec<String> = batches
            .iter()
            .filter_map(|batch| arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8).ok())
            .flat_map(|column| column.as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        if !known.iter().any(|value| value == asked) {
            let near = nearest(asked, known.iter().map(String::as_str));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Ok(format!(": there is no {column} `{asked}`{near}"));
        }
    }
    if let Some(job) = filter.exactly("job_id") {
        let similar = engine.similar_jobs(job).await?;
        if !similar.is_empty() {
            return Ok(format!("; did you mean {}?", similar.join(" or ")));
        }
    }
    Ok(String::new())
}

fn histogram(options: &Options, filter: &Filter) -> Outcome {
    runtime()?.block_on(async {
        let engine = engine(options)?;
        let ends = format!("select min(timestamp), max(timestamp) from events where {}", filter.sql());
        let ends = ends_of(&engine, &ends).await?;
        let since = filter.since_ms.or(ends.map(|(first, _)| first));
        let until = filter.until_ms.or(ends.map(|(_, last)| last + 1));
        let (Some(since), Some(until)) = (since, until) else {
            println!("no event matches{}", hint(&engine, filter).await?);
            return Ok(ExitCode::SUCCESS);
        };
        let length = BUCKET_MS.into_iter().find(|length| (until - since) / length <= BUCKETS).unwrap_or(BUCKET_MS[13]);
        let sql = format!(
            "select floor(cast(timestamp as bigint) / {length}.0) as bucket, count(*), count(*) filter (where level = 'error') \
             from events where {} group by 1",
            filter.sql()
        );
        let mut buckets: Vec<Bucket> = (since.div_euclid(length)..=(until - 1).max(since).div_euclid(length))
            .map(|bucket| Bucket { from: bucket * length, events: 0, errors: 0 })
            .collect();
        for batch in engine.sql(&sql).await?.batches().await? {
            let column = |index: usize| arrow::compute::cast(batch.column(index), &arrow::datatypes::DataType::Int64);
            let (at, events, errors) = (column(0)?, column(1)?, column(2)?);
            for row in 0..batch.num_rows() {
                let value = |column: &arrow::array::ArrayRef| column.as_primitive::<Int64Type>().value(row);
                if let Some(bucket) = buckets.iter_mut().find(|bucket| bucket.from == value(&at) * length) {
                    (bucket.events, bucket.errors) = (value(&events) as u64, value(&errors) as u64);
                }
            }
        }
        let mut out = BufWriter::new(std::io::stdout().lock());
        match options.format {
            Some(FormatOption::Json) => write_json(&mut out, options, &buckets)?,
            Some(FormatOption::Ndjson) => buckets.iter().try_for_each(|bucket| write_json(&mut out, options, bucket))?,
            _ => write_histogram(&mut out, &screen(options)?, &buckets)?,
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    })
}

async fn ends_of(engine: &Engine, sql: &str) -> Result<Option<(i64, i64)>, Failure> {
    let batches = engine.sql(sql).await?.batches().await?;
    let Some(batch) = batches.first() else { return Ok(None) };
    let millis = arrow::datatypes::DataType::Timestamp(TimeUnit::Millisecond, None);
    let value = |index: usize| -> Result<Option<i64>, Failure> {
        let column = arrow::compute::cast(
            &arrow::compute::cast(batch.column(index), &millis)?,
            &arrow::datatypes::DataType::Int64,
        )?;
        Ok(column.as_primitive::<Int64Type>().iter().next().flatten())
    };
    Ok(value(0)?.zip(value(1)?))
}
