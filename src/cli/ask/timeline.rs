use std::io::{BufWriter, Write as _};
use std::process::ExitCode;

use arrow::record_batch::RecordBatch;
use clap::Args;

use emp_findings::ComparedStep;
use emp_investigate::{Investigation, InvestigationError, WithoutLevel};
use emp_job::History;
use emp_query::{Engine, find};
use emp_render::{Format, Times, write_answer, write_comparison, write_job};
use emp_units::parse_duration;

use super::answer::{AsOf, canned, clocks, gather, job_meant, parameter, show_list, unknown_job, write_json};
use super::asking::Asking;
use super::json::timeline_as_json;
use crate::cli::failure::{Failure, Missing, Outcome};

/// Show what happened to a job, in order, with unusual gaps in place and where its time went
///
/// A gap is unusual where it lasts three times as long as 99 of 100 of its class, and a second at least.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events timeline job_123
  emp-events timeline job_123 --min-gap 500ms
  emp-events timeline job_123 --compare typical
  emp-events timeline job_123 --compare job_456
  emp-events timeline --trace 4bf92f3577b34da6a3ce929d0e0e4736
  emp-events timeline job_123 --format json")]
pub(crate) struct Timeline {
    /// The job's id
    #[arg(required_unless_present = "trace", conflicts_with = "trace")]
    job: Option<String>,
    /// All events of a trace instead
    #[arg(long, value_name = "ID")]
    trace: Option<String>,
    /// Beside another job, step by step, or beside what is `typical`
    #[arg(long, value_name = "JOB", requires = "job")]
    compare: Option<String>,
    /// Mark gaps from this length on [default: those that are unusual; in other formats than a table 5s]
    #[arg(long, value_name = "DURATION")]
    min_gap: Option<String>,
    /// Times, order and gaps by the producers' clocks as they are
    #[arg(long)]
    raw_clocks: bool,
    #[command(flatten)]
    as_of: AsOf,
}

impl Timeline {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        let engine = asking.engine()?;
        match (&self.job, &self.compare) {
            (Some(job), Some(other)) => self.beside(asking, &engine, job, other).await?,
            (Some(job), None) if !matches!(asking.format(), Format::Table | Format::Json) => {
                self.rows(asking, &engine, job).await?;
            }
            _ => self.screen(asking, &engine).await?,
        }
        Ok(ExitCode::SUCCESS)
    }

    /// For a program: the rows of the canned query.
    async fn rows(&self, asking: &Asking<'_>, engine: &Engine, job: &str) -> Result<(), Failure> {
        self.as_of.say_what_is_missing(asking, engine).await?;
        let queries = canned()?;
        let query = find(&queries, "timeline")?;
        let ask = async |job: &str| {
            let job_id = parameter("job_id", Some(job.to_owned()));
            let parameters = job_id.into_iter().chain(parameter("min_gap", self.min_gap.clone()));
            let parameters: Vec<_> = parameters.chain(clocks(self.raw_clocks)).collect();
            let answer = engine.canned(query, &parameters).await?;
            let schema = answer.schema.clone();
            Ok::<_, Failure>((schema, gather(asking, answer).await?))
        };
        let is_empty = |batches: &[RecordBatch]| batches.iter().all(|batch| batch.num_rows() == 0);
        let (mut schema, mut batches) = ask(job).await?;
        if is_empty(&batches)
            && let Some(meant) = job_meant(asking, engine, job).await?
        {
            (schema, batches) = ask(&meant).await?;
        }
        if is_empty(&batches) {
            return Err(unknown_job(engine, job).await?);
        }
        let mut out = BufWriter::new(asking);
        write_answer(&mut out, asking.format(), &asking.screen(), schema, &batches, None)?;
        Ok(out.flush()?)
    }

    /// For a person, or with all that a person sees: judged by what is typical.
    async fn screen(&self, asking: &Asking<'_>, engine: &Engine) -> Result<(), Failure> {
        let min_gap = self.min_gap.as_deref().map(parse_duration).transpose();
        let min_gap = min_gap.map_err(|error| Failure::Usage(error.to_string()))?;
        let min_gap_ms = min_gap.map(|min_gap| min_gap.as_millis() as i64);
        let investigation = self.as_of.investigation(asking, engine).await?;
        let (title, history) = match (&self.job, &self.trace) {
            (Some(job), _) => {
                let history = self.history(asking, &investigation, job).await?;
                (format!("Job {}", id_of(&history, job)), history)
            }
            (None, trace) => {
                let trace = trace.as_deref().unwrap_or_default();
                let unknown = || Failure::from(Missing(format!("the store has no events of trace `{trace}`")));
                (format!("Trace {trace}"), investigation.trace(trace).await?.ok_or_else(unknown)?)
            }
        };
        let judgement = investigation.judge_timeline(&history, min_gap_ms);
        let mut out = BufWriter::new(asking);
        if asking.format() == Format::Json {
            let what = if self.job.is_some() { "job_id" } else { "trace_id" };
            let id = title.split_once(' ').map_or(title.as_str(), |(_, id)| id);
            write_json(&mut out, asking, &timeline_as_json((what, id), &history, &judgement))?;
        } else {
            let times = if self.raw_clocks { Times::Sent } else { Times::Corrected };
            write_job(&mut out, &asking.screen(), &title, &history, &judgement, times)?;
        }
        out.flush()?;
        asking.warn(WithoutLevel::among(history.events()).note().as_slice());
        Ok(())
    }

    async fn beside(&self, asking: &Asking<'_>, engine: &Engine, job: &str, other: &str) -> Result<(), Failure> {
        let investigation = self.as_of.investigation(asking, engine).await?;
        let left = self.steps(asking, &investigation, job).await?;
        let (steps, right): (Vec<ComparedStep>, String) = match other {
            "typical" => (investigation.compare_with_typical(&left), other.to_owned()),
            other => {
                let right = self.steps(asking, &investigation, other).await?;
                (investigation.compare(&left, &right), id_of(&right, other))
            }
        };
        let names = (&*id_of(&left, job), &*right);
        show_list(asking, &steps, |out, screen| write_comparison(out, screen, names, &steps))
    }

    async fn history(
        &self,
        asking: &Asking<'_>,
        investigation: &Investigation<'_>,
        job: &str,
    ) -> Result<History, Failure> {
        self.found(asking, investigation, job, async |job| investigation.history(job).await).await
    }

    /// What a comparison needs of it.
    async fn steps(
        &self,
        asking: &Asking<'_>,
        investigation: &Investigation<'_>,
        job: &str,
    ) -> Result<History, Failure> {
        self.found(asking, investigation, job, async |job| investigation.steps(job).await).await
    }

    /// The history of the job of that id, or of the only one whose id begins so.
    async fn found(
        &self,
        asking: &Asking<'_>,
        investigation: &Investigation<'_>,
        job: &str,
        of: impl AsyncFn(&str) -> Result<Option<History>, InvestigationError>,
    ) -> Result<History, Failure> {
        if let Some(history) = of(job).await? {
            return Ok(history);
        }
        let meant = job_meant(asking, investigation.engine(), job).await?;
        let history = match &meant {
            Some(meant) => of(meant).await?,
            None => None,
        };
        match history {
            Some(history) => Ok(history),
            None => Err(unknown_job(investigation.engine(), job).await?),
        }
    }
}

/// The job's id, of which no more than the beginning may have been typed.
fn id_of(history: &History, job: &str) -> String {
    history.last().job_id.as_deref().unwrap_or(job).to_owned()
}
