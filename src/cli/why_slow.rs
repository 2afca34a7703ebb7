use std::io::{BufWriter, Write as _};
use std::process::ExitCode;

use clap::Args;

use super::answer::{engine, moment, now_ms, runtime, screen, write_json};
use super::failure::Outcome;
use super::options::{FormatOption, Options};
use crate::investigate::Investigation;
use crate::render::write_why_slow;

/// Say what slow jobs have in common: worker, machine, connector, hour, a key of `data`
///
/// Slow is twice as long as half of the jobs of its kind. What more of the slow ones have than of the
/// others is ranked by Fisher's exact test, with q-values over all that was tested.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events why-slow --last 6h
  emp-events why-slow --last 1d --where \"data->>'jobType' = 'image_generation'\"")]
pub(super) struct WhySlow {
    /// Jobs of the last 30m, 1h, 2d
    #[arg(long, value_name = "DURATION", default_value = "6h")]
    last: String,
    /// Only jobs with an event for which this holds, in SQL
    #[arg(long = "where", value_name = "SQL")]
    condition: Option<String>,
    /// As of then [default: now, or the store's newest event where no collector writes to it]
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
}

impl WhySlow {
    pub fn run(self, options: &Options) -> Outcome {
        runtime()?.block_on(async {
            let engine = engine(options)?;
            let now = now_ms(options, self.now.as_deref(), &engine)?;
            let since = moment(options, &self.last, now)?;
            let investigation = Investigation::open(&engine, Some(now)).await?;
            let why = investigation.why_slow(since, self.condition.as_deref()).await?;
            let mut out = BufWriter::new(std::io::stdout().lock());
            match options.format {
                Some(FormatOption::Json | FormatOption::Ndjson) => write_json(&mut out, options, &why)?,
                _ => write_why_slow(&mut out, &screen(options)?, &why)?,
            }
            out.flush()?;
            Ok(ExitCode::SUCCESS)
        })
    }
}
