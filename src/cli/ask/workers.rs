use std::io::{BufWriter, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use emp_investigate::{Investigation, workers_table};
use emp_render::write_answer;

use super::answer::{AsOf, TimeRange, show};
use super::asking::Asking;
use crate::cli::failure::Outcome;
use crate::cli::options::FormatOption;

const DAY_MS: i64 = 24 * 3_600_000;

/// List the workers: who lives, what each has and lost, how fast it is, whose clock is wrong
///
/// A worker lives that was heard of within its own habit: three times as long as 99 of 100 of its
/// silences, and 30 s at least. One that has started anew has died; jobs that it had then, or that
/// another one took from it, are lost to it. Its speed is compared with that of its peers at the
/// same work. The silent come first.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events workers
  emp-events workers --last 1h
  emp-events workers --now 2025-09-27T14:00Z --format json
  emp-events workers --format csv | grep silent")]
pub(crate) struct Workers {
    #[command(flatten)]
    range: TimeRange,
    #[command(flatten)]
    as_of: AsOf,
}

impl Workers {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        let begun = Instant::now();
        let engine = asking.engine()?;
        self.as_of.say_what_is_missing(asking, &engine).await?;
        let now = self.as_of.ms(asking, &engine)?;
        let (since, until) = self.range.or_last(asking, now, DAY_MS)?;
        let workers = Investigation::open(&engine, until).await?.workers(since).await?;
        if matches!(asking.format, Some(FormatOption::Json)) {
            show(asking, &workers, |_, _, _| Ok(()))?;
            return Ok(ExitCode::SUCCESS);
        }
        asking.warn(&workers.notes);
        let table = workers_table(&workers)?;
        let mut out = BufWriter::new(asking);
        write_answer(&mut out, asking.format(), &asking.screen(), table.schema(), &[table], Some(begun.elapsed()))?;
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}
