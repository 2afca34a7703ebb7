use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::options::{FormatOption, Options};
use emp_catalog::{IndexingPace, bring_up_to_date};
use emp_collect::collector_of;
use emp_store::{Layout, SUPERSEDED_GRACE, StoreError, StoreWriter, request_seal};

/// How long to wait for a collector at work.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Seal what the journal holds, so that other engines see it
///
/// `emp-events` itself sees every event at once; DuckDB, pandas and others read the Parquet files
/// alone. Where a collector is at work on the store, it is asked to do so.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events seal
  emp-events seal && duckdb -c \"select count(*) from 'data/events/date=*/hour=*/*.parquet'\"")]
pub(crate) struct Seal {}

impl Seal {
    pub fn run(self, options: &Options) -> Outcome {
        options.allow_formats(&FormatOption::OF_SENTENCES)?;
        let layout = options.existing_layout()?;
        match StoreWriter::open(&layout, &collector_of(&layout)) {
            Ok(mut store) => {
                match seal(&mut store)? {
                    0 => println!("nothing to seal: all events are in sealed files"),
                    events => println!("sealed {events} events"),
                }
                store.remove_superseded(SUPERSEDED_GRACE)?;
                bring_up_to_date(&layout, IndexingPace::hurried())?;
            }
            Err(StoreError::Locked { .. }) => ask_collector(&layout)?,
            Err(error) => return Err(error.into()),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Seals all that the journal holds, and says how many events that were which had not been sealed before.
pub(super) fn seal(store: &mut StoreWriter) -> Result<u64, StoreError> {
    let mut events = 0;
    store.close_segment()?;
    while let Some(task) = store.next_to_seal() {
        let sealed = task.run()?;
        // What was sealed before is sealed once more, in case that it had not reached the disk.
        events += if store.sealed(&sealed) { sealed.rows } else { 0 };
    }
    Ok(events)
}

fn ask_collector(layout: &Layout) -> Result<(), Failure> {
    request_seal(layout)?;
    let begun = Instant::now();
    while layout.seal_request().exists() {
        if begun.elapsed() > PATIENCE {
            let waited = PATIENCE.as_secs();
            return Err(Failure::Failed(anyhow::anyhow!(
                "the collector at work on {} has not sealed within {waited} s; its log says why",
                layout.root().display()
            )));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    println!("the collector has sealed what it had");
    Ok(())
}
