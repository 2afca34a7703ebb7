use std::process::ExitCode;

use clap::Args;

use emp_render::write_correlation;

use super::answer::{AsOf, job_meant, show, unknown_job};
use super::asking::Asking;
use crate::cli::failure::Outcome;
use crate::cli::options::FormatOption;

/// Show what happened in connection with a job: by its trace, on its worker, with its error
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events correlate job_123
  emp-events correlate job_123 --format json")]
pub(crate) struct Correlate {
    /// The job's id
    job: String,
    #[command(flatten)]
    as_of: AsOf,
}

impl Correlate {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        asking.allow_formats(&FormatOption::OF_VALUES)?;
        let engine = asking.engine()?;
        let investigation = self.as_of.investigation(asking, &engine).await?;
        let mut correlation = investigation.correlate(&self.job).await?;
        if correlation.is_none()
            && let Some(meant) = job_meant(asking, &engine, &self.job).await?
        {
            correlation = investigation.correlate(&meant).await?;
        }
        let Some(correlation) = correlation else {
            return Err(unknown_job(&engine, &self.job).await?);
        };
        show(asking, &correlation, write_correlation)?;
        Ok(ExitCode::SUCCESS)
    }
}
