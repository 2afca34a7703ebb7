use std::io::BufWriter;
use std::process::ExitCode;

use clap::Args;
use jiff::tz::TimeZone;

use emp_findings::{Verdict, command};
use emp_report::JobPage;

use crate::cli::ask::Asking;
use crate::cli::ask::answer::{AsOf, job_meant, unknown_job};
use crate::cli::failure::Outcome;

/// Make one HTML file of a job, to keep: its verdict, where its time went, each event
#[derive(Debug, Args)]
pub(in crate::cli) struct Export {
    /// The job's id, or its beginning
    #[arg(long, value_name = "JOB")]
    job: String,
    #[command(flatten)]
    as_of: AsOf,
}

impl Export {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        let engine = asking.engine()?;
        let investigation = self.as_of.investigation_quietly(asking, &engine).await?;
        let mut job = self.job;
        let mut history = investigation.history(&job).await?;
        if history.is_none()
            && let Some(meant) = job_meant(asking, &engine, &job).await?
        {
            job = meant;
            history = investigation.history(&job).await?;
        }
        let diagnosis = investigation.diagnose(&job).await?;
        let Some(history) = history.filter(|_| diagnosis.verdict != Verdict::NotFound) else {
            return Err(unknown_job(&engine, &job).await?);
        };
        let judgement = investigation.judge_timeline(&history, None);
        let zone = asking.tz.clone().unwrap_or(TimeZone::UTC);
        let commands = vec![command(&["diagnose", &job]), command(&["timeline", &job])];
        let page = JobPage::new(diagnosis, (history, judgement), investigation.now_ms(), zone, commands);
        page.write_html(&mut BufWriter::new(asking))?;
        Ok(ExitCode::SUCCESS)
    }
}
