use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::health_forwarding::check_forwarding;
use crate::cli::ask::{AsOf, as_shown, check_events};
use crate::cli::failure::Outcome;
use crate::cli::memory_options::MemoryOptions;
use crate::cli::options::{FormatOption, Options, runtime, wrapped};
use emp_collect::{Check, Status, check_health};

/// Say whether events get from Redis into the store
///
/// Checks that the store can be written, that a collector is at work on it, that Redis answers,
/// and how many entries are unread; and what the events tell of clocks and silent services, as of `--now`.
/// Exit status 0 where all is well, else 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events health
  emp-events health --watch
  emp-events health --now 2025-09-27T14:00Z
  emp-events health --format json")]
pub(crate) struct Health {
    /// Look again every two seconds, until Ctrl-C
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    memory: MemoryOptions,
    #[command(flatten)]
    as_of: AsOf,
}

const WATCH_EVERY: Duration = Duration::from_secs(2);

impl Health {
    pub fn run(self, options: &Options) -> Outcome {
        options.allow_formats(&FormatOption::OF_VALUES)?;
        loop {
            let status = look(options, &self)?;
            if !self.watch {
                return Ok(status);
            }
            std::thread::sleep(WATCH_EVERY);
        }
    }
}

fn look(options: &Options, asked: &Health) -> Outcome {
    let mut settings = options.collect_settings(None)?;
    settings.memory = asked.memory.limits();
    let now_ms = asked.as_of.given_ms(options)?.unwrap_or_else(|| Timestamp::now().as_millisecond());
    let mut checks = runtime()?.block_on(check_health(&settings, now_ms));
    checks.extend(check_forwarding(options)?);
    checks.extend(check_events(options, &asked.as_of));
    let mut out = std::io::stdout().lock();
    if asked.watch && out.is_terminal() {
        write!(out, "\x1b[2J\x1b[H")?;
    }
    match options.format {
        Some(FormatOption::Json) => writeln!(out, "{}", json!(checks.iter().map(as_json).collect::<Vec<_>>()))?,
        Some(FormatOption::Ndjson) => checks.iter().try_for_each(|check| writeln!(out, "{}", as_json(check)))?,
        _ => checks.iter().try_for_each(|check| write_line(&mut out, check, options))?,
    }
    out.flush()?;
    let healthy = checks.iter().all(|check| check.status == Status::Good);
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_json(check: &Check) -> serde_json::Value {
    let status = match check.status {
        Status::Good => "good",
        Status::Degraded => "degraded",
        Status::Bad => "bad",
    };
    let mut line = json!({ "check": check.name, "status": status, "detail": check.detail, "remedy": check.remedy });
    if !check.counts.is_empty() {
        line["counts"] = check.counts.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
    }
    line
}

/// Where the details of a check begin.
const DETAIL: usize = 15;

fn write_line(out: &mut impl std::io::Write, check: &Check, options: &Options) -> std::io::Result<()> {
    let (mark, color) = match check.status {
        Status::Good => ("[✓]", AnsiColor::Green),
        Status::Degraded => ("[!]", AnsiColor::Yellow),
        Status::Bad => ("[✗]", AnsiColor::Red),
    };
    let style =
        if options.colors(&std::io::stdout()) { Style::new().fg_color(Some(color.into())) } else { Style::new() };
    let detail = wrapped(&as_shown(&check.detail, options), DETAIL, DETAIL);
    writeln!(out, "{style}{mark}{style:#} {:<10} {detail}", check.name)?;
    match &check.remedy {
        Some(remedy) => writeln!(out, "               → {}", as_shown(remedy, options)),
        None => Ok(()),
    }
}
