use std::io::{BufWriter, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Args;

use super::answer::{engine, moment, now_ms, runtime, screen, write_json};
use super::failure::{Failure, Outcome};
use super::options::{FormatOption, Options};
use crate::investigate::Investigation;
use crate::query::moment::parse_duration;
use crate::render::{write_anomalies, write_backtest};

/// Say what is unusual now: rates, latencies, errors, silences, clocks, jobs
///
/// Each finding comes with its statistics; of those shown about one in a hundred is false. What is
/// compared is in docs/definitions.md.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events anomalies
  emp-events anomalies --now 2025-09-27T14:00Z --format json
  emp-events anomalies --backtest --last 7d --every 30m")]
pub(super) struct Anomalies {
    /// As of then [default: now, or the store's newest event where no collector writes to it]
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// Look again and again over a range of the past, and say how many alerts a day there were
    #[arg(long)]
    backtest: bool,
    /// With --backtest: how far back
    #[arg(long, value_name = "DURATION", default_value = "7d", requires = "backtest")]
    last: String,
    /// With --backtest: how often to look
    #[arg(long, value_name = "DURATION", default_value = "1h", requires = "backtest")]
    every: String,
}

impl Anomalies {
    pub fn run(self, options: &Options) -> Outcome {
        runtime()?.block_on(async {
            let engine = engine(options)?;
            let now = now_ms(options, self.now.as_deref(), &engine)?;
            let mut out = BufWriter::new(std::io::stdout().lock());
            if self.backtest {
                let since = moment(options, &self.last, now)?;
                let step = parse_duration(&self.every).map_err(|error| Failure::Usage(error.to_string()))?;
                if step < 1_000 {
                    return Err(Failure::Usage(format!("--every {} is too short: a second at least", self.every)));
                }
                let investigation = Investigation::open(&engine, Some(since)).await?.moved_to(now);
                let backtest = investigation.backtest(since, step, &show_progress).await?;
                match options.format {
                    Some(FormatOption::Json | FormatOption::Ndjson) => write_json(&mut out, options, &backtest)?,
                    _ => write_backtest(&mut out, &screen(options)?, &backtest)?,
                }
            } else {
                let investigation = Investigation::open(&engine, Some(now)).await?;
                let anomalies = investigation.anomalies().await?;
                match options.format {
                    Some(FormatOption::Json) => write_json(&mut out, options, &anomalies)?,
                    Some(FormatOption::Ndjson) => {
                        anomalies.iter().try_for_each(|one| write_json(&mut out, options, one))?;
                    }
                    _ => {
                        let lack = investigation.lack_of_baseline().await?;
                        write_anomalies(&mut out, &screen(options)?, now, &anomalies, lack.as_deref())?;
                    }
                }
            }
            out.flush()?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

fn show_progress(done: usize, all: usize) {
    if std::io::stderr().is_terminal() {
        let end = if done == all { "\r\x1b[K" } else { "" };
        eprint!("\r{done} of {all} looks{end}");
    }
}
