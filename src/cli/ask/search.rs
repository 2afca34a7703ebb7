use std::io::{BufWriter, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use emp_event::Level;
use emp_findings::{Bucket, command};
use emp_investigate::{histogram, why_nothing};
use emp_query::{EVENT_COLUMNS, Engine, Filter, read_events};
use emp_render::{EventLines, Format, write_histogram};
use emp_units as units;

use super::answer::{AsOf, TimeRange, gather, meant_by, note_failures_without_level, show_list, stream};
use super::asking::Asking;
use super::filters::Filters;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::options::FormatOption;

/// Find events, the newest first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events search --job-id job_123 --oldest-first
  emp-events search --errors --last 1h --histogram
  emp-events search --event-type 'connector.*' -f connectorType=comfyui -f 'error~~=timeout|reset'
  emp-events search --service worker --since 'friday 14:00' --format csv")]
pub(crate) struct Search {
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
    #[command(flatten)]
    as_of: AsOf,
}

/// Events on a screen.
const SCREEN_LIMIT: usize = 100;
impl Search {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        let begun = Instant::now();
        let mut filter = self.filters.filter()?;
        let engine = asking.engine()?;
        let now = self.as_of.ms(asking, &engine)?;
        if let Some(job) = filter.exactly("job_id").map(str::to_owned)
            && let Some(meant) = meant_by(asking, &engine, &job).await?
        {
            filter.mean("job_id", &meant);
        }
        (filter.since_ms, filter.until_ms) = self.range.bounds(asking, &self.as_of, now)?;
        if self.histogram {
            over_time(asking, &engine, &filter).await?;
        } else if asking.format() == Format::Table {
            let limit = self.limit.unwrap_or(SCREEN_LIMIT);
            on_screen(asking, &engine, &filter, &self.sql(&filter, Some(limit)), limit).await?;
        } else {
            let sql = self.sql(&filter, self.limit);
            asking.is_in_sql(&sql);
            if stream(asking, &engine, begun, false, engine.sql(&sql)).await? == 0 {
                asking.warn(&[format!("no event matches{}", why_nothing(&engine, &filter).await?)]);
            }
        }
        if self.histogram || filter.exactly("level") == Some(Level::Error.as_str()) {
            note_failures_without_level(asking, &engine, (filter.since_ms, filter.until_ms)).await?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn sql(&self, filter: &Filter, limit: Option<usize>) -> String {
        let direction = if self.oldest_first { "" } else { " desc" };
        let limited = limit.map(|limit| format!(" limit {limit}")).unwrap_or_default();
        let order =
            format!("order by timestamp{direction}, ingested_at{direction}, length(id){direction}, id{direction}");
        format!("select {EVENT_COLUMNS} from events where {} {order}{limited}", filter.sql())
    }
}

async fn on_screen(
    asking: &Asking<'_>,
    engine: &Engine,
    filter: &Filter,
    sql: &str,
    limit: usize,
) -> Result<(), Failure> {
    let events = read_events(&gather(asking, engine.sql(sql).await?).await?)?;
    let mut out = BufWriter::new(asking);
    EventLines::new(asking.screen()).write(&mut out, &events)?;
    let count = units::counted(events.len(), "event", "events");
    if events.is_empty() {
        writeln!(out, "no event matches{}", why_nothing(engine, filter).await?)?;
    } else if limit == events.len() {
        writeln!(out, "… the first {count}; --limit shows more, --histogram all of them over time")?;
    } else {
        writeln!(out, "{count}")?;
    }
    if let Some(job) = events.iter().find_map(|event| event.job_id.as_deref()) {
        writeln!(out, "next: {}", command(&["diagnose", job]))?;
    }
    Ok(out.flush()?)
}

async fn over_time(asking: &Asking<'_>, engine: &Engine, filter: &Filter) -> Result<(), Failure> {
    match histogram(engine, filter).await? {
        Some(buckets) => show_list(asking, &buckets, |out, screen| write_histogram(out, screen, &buckets)),
        None => {
            let nothing = format!("no event matches{}", why_nothing(engine, filter).await?);
            if asking.format.is_some_and(|format| format != FormatOption::Table) {
                asking.warn(std::slice::from_ref(&nothing));
            }
            show_list::<Bucket>(asking, &[], |out, _| writeln!(out, "{nothing}"))
        }
    }
}
