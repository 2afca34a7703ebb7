use std::process::ExitCode;

use clap::Args;

use emp_render::write_why_slow;

use super::answer::{AsOf, TimeRange, show};
use super::asking::Asking;
use crate::cli::failure::Outcome;
use crate::cli::options::FormatOption;

/// So far back where no range is given.
const LENGTH_MS: i64 = 6 * 3_600_000;

/// Say what slow jobs have in common: worker, machine, connector, hour, a key of `data`
///
/// Slow is twice as long as half of the jobs of its kind. What more of the slow ones have than of the
/// others is ranked by Fisher's exact test, with q-values over all that was tested. Without a range of
/// time, those of the last six hours.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events why-slow --last 6h
  emp-events why-slow --last 1d --where \"data->>'jobType' = 'image_generation'\"")]
pub(crate) struct WhySlow {
    #[command(flatten)]
    range: TimeRange,
    /// Only jobs with an event for which this holds, in SQL
    #[arg(long = "where", value_name = "SQL")]
    condition: Option<String>,
    #[command(flatten)]
    as_of: AsOf,
}

impl WhySlow {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        asking.allow_formats(&FormatOption::OF_VALUES)?;
        let engine = asking.engine()?;
        let (as_of, since) = self.as_of.at_end_of(&self.range, asking, &engine, LENGTH_MS)?;
        let investigation = as_of.investigation(asking, &engine).await?;
        let why = investigation.why_slow(since, self.condition.as_deref()).await?;
        show(asking, &why, write_why_slow)?;
        Ok(ExitCode::SUCCESS)
    }
}
