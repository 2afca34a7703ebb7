use std::io::Write as _;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::Args;
use serde_json::json;

use super::failure::Outcome;
use super::options::{FormatOption, Options, runtime};
use crate::collect::{Check, Status, check_health};

/// Say whether events get from Redis into the store
///
/// Checks that the store can be written, that a collector is at work on it, that Redis answers,
/// and how many entries are unread. Exit status 0 where all is well, else 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events health
  emp-events health --format json")]
pub(super) struct Health {}

impl Health {
    pub fn run(self, options: &Options) -> Outcome {
        let settings = options.collect_settings(None)?;
        let checks = runtime()?.block_on(check_health(&settings));
        let mut out = std::io::stdout().lock();
        match options.format {
            Some(FormatOption::Json) => writeln!(out, "{}", json!(checks.iter().map(as_json).collect::<Vec<_>>()))?,
            Some(FormatOption::Ndjson) => checks.iter().try_for_each(|check| writeln!(out, "{}", as_json(check)))?,
            _ => checks.iter().try_for_each(|check| write_line(&mut out, check, options.colors(&std::io::stdout())))?,
        }
        let healthy = checks.iter().all(|check| check.status == Status::Good);
        Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn as_json(check: &Check) -> serde_json::Value {
    let status = match check.status {
        Status::Good => "good",
        Status::Degraded => "degraded",
        Status::Bad => "bad",
    };
    json!({ "check": check.name, "status": status, "detail": check.detail, "remedy": check.remedy })
}

fn write_line(out: &mut impl std::io::Write, check: &Check, colors: bool) -> std::io::Result<()> {
    let (mark, color) = match check.status {
        Status::Good => ("[✓]", AnsiColor::Green),
        Status::Degraded => ("[!]", AnsiColor::Yellow),
        Status::Bad => ("[✗]", AnsiColor::Red),
    };
    let style = if colors { Style::new().fg_color(Some(color.into())) } else { Style::new() };
    writeln!(out, "{style}{mark}{style:#} {:<9}  {}", check.name, check.detail)?;
    match &check.remedy {
        Some(remedy) => writeln!(out, "               → {remedy}"),
        None => Ok(()),
    }
}
