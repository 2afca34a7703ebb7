use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;

use super::seal::seal;
use crate::cli::failure::Outcome;
use crate::cli::options::{FormatOption, Options};
use emp_collect::collector_of;
use emp_store::{Retention, StoreError, StoreWriter, find_retired, remove_superseded_files, retain};
use emp_units as units;
use emp_units::{parse_bytes, parse_positive_duration};

/// Remove the oldest hours
///
/// Whole hours go, the oldest first, and never one that is not sealed. A collector does this by
/// itself where it was started with --retain or --retain-bytes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events retain --age 90d --dry-run        what would go
  emp-events retain --age 90d --bytes 50GiB")]
pub(crate) struct Retain {
    /// Hours that ended longer ago than that go: 90d, 36h
    #[arg(long, value_parser = parse_positive_duration, required_unless_present = "bytes")]
    age: Option<Duration>,
    /// The oldest hours go until the sealed files take no more than that: 50GiB, 500MB
    #[arg(long, value_parser = parse_bytes)]
    bytes: Option<u64>,
    /// Remove hours even where nothing would be left, or where the clock is more than a day ahead of
    /// the newest entry
    #[arg(long)]
    even_if_odd: bool,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
}

impl Retain {
    pub fn run(self, options: &Options) -> Outcome {
        options.allow_formats(&FormatOption::OF_SENTENCES)?;
        let layout = options.existing_layout()?;
        let retention = Retention { age: self.age, bytes: self.bytes, even_if_odd: self.even_if_odd };
        let now = Timestamp::now().as_millisecond();
        let (verb, retired) = if self.dry_run {
            ("would go", find_retired(&layout, &retention, now)?)
        } else {
            let mut store = StoreWriter::open(&layout, &collector_of(&layout))
                .map_err(|error| anyhow::anyhow!("{error}; stop it, or start it with --retain and --retain-bytes"))?;
            // An hour of which the journal has events stays.
            seal(&mut store)?;
            store.remove_superseded(Duration::ZERO)?;
            let retired = retain(&layout, &retention, now).map_err(|error| match error {
                StoreError::Refused(_) => anyhow::anyhow!("{error}; where that is as it should be, add --even-if-odd"),
                other => other.into(),
            })?;
            // Asked for by hand, it frees the disk at once.
            remove_superseded_files(&layout, Duration::ZERO)?;
            ("are gone", retired)
        };
        let (hours, files) = (retired.hours.len(), retired.files.len());
        let range = match (retired.hours.first(), retired.hours.last()) {
            (Some(first), Some(last)) => {
                format!(", from {} {}:00 to {} {}:59 UTC", first.date(), first.hour(), last.date(), last.hour())
            }
            _ => String::new(),
        };
        println!("{hours} hours with {files} files and {} {verb}{range}", units::bytes(retired.bytes));
        if let Some(refusal) = retired.refusal {
            eprintln!("emp-events: it would be refused without --even-if-odd: {refusal}");
        }
        if let Some(hour) = retired.in_journal.filter(|_| self.dry_run) {
            eprintln!(
                "emp-events: the journal still has events of {} {}:00 UTC: without --dry-run it is sealed first, and \
                 that hour and those after it may go, too",
                hour.date(),
                hour.hour()
            );
        }
        for error in &retired.failed {
            eprintln!("emp-events: moved to the quarantine folder, since its events cannot be counted: {error}");
        }
        Ok(if retired.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
