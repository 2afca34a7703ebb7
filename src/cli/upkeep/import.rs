use std::fs::File;
use std::io::{self, IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use super::import_preview::show_preview;
use crate::cli::failure::{Failure, Outcome, say};
use crate::cli::options::{FormatOption, Options};
use emp_catalog::{IndexingPace, bring_up_to_date};
use emp_import::{Format, Importer, Summary};
use emp_store::{Layout, SUPERSEDED_GRACE, StoreWriter, remove_superseded_files};
use emp_units as units;

/// Take events from files into the store
///
/// Reads the spools that clients write where Redis refuses their events, any other JSON with the names
/// of the stream's fields, one object a line or an array of them, Parquet files with the table's columns, and
/// with --from the logs of other programs; plain, or packed by gzip or zstd. A line is known by its time and text, and is taken once,
/// however often and beside whatever this runs: from a file that has grown, was rotated, renamed or
/// packed, or overlaps another. Lines that are no events are kept in the quarantine; a file that holds no
/// event at all is an error, and nothing of it is taken.
#[derive(Debug, Args)]
#[command(after_help = "\
Formats of --from:
  pino, winston, bunyan, ecs (Elastic Common Schema), otlp-json, bullmq, journald,
  or FILE.toml, which says what the members of a line are called; the first that is there counts:
    time = [\"ts\", \"time\"]
    time_zone = \"Europe/Berlin\"            # of times that name none
    job_id = [\"ctx.jobId\"]               # a member of an object
    levels = { NOTICE = \"info\" }          # what the logger calls them
    event_types = { finished = \"job.completed\" }
    default = { service = \"billing\", event_type = \"log.{level}\" }
  likewise level, service, event_type, message, error, duration_ms, trace_id, worker_id, machine_id
  and user_id; leave_out names members that are not kept, and all others become the event's data

Examples:
  emp-events import /var/spool/emp-events/*.ndjson
  emp-events import --from pino --preview app.log.1.gz
  emp-events import --from pino app.log app.log.*.gz
  journalctl -o json --since yesterday | emp-events import --from journald -")]
pub(crate) struct Import {
    /// Files to read; `-` is the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Whose log it is, or a file that says what its members are called [default: the stream's names]
    #[arg(long, value_name = "FORMAT")]
    from: Option<String>,
    /// Show what would be taken, and take nothing
    #[arg(long)]
    preview: bool,
}

/// A file from this size on takes long enough for progress to be shown.
const PROGRESS_BYTES_MIN: u64 = 16 << 20;
/// Bytes between two signs of progress.
const PROGRESS_EVERY: u64 = 4 << 20;

impl Import {
    pub fn run(self, options: &Options) -> Outcome {
        options.allow_formats(&FormatOption::OF_VALUES)?;
        let format = self.from.as_deref().map(Format::named).transpose();
        let format = format.map_err(|error| Failure::Usage(error.to_string()))?.unwrap_or_default();
        if self.preview {
            return show_preview(&self.files, self.from.as_deref(), &format, options);
        }
        let layout = options.folder_layout()?;
        let mut importer = Importer::new(&layout, format)?;
        let mut read = 0;
        for file in &self.files {
            match add(&mut importer, file) {
                Ok(()) => read += 1,
                // One that fails keeps none of the others out.
                Err(error) => say(&format!("{}: {error:#}", file.display())),
            }
        }
        let (sum, stored) = importer.finish();
        if let Err(error) = &stored {
            eprintln!("emp-events: {error}; run it again: what is stored is not taken twice");
        }
        if sum.events > 0 {
            look_after(&layout)?;
        }
        let mut out = io::stdout().lock();
        match options.format {
            Some(FormatOption::Json | FormatOption::Ndjson) => writeln!(out, "{}", as_json(&sum, read))?,
            _ => writeln!(out, "{}", as_text(&sum, read))?,
        }
        let is_done = read == self.files.len() && stored.is_ok();
        Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// A collector at work does this by itself. It makes the next question faster, no more.
fn look_after(layout: &Layout) -> Result<(), Failure> {
    if StoreWriter::is_locked(layout)? {
        return Ok(());
    }
    if let Err(error) = remove_superseded_files(layout, SUPERSEDED_GRACE) {
        eprintln!("emp-events: files that no longer count are still there: {error}");
    }
    if let Err(error) = bring_up_to_date(layout, IndexingPace::hurried()) {
        eprintln!("emp-events: the catalog of sealed hours is behind: {error}");
    }
    Ok(())
}

fn add(importer: &mut Importer, path: &Path) -> anyhow::Result<()> {
    if path == Path::new("-") {
        return Ok(importer.add(io::stdin().lock(), &mut |_| {})?);
    }
    let file = File::open(path).context("cannot open it")?;
    let size = file.metadata().context("cannot read it")?.len();
    let shows_progress = size >= PROGRESS_BYTES_MIN && io::stderr().is_terminal();
    let mut shown = 0;
    let added = importer.add_file(file, &mut |bytes| {
        if shows_progress && bytes >= shown + PROGRESS_EVERY {
            shown = bytes;
            eprint!("\r{}: {} read", path.display(), units::bytes(bytes));
        }
    });
    if shown > 0 {
        eprint!("\r\x1b[K");
    }
    Ok(added?)
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
    if sum.retired > 0 {
        text += &format!(" ({} of hours that retention has taken out)", sum.retired);
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
        "retired": sum.retired,
        "quarantined": sum.quarantined,
        "incomplete": sum.incomplete,
    })
}
