use std::io::{BufWriter, Write as _};
use std::process::ExitCode;

use clap::Args;

use emp_investigate::{ChangesQuestion, changes, changes_table};
use emp_render::{write_answer, write_changes};
use emp_units::parse_positive_duration;

use super::answer::{AsOf, TimeRange, moment, note_failures_without_level, show_parts};
use super::asking::Asking;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::options::FormatOption;

const BEFORE: &str = "before";
/// The event of this very moment belongs to a range that ends now.
const NOW_MS: i64 = 1;

/// Say what is new, gone, more, less, slower or faster than in an earlier range of time
///
/// Types of events, texts of errors, services, machines, workers, durations, and how jobs end; each with
/// its counts and its test, the most important first. Of what is told no more than one in a hundred is
/// false. Without a range it is the last two hours. Compared are counts per job or per hour, shares of
/// errors, medians of durations and the slowest of them, and who was heard of, as far as the store covers
/// both ranges.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events changes                                     the last two hours, and the two before
  emp-events changes --since 14:00                       since the deploy, and as long before it
  emp-events changes --last 2h --against 1d              the same hours of yesterday
  emp-events changes --last 1h --against '8d..1d'        the week before, whose rates are per hour, too
  emp-events changes --since 14:00 --exit-code > /dev/null || echo look at the deploy
  emp-events changes --since 2025-09-27T12:00Z --until 2025-09-27T14:00Z \\
      --against 2025-09-27T10:00Z..2025-09-27T12:00Z --format json")]
pub(crate) struct Changes {
    #[command(flatten)]
    range: TimeRange,
    /// What to compare with: `before`, the range as long right before; a duration, the same range that much
    /// earlier (1d, 7d); or a range, FROM..TO
    #[arg(long, value_name = "before|DURATION|FROM..TO", default_value = BEFORE)]
    against: String,
    /// Exit with 1 where something has changed
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    as_of: AsOf,
}

impl Changes {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        let engine = asking.engine()?;
        self.as_of.say_what_is_missing(asking, &engine).await?;
        let now = self.as_of.ms(asking, &engine)?;
        let (since, until) = self.range.bounds(asking, &self.as_of, now)?;
        let until = until.unwrap_or(now + NOW_MS);
        let after = (since.unwrap_or(until - ChangesQuestion::RECENT_MS), until);
        let before = self.before(asking, after, now)?;
        let question = ChangesQuestion::new(after, before).map_err(|error| Failure::Usage(error.to_string()))?;
        let found = asking.watched(&engine, changes(&engine, &question)).await?;
        match asking.format {
            Some(FormatOption::Csv | FormatOption::Markdown) => {
                let table = changes_table(&found)?;
                let mut out = BufWriter::new(asking);
                write_answer(&mut out, asking.format(), &asking.screen(), table.schema(), &[table], None)?;
                out.flush()?;
            }
            _ => show_parts(asking, &found, &found.changes, write_changes)?,
        }
        note_failures_without_level(asking, &engine, (Some(after.0), Some(after.1))).await?;
        let is_other = self.exit_code && !found.changes.is_empty();
        Ok(if is_other { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// The range to compare with.
    fn before(&self, asking: &Asking<'_>, after: (i64, i64), now: i64) -> Result<(i64, i64), Failure> {
        let text = self.against.trim();
        if text == BEFORE {
            return Ok((TimeRange::right_before(after.0, after.1, now), after.0));
        }
        if let Some((from, to)) = text.split_once("..") {
            return Ok((moment(asking, from, now)?, moment(asking, to, now)?));
        }
        let earlier = parse_positive_duration(text).map_err(|_| {
            Failure::Usage(format!(
                "--against {text} is neither `before`, nor a duration such as 1d, nor a range such as \
                 2025-09-27T10:00Z..2025-09-27T12:00Z"
            ))
        })?;
        let earlier_ms = i64::try_from(earlier.as_millis()).unwrap_or(i64::MAX);
        Ok((after.0.saturating_sub(earlier_ms), after.1.saturating_sub(earlier_ms)))
    }
}
