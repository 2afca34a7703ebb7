use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use crate::cli::failure::Outcome;
use crate::cli::options::{FormatOption, Options};
use emp_catalog::{IndexingPace, bring_up_to_date};
use emp_import::{Summary, import};
use emp_store::{Layout, StoreWriter};
use emp_units as units;

/// Take events from files into the store
///
/// Reads files of one JSON object a line: the spools that clients write where Redis refuses their
/// events, and any others with the names of the stream's fields. Each line is taken once, however
/// often and beside whatever this runs, also where its file has grown since; a last line that has
/// no end yet is left for the next time. Lines that are no events are kept in the quarantine.
/// Files are told apart by the id in each line of a spool, others by their first line.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events import /var/spool/emp-events/*.ndjson
  zcat old-events.ndjson.gz | emp-events import -
  emp-events import spool.ndjson --format json")]
pub(crate) struct Import {
    /// Files to read; `-` is the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// A file from this size on takes long enough for progress to be shown.
const PROGRESS_BYTES_MIN: u64 = 16 << 20;
/// Bytes between two signs of progress.
const PROGRESS_EVERY: u64 = 4 << 20;

impl Import {
    pub fn run(self, options: &Options) -> Outcome {
        let layout = options.layout();
        let (mut sum, mut read) = (Summary::default(), 0);
        for file in &self.files {
            match import_file(&layout, file) {
                Ok(summary) => (sum, read) = (sum.and(summary), read + 1),
                // One that fails keeps none of the others out.
                Err(error) => eprintln!("emp-events: {}: {error:#}", file.display()),
            }
        }
        if sum.events > 0 && !StoreWriter::is_locked(&layout)? {
            // A collector at work does this by itself. It makes the next question faster, no more.
            if let Err(error) = bring_up_to_date(&layout, IndexingPace::hurried()) {
                eprintln!("emp-events: the catalog of sealed hours is behind: {error}");
            }
        }
        let mut out = io::stdout().lock();
        match options.format {
            Some(FormatOption::Json | FormatOption::Ndjson) => writeln!(out, "{}", as_json(&sum, read))?,
            _ => writeln!(out, "{}", as_text(&sum, read))?,
        }
        Ok(if read == self.files.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn import_file(layout: &Layout, path: &Path) -> anyhow::Result<Summary> {
    if path == Path::new("-") {
        return Ok(import(layout, io::stdin().lock(), &mut |_| {})?);
    }
    let file = File::open(path).context("cannot open it")?;
    let size = file.metadata().context("cannot read it")?.len();
    let shows_progress = size >= PROGRESS_BYTES_MIN && io::stderr().is_terminal();
    let mut shown = 0;
    let imported = import(layout, file, &mut |bytes| {
        if shows_progress && bytes >= shown + PROGRESS_EVERY {
            shown = bytes;
            eprint!("\r{}: {} of {} read", path.display(), units::bytes(bytes), units::bytes(size));
        }
    });
    if shown > 0 {
        eprint!("\r\x1b[K");
    }
    Ok(imported?)
}

fn as_text(sum: &Summary, files: usize) -> String {
    let count = |count: u64, one: &str, many: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    };
    let mut text =
        format!("imported {} from {}", count(sum.events, "event", "events"), count(files as u64, "file", "files"));
    if sum.already_there > 0 {
        text += &format!("; {} there already", count(sum.already_there, "line was", "lines were"));
    }
    if sum.quarantined > 0 {
        let lines = count(sum.quarantined, "line is no event and is", "lines are no events and are");
        text += &format!("; {lines} in quarantine");
    }
    if sum.incomplete > 0 {
        let lines = count(sum.incomplete, "last line has no end yet and is", "last lines have no end yet and are");
        text += &format!("; {lines} left for the next time");
    }
    text
}

fn as_json(sum: &Summary, files: usize) -> serde_json::Value {
    json!({
        "files": files,
        "events": sum.events,
        "already_there": sum.already_there,
        "quarantined": sum.quarantined,
        "incomplete": sum.incomplete,
    })
}
