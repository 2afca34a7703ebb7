use std::io::{BufWriter, Write as _};
use std::process::ExitCode;

use clap::Args;

use super::answer::{engine, moment, now_ms, runtime, screen, write_json};
use super::failure::{Failure, Outcome};
use super::options::{FormatOption, Options};
use crate::investigate::{Investigation, Verdict};
use crate::render::{write_diagnosis, write_judged};

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
pub(super) struct Diagnose {
    /// The job's id
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    job: Option<String>,
    /// Every job with which something is wrong, grouped by cause
    #[arg(long)]
    all: bool,
    /// With --all: jobs of the last 30m, 1h, 2d
    #[arg(long, value_name = "DURATION", default_value = "1h", requires = "all")]
    last: String,
    /// As of then [default: now, or the store's newest event where no collector writes to it]
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
}

impl Diagnose {
    pub fn run(self, options: &Options) -> Outcome {
        runtime()?.block_on(async {
            let engine = engine(options)?;
            let now = now_ms(options, self.now.as_deref(), &engine)?;
            let investigation = Investigation::open(&engine, Some(now)).await?;
            match &self.job {
                Some(job) => one(options, &investigation, job).await,
                None => all(options, &investigation, &self.last).await,
            }
        })
    }
}

async fn one(options: &Options, investigation: &Investigation<'_>, job: &str) -> Outcome {
    let diagnosis = investigation.diagnose(job).await?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let is_found = diagnosis.verdict != Verdict::NotFound;
    match options.format {
        Some(FormatOption::Json | FormatOption::Ndjson) => write_json(&mut out, options, &diagnosis)?,
        _ if !is_found => return Err(Failure::Failed(anyhow::anyhow!(diagnosis.reason))),
        _ => write_diagnosis(&mut out, &screen(options)?, &diagnosis)?,
    }
    out.flush()?;
    Ok(if is_found { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn all(options: &Options, investigation: &Investigation<'_>, last: &str) -> Outcome {
    let since_ms = moment(options, last, investigation.now_ms())?;
    let judged = investigation.diagnose_all(since_ms).await?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    match options.format {
        Some(FormatOption::Json | FormatOption::Ndjson) => write_json(&mut out, options, &judged)?,
        _ => write_judged(&mut out, &screen(options)?, &judged)?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
