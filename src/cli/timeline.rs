use std::io::{BufWriter, Write as _};
use std::process::ExitCode;

use clap::Args;

use super::answer::{canned, engine, format, gather, parameter, runtime, screen};
use super::failure::{Failure, Outcome};
use super::options::Options;
use crate::query::{Engine, find};
use crate::render::{Format, write_answer, write_timeline};

/// Show what happened to a job, in order, with the gaps in place
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events timeline job_123
  emp-events timeline job_123 --min-gap 500ms
  emp-events timeline job_123 --format json")]
pub(super) struct Timeline {
    /// The job's id
    job: String,
    /// Mark silences from this length on [default: 5s]
    #[arg(long, value_name = "DURATION")]
    min_gap: Option<String>,
}

impl Timeline {
    pub fn run(self, options: &Options) -> Outcome {
        let screen = screen(options)?;
        let queries = canned()?;
        let query = find(&queries, "timeline")?;
        let job = parameter("job_id", Some(self.job.clone()));
        let parameters: Vec<_> = job.into_iter().chain(parameter("min_gap", self.min_gap)).collect();
        runtime()?.block_on(async {
            let engine = engine(options)?;
            let answer = engine.canned(query, &parameters).await?;
            let schema = answer.schema.clone();
            let batches = gather(answer).await?;
            if batches.iter().all(|batch| batch.num_rows() == 0) {
                return Err(unknown_job(&engine, &self.job).await?);
            }
            let mut out = BufWriter::new(std::io::stdout().lock());
            match format(options) {
                Format::Table => write_timeline(&mut out, &screen, &self.job, &batches)?,
                format => write_answer(&mut out, format, &screen, schema, &batches, None)?,
            }
            Ok(out.flush()?)
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn unknown_job(engine: &Engine, job: &str) -> Result<Failure, Failure> {
    let similar = engine.similar_jobs(job).await?;
    let hint = match similar.as_slice() {
        [] => String::new(),
        similar => format!("; did you mean {}?", similar.join(" or ")),
    };
    Ok(Failure::Failed(anyhow::anyhow!("the store has no events of job `{job}`{hint}")))
}
