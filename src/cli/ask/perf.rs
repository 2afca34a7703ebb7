use std::io::{BufWriter, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use emp_investigate::{ByClocks, Investigation, PerfQuestion, clocks_note, clocks_since, no_such_key, perf};
use emp_job::{Named, vocabulary};
use emp_query::{EVENT_COLUMNS, Engine};
use emp_render::write_answer;

use super::answer::{AsOf, TimeRange, note_failures_without_level};
use super::asking::Asking;
use crate::cli::failure::{Failure, Outcome};

/// Show how often things happen, how long they take and how much fails, and whether that has changed
///
/// With a range of time each row is compared with the range of the same length before: by how much the
/// median changed, and by Mann–Whitney's test whether that is real (q of 0.01 or less).

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events perf --last 1h
  emp-events perf --last 6h --by worker_id
  emp-events perf --last 1d --by connectorType --format markdown
  emp-events perf --since yesterday --until today")]
pub(crate) struct Perf {
    #[command(flatten)]
    range: TimeRange,
    /// Group by a column, or by a key of `data`
    #[arg(long, value_name = "KEY", default_value = "event_type")]
    by: String,
    /// Rows at most
    #[arg(long, value_name = "ROWS", default_value_t = 50)]
    limit: usize,
    /// Read each event, so that the quantiles of more than a million of them are exact, too
    #[arg(long)]
    exact: bool,
    #[command(flatten)]
    as_of: AsOf,
}

impl Perf {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        let begun = Instant::now();
        let engine = asking.engine()?;
        let now_ms = self.as_of.ms(asking, &engine)?;
        let (since_ms, until_ms) = self.range.bounds(asking, &self.as_of, now_ms)?;
        let question = PerfQuestion {
            by: self.by.clone(),
            since_ms,
            until_ms,
            against_ms: None,
            now_ms,
            limit: self.limit,
            exact: self.exact,
        };
        let (mut batch, without_level) = perf(&engine, &question).await?;
        let is_judged = question.by == "worker_id" || vocabulary().is_key(Named::Connector, &question.by);
        if let Some(since_ms) = since_ms.filter(|_| is_judged) {
            let investigation = Investigation::open(&engine, until_ms.unwrap_or(now_ms)).await?;
            batch = investigation.with_speeds(batch, &question.by, since_ms).await?;
        }
        let mut out = BufWriter::new(asking);
        let (schema, screen) = (batch.schema(), asking.screen());
        write_answer(&mut out, asking.format(), &screen, schema, std::slice::from_ref(&batch), Some(begun.elapsed()))?;
        out.flush()?;
        if question.is_approximate(&engine)? && batch.num_rows() > 0 {
            asking.warn(&["≈ p50, p95 and p99 are within 0.1 %; --exact reads each event".to_owned()]);
        }
        if batch.num_rows() == 0 {
            asking.warn(&[self.why_nothing(&engine).await?]);
        }
        match without_level {
            Some(without_level) => asking.warn(without_level.note().as_slice()),
            None => note_failures_without_level(asking, &engine, (since_ms, until_ms)).await?,
        }
        let range = [("since", Some(clocks_since(since_ms, until_ms.unwrap_or(now_ms)))), ("until", until_ms)];
        let range = range.into_iter();
        let range: Vec<_> = range.filter_map(|(name, ms)| Some((name.to_owned(), ms?.to_string()))).collect();
        if batch.num_rows() > 0 {
            asking.warn(clocks_note(&engine, &range, ByClocks::Stated).await?.as_slice());
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Why no event of that time has what it is grouped by.
    async fn why_nothing(&self, engine: &Engine) -> Result<String, Failure> {
        let is_column = EVENT_COLUMNS.split(", ").any(|column| column == self.by);
        let known = if is_column { Vec::new() } else { engine.data_keys().await? };
        Ok(if is_column || known.contains(&self.by) {
            format!("no event of that time has a {}", self.by)
        } else {
            no_such_key(&self.by, &known)
        })
    }
}
