use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use crate::cli::failure::Outcome;
use crate::cli::options::{FormatOption, Options};
use emp_catalog::{IndexingPace, bring_up_to_date};
use emp_store::{SUPERSEDED_GRACE, StoreError, StoreWriter, compact, remove_superseded_files};

/// Put the files of each hour together
///
/// Crashes, imports and frequent seals leave several files of an hour. A collector at work puts
/// them together by itself; this does it where none is. What is replaced goes after 15 minutes,
/// so that queries at work can end.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events compact
  emp-events --store /mnt/copy compact")]
pub(crate) struct Compact {}

impl Compact {
    pub fn run(self, options: &Options) -> Outcome {
        options.allow_formats(&FormatOption::OF_SENTENCES)?;
        let layout = options.existing_layout()?;
        let _lock = match StoreWriter::lock(&layout) {
            Err(StoreError::Locked { root }) => {
                println!("a collector is at work on {}, and does this by itself", root.display());
                return Ok(ExitCode::SUCCESS);
            }
            lock => lock?,
        };
        let shows_progress = std::io::stderr().is_terminal();
        let (mut made, mut replaced, mut events) = (0, 0, 0);
        let now_ms = Timestamp::now().as_millisecond();
        let failed = compact(&layout, now_ms, &mut BTreeSet::new(), &mut |compacted| {
            made += 1;
            replaced += compacted.files;
            events += compacted.rows;
            if shows_progress {
                eprint!("\r{replaced} files became {made}");
            }
        })?;
        if shows_progress && made > 0 {
            eprintln!();
        }
        let removed = remove_superseded_files(&layout, SUPERSEDED_GRACE)?;
        bring_up_to_date(&layout, IndexingPace::hurried())?;
        println!("{replaced} files with {events} events became {made}; removed {removed} that were replaced before");
        for error in &failed {
            eprintln!("emp-events: left as it is: {error}");
        }
        Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
