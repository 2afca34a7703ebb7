use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::health_forwarding::check_forwarding;
use crate::cli::ask::{AsOf, as_shown, check_events_at_shell, runtime};
#[cfg(feature = "query")]
use crate::cli::ask::{Asking, check_events};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::memory_options::MemoryOptions;
use crate::cli::options::{FormatOption, Options, wrapped};
use emp_collect::{Check, Status, check_health};
use emp_usage::Way;

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

    /// Answers once.
    #[cfg(feature = "query")]
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        asking.allow_formats(&FormatOption::OF_VALUES)?;
        let checks = self.checks(asking, check_events(asking, &self.as_of)).await?;
        write(&mut &*asking, asking, &checks)?;
        Ok(ExitCode::SUCCESS)
    }

    /// All checks, those of the events last.
    async fn checks(
        &self,
        options: &Options,
        of_events: impl Future<Output = Vec<Check>>,
    ) -> Result<Vec<Check>, Failure> {
        let mut settings = options.collect_settings(None)?;
        settings.memory = self.memory.limits();
        let now_ms = self.as_of.given_ms(options)?.unwrap_or_else(|| Timestamp::now().as_millisecond());
        let mut checks = check_health(&settings, now_ms).await;
        checks.extend(check_forwarding(options).await?);
        checks.extend(of_events.await);
        checks.extend(usage());
        Ok(checks)
    }
}

fn look(options: &Options, asked: &Health) -> Outcome {
    let checks = runtime()?.block_on(asked.checks(options, check_events_at_shell(options, &asked.as_of)))?;
    let mut out = std::io::stdout().lock();
    if asked.watch && out.is_terminal() {
        write!(out, "\x1b[2J\x1b[H")?;
    }
    write(&mut out, options, &checks)?;
    let healthy = checks.iter().all(|check| check.status == Status::Good);
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write(out: &mut dyn std::io::Write, options: &Options, checks: &[Check]) -> std::io::Result<()> {
    match options.format {
        Some(FormatOption::Json) => writeln!(out, "{}", json!(checks.iter().map(as_json).collect::<Vec<_>>()))?,
        Some(FormatOption::Ndjson) => checks.iter().try_for_each(|check| writeln!(out, "{}", as_json(check)))?,
        _ => checks.iter().try_for_each(|check| write_line(out, check, options))?,
    }
    out.flush()
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

/// What was asked on this machine: no trouble, whatever it is.
fn usage() -> Option<Check> {
    let usage = emp_usage::read()?;
    let by = |way: Way| usage.by(way);
    let ways = Way::ALL.map(|way| (way.as_str(), by(way)));
    let by_ways: Vec<String> =
        ways.iter().filter(|(_, count)| *count > 0).map(|(way, count)| format!("{count} by {way}")).collect();
    let (timelines, diagnoses) = (usage.of("timeline"), usage.of("diagnose"));
    let mut kinds: Vec<(&String, u64)> = usage.questions.keys().map(|kind| (kind, usage.of(kind))).collect();
    kinds.sort_by_key(|(kind, count)| (std::cmp::Reverse(*count), *kind));
    let kinds: Vec<String> = kinds.iter().take(5).map(|(kind, count)| format!("{kind} {count}")).collect();
    let detail = format!(
        "{} questions since {} ({}): {}; {timelines} of {} about one job asked for its timeline",
        usage.all(),
        usage.since,
        by_ways.join(", "),
        kinds.join(", "),
        timelines + diagnoses
    );
    let mut counts = vec![("questions", usage.all()), ("timelines", timelines), ("diagnoses", diagnoses)];
    counts.extend(ways);
    Some(Check { name: "usage", status: Status::Good, detail, remedy: None, counts })
}

/// Where the details of a check begin.
const DETAIL: usize = 15;

fn write_line(out: &mut dyn std::io::Write, check: &Check, options: &Options) -> std::io::Result<()> {
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
