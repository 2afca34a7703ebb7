use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use emp_findings::{Severity, Truth};
use emp_investigate::Investigation;
use emp_query::Engine;
use emp_render::{write_anomalies, write_backtest};
use emp_units::parse_duration;

use super::answer::{AsOf, moment, note_failures_without_level, show, show_list};
use super::asking::Asking;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::options::FormatOption;

/// How far back what happens now reaches.
const HOUR_MS: i64 = 3_600_000;

/// Say what is unusual now: rates, latencies, errors, silences, clocks, jobs
///
/// Each finding comes with its statistics; of those shown about one in a hundred is false. Compared are
/// rates of the last 15 minutes, error shares, new errors and clocks of the last hour, latencies of the
/// last 5, 15 and 60 minutes, and workers with their peers over three hours: with the same hour of the last
/// four weeks' working days, or weekends, else with the last 24 hours, from an hour on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events anomalies
  emp-events anomalies --now 2025-09-27T14:00Z --format json
  emp-events anomalies --exit-code > /dev/null || echo somebody should look
  emp-events anomalies --backtest --last 7d --every 30m
  emp-events simulate --into /tmp/try --hours 48 --format json > /tmp/truth.json
  emp-events --store /tmp/try anomalies --backtest --last 1d --truth /tmp/truth.json")]
pub(crate) struct Anomalies {
    #[command(flatten)]
    as_of: AsOf,
    /// Look again and again over a range of the past, and say how many alerts a day there were
    #[arg(long)]
    backtest: bool,
    /// Exit with 1 where there is an alert
    #[arg(long, conflicts_with = "backtest")]
    exit_code: bool,
    /// With --backtest: how far back
    #[arg(long, value_name = "DURATION", default_value = "7d", requires = "backtest")]
    last: String,
    /// With --backtest: how often to look
    #[arg(long, value_name = "DURATION", default_value = "1h", requires = "backtest")]
    every: String,
    /// With --backtest: what is known to have been wrong, as `simulate --format json` tells it
    #[arg(long, value_name = "FILE", requires = "backtest")]
    truth: Option<PathBuf>,
}

impl Anomalies {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        asking.allow_formats(&FormatOption::OF_VALUES)?;
        let engine = asking.engine()?;
        let now = self.as_of.ms(asking, &engine)?;
        if self.backtest {
            self.look_back(asking, &engine, now).await?;
        } else {
            self.as_of.say_what_is_missing(asking, &engine).await?;
            let anomalies = Investigation::open(&engine, now).await?.anomalies().await?;
            show_list(asking, &anomalies.found, |out, screen| write_anomalies(out, screen, now, &anomalies))?;
            if matches!(asking.format, Some(FormatOption::Json | FormatOption::Ndjson)) {
                // A list has no place for it, and a screen has it below.
                asking.warn(anomalies.lack.as_slice());
            }
            note_failures_without_level(asking, &engine, (Some(now - HOUR_MS), Some(now + 1))).await?;
            let is_alert = anomalies.found.iter().any(|found| found.severity == Severity::Alert);
            if self.exit_code && is_alert {
                return Ok(ExitCode::FAILURE);
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn look_back(&self, asking: &Asking<'_>, engine: &Engine, now: i64) -> Result<(), Failure> {
        let since = moment(asking, &self.last, now)?;
        let step = parse_duration(&self.every).map_err(|error| Failure::Usage(error.to_string()))?;
        if step < Duration::from_secs(1) {
            return Err(Failure::Usage(format!("--every {} is too short: a second at least", self.every)));
        }
        let truth = self.truth.as_deref().map(read_truth).transpose()?;
        let investigation = Investigation::open(engine, now).await?;
        let is_shown = asking.is_at_shell();
        let progress = |done: usize, all: usize| {
            if is_shown {
                show_progress_at_shell(done, all)
            }
        };
        let mut backtest = investigation.backtest(since, step.as_millis() as i64, &progress).await?;
        if let Some(truth) = truth {
            backtest = backtest.compared_with(&truth, (since, now));
        }
        show(asking, &backtest, write_backtest)
    }
}

pub(super) fn read_truth(path: &Path) -> Result<Truth, Failure> {
    let failed =
        || format!("{} does not tell what was wrong; `simulate --format json` writes such a file", path.display());
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(serde_json::from_str(&text).with_context(failed)?)
}

/// Says on a terminal how many looks are done.
pub(super) fn show_progress_at_shell(done: usize, all: usize) {
    if std::io::stderr().is_terminal() {
        let end = if done == all { "\r\x1b[K" } else { "" };
        eprint!("\r{done} of {all} looks{end}");
    }
}
