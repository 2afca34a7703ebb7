use std::io::{BufRead as _, BufWriter, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Args;

use emp_findings::{Diagnosis, Verdict};
use emp_investigate::Investigation;
use emp_render::{write_diagnosis, write_judged};

use super::answer::{AsOf, TimeRange, job_meant, show, show_list};
use super::asking::Asking;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::options::FormatOption;

/// With `--all`, so far back where no range is given.
const LENGTH_MS: i64 = 3_600_000;

/// Say what is wrong with a job, and why: the verdict first
///
/// Then where its time went, the events that show it, what was ruled out, which other jobs have the
/// same cause, and what to type next. Verdicts: not_found, no_data, failed, retry_loop,
/// worker_silent, waiting, claimed_not_started, stuck, running_slow, running, webhook_undelivered,
/// done_slow, done. With --all, of the jobs of the last hour, or of a range of time, as of its end.
#[derive(Debug, Args)]
#[command(
    override_usage = "emp-events diagnose [OPTIONS] <JOB>...\n       emp-events diagnose [OPTIONS] --all",
    after_help = "\
Examples:
  emp-events diagnose job_123
  emp-events diagnose job_123 job_456
  emp-events diagnose --all --last 1h
  emp-events search --errors --last 1h --format json | jq -r '.[].job_id' | emp-events diagnose -
  emp-events diagnose job_123 --exit-code || echo somebody should look
  emp-events diagnose job_123 --format json --now 2025-09-27T14:00Z"
)]
pub(crate) struct Diagnose {
    /// The jobs' ids, or their beginnings where no other job begins so; `-` reads them from stdin, one a line
    #[arg(value_name = "JOB", conflicts_with = "all")]
    jobs: Vec<String>,
    /// Every job with which something is wrong, grouped by cause
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    range: TimeRange,
    /// Exit with 1 where something is wrong
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    as_of: AsOf,
}

impl Diagnose {
    /// Is it about all jobs?
    pub fn is_about_all(&self) -> bool {
        self.all
    }

    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        asking.allow_formats(&FormatOption::OF_VALUES)?;
        if self.range.is_given() && !self.all {
            return Err(Failure::Usage(
                "--since, --until and --last go with --all: of a job all is looked at".to_owned(),
            ));
        }
        let jobs = if self.all { Vec::new() } else { self.jobs(asking)? };
        let engine = asking.engine()?;
        let (as_of, since_ms) = self.as_of.at_end_of(&self.range, asking, &engine, LENGTH_MS)?;
        let investigation = as_of.investigation(asking, &engine).await?;
        let is_well = match &jobs[..] {
            [] => all(asking, &investigation, since_ms).await?,
            [job] => one(asking, &investigation, job).await?,
            jobs => several(asking, &investigation, jobs).await?,
        };
        Ok(match is_well {
            Found::Nothing => ExitCode::FAILURE,
            Found::Unwell if self.exit_code => ExitCode::FAILURE,
            Found::Unwell | Found::Well => ExitCode::SUCCESS,
        })
    }

    /// Those that were named, or that are piped in.
    fn jobs(&self, asking: &Asking<'_>) -> Result<Vec<String>, Failure> {
        let is_piped = self.jobs.is_empty() && asking.is_at_shell() && !std::io::stdin().is_terminal();
        let mut jobs = Vec::new();
        for job in self.jobs.iter().map(String::as_str).chain(is_piped.then_some("-")) {
            if job != "-" {
                jobs.push(job.to_owned());
                continue;
            }
            for line in asking.stdin("name each job: `-` is for a pipe")?.lock().lines() {
                jobs.extend(Some(line?.trim().to_owned()).filter(|line| !line.is_empty() && line != "null"));
            }
        }
        if jobs.is_empty() {
            return Err(Failure::Usage("name a job, such as `diagnose job_123`, or look at `--all`".to_owned()));
        }
        let mut seen = std::collections::HashSet::new();
        jobs.retain(|job| seen.insert(job.clone()));
        Ok(jobs)
    }
}

/// What was found.
enum Found {
    Well,
    Unwell,
    /// No such job.
    Nothing,
}

fn found(diagnosis: &Diagnosis) -> Found {
    match diagnosis.verdict {
        Verdict::NotFound => Found::Nothing,
        _ if diagnosis.is_unwell() => Found::Unwell,
        _ => Found::Well,
    }
}

async fn diagnose(asking: &Asking<'_>, investigation: &Investigation<'_>, job: &str) -> Result<Diagnosis, Failure> {
    let diagnosis = investigation.diagnose(job).await?;
    if diagnosis.verdict == Verdict::NotFound
        && let Some(meant) = job_meant(asking, investigation.engine(), job).await?
    {
        return Ok(investigation.diagnose(&meant).await?);
    }
    Ok(diagnosis)
}

async fn one(asking: &Asking<'_>, investigation: &Investigation<'_>, job: &str) -> Result<Found, Failure> {
    let diagnosis = diagnose(asking, investigation, job).await?;
    let is_for_programs = matches!(asking.format, Some(FormatOption::Json | FormatOption::Ndjson));
    if diagnosis.verdict == Verdict::NotFound && !is_for_programs {
        return Err(Failure::Failed(anyhow::anyhow!(diagnosis.reason)));
    }
    show(asking, &diagnosis, write_diagnosis)?;
    Ok(found(&diagnosis))
}

/// One after the other, a line between them; for a program a list.
async fn several(asking: &Asking<'_>, investigation: &Investigation<'_>, jobs: &[String]) -> Result<Found, Failure> {
    let mut diagnoses = Vec::with_capacity(jobs.len());
    for job in jobs {
        diagnoses.push(diagnose(asking, investigation, job).await?);
    }
    show_list(asking, &diagnoses, |out, screen| {
        let mut out = BufWriter::new(out);
        for (index, diagnosis) in diagnoses.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            write_diagnosis(&mut out, screen, diagnosis)?;
        }
        out.flush()
    })?;
    let of_all = diagnoses.iter().map(found);
    Ok(of_all.fold(Found::Well, |worst, one| match (worst, one) {
        (Found::Nothing, _) | (_, Found::Nothing) => Found::Nothing,
        (Found::Unwell, _) | (_, Found::Unwell) => Found::Unwell,
        _ => Found::Well,
    }))
}

async fn all(asking: &Asking<'_>, investigation: &Investigation<'_>, since_ms: i64) -> Result<Found, Failure> {
    let judged = investigation.diagnose_all(since_ms).await?;
    show(asking, &judged, write_judged)?;
    Ok(if judged.groups.is_empty() { Found::Well } else { Found::Unwell })
}
