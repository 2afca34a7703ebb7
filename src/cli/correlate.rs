use std::io::{BufWriter, Write as _};
use std::process::ExitCode;

use clap::Args;

use super::answer::{engine, now_ms, runtime, screen, unknown_job, write_json};
use super::failure::Outcome;
use super::options::{FormatOption, Options};
use crate::investigate::Investigation;
use crate::render::write_correlation;

/// Show what happened in connection with a job: by its trace, on its worker, with its error
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events correlate job_123
  emp-events correlate job_123 --format json")]
pub(super) struct Correlate {
    /// The job's id
    job: String,
    /// As of then [default: now, or the store's newest event where no collector writes to it]
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
}

impl Correlate {
    pub fn run(self, options: &Options) -> Outcome {
        runtime()?.block_on(async {
            let engine = engine(options)?;
            let now = now_ms(options, self.now.as_deref(), &engine)?;
            let investigation = Investigation::open(&engine, Some(now)).await?;
            let Some(correlation) = investigation.correlate(&self.job).await? else {
                return Err(unknown_job(&engine, &self.job).await?);
            };
            let mut out = BufWriter::new(std::io::stdout().lock());
            match options.format {
                Some(FormatOption::Json | FormatOption::Ndjson) => write_json(&mut out, options, &correlation)?,
                _ => write_correlation(&mut out, &screen(options)?, &correlation)?,
            }
            out.flush()?;
            Ok(ExitCode::SUCCESS)
        })
    }
}
