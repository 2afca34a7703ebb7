use std::process::ExitCode;

use clap::Args;

use emp_findings::Verdict;
use emp_investigate::Investigation;
use emp_render::{write_diagnosis, write_judged};

use super::answer::{AsOf, engine, moment, runtime, show};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::options::{FormatOption, Options};

/// Say what is wrong with a job, and why: the verdict first
///
/// Then where its time went, the events that show it, what was ruled out, which other jobs have the
/// same cause, and what to type next. Verdicts: not_found, no_data, failed, retry_loop,
/// worker_silent, waiting, claimed_not_started, stuck, running_slow, running, webhook_undelivered,
/// done_slow, done.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events diagnose job_123
  emp-events diagnose --all --last 1h
  emp-events diagnose job_123 --format json --now 2025-09-27T14:00Z")]
pub(crate) struct Diagnose {
    /// The job's id
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    job: Option<String>,
    /// Every job with which something is wrong, grouped by cause
    #[arg(long)]
    all: bool,
    /// With --all: jobs of the last 30m, 1h, 2d
    #[arg(long, value_name = "DURATION", default_value = "1h", requires = "all")]
    last: String,
    #[command(flatten)]
    as_of: AsOf,
}

impl Diagnose {
    pub fn run(self, options: &Options) -> Outcome {
        runtime()?.block_on(async {
            let engine = engine(options)?;
            let investigation = self.as_of.investigation(options, &engine).await?;
            match &self.job {
                Some(job) => one(options, &investigation, job).await,
                None => all(options, &investigation, &self.last).await,
            }
        })
    }
}

async fn one(options: &Options, investigation: &Investigation<'_>, job: &str) -> Outcome {
    let diagnosis = investigation.diagnose(job).await?;
    let is_found = diagnosis.verdict != Verdict::NotFound;
    if !is_found && !matches!(options.format, Some(FormatOption::Json | FormatOption::Ndjson)) {
        return Err(Failure::Failed(anyhow::anyhow!(diagnosis.reason)));
    }
    show(options, &diagnosis, write_diagnosis)?;
    Ok(if is_found { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn all(options: &Options, investigation: &Investigation<'_>, last: &str) -> Outcome {
    let since_ms = moment(options, last, investigation.now_ms())?;
    let judged = investigation.diagnose_all(since_ms).await?;
    show(options, &judged, write_judged)?;
    Ok(ExitCode::SUCCESS)
}
