use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::options::{FormatOption, Options};
use emp_bucket::{Address, Archiver, Backlog, Head, Settings, Taken, archive_of};
use emp_catalog::IndexingPace;
use emp_store::Layout;
use emp_units as units;
use emp_units::parse_positive_duration;

/// Files that are on their way at the same time.
const AT_ONCE: usize = 8;
/// Files that are committed together.
const FILES_AT_ONCE: usize = 512;

/// Put the hours that are over into a bucket
///
/// Each file is put once, under the name that it has in the store; what is derived from them follows, and the head last,
/// which commits all of it. What is there already is not put again, so it can be stopped at any time and goes on the next
/// time. A collector does it by itself: `emp-events collect --archive URL`. Credentials are found where the provider's own
/// tools find them: in the environment, in ~/.aws, by a web identity, by the role of a container or a machine.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events archive --to s3://my-bucket/production
  emp-events archive --to s3://my-bucket/production --dry-run     what would go
  emp-events archive                                              to where the hours before went
  emp-events archive --keep-local 7d --retain 365d                and keep a week here, a year there
  AWS_PROFILE=team AWS_ENDPOINT_URL=http://127.0.0.1:9000 emp-events archive --to s3://events/a
  emp-events archive --rebuild-head                               where the head there was lost or damaged
  emp-events archive --to gs://my-bucket/production
  emp-events archive --to az://my-container/production")]
pub(crate) struct Archive {
    /// The bucket, and what the names there begin with: s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX
    /// [default: where the store's hours went before]
    #[arg(long, value_name = "URL", env = "EMP_EVENTS_ARCHIVE")]
    to: Option<Address>,
    /// Then remove hours from this disk that ended longer ago than that and are proven to be in the bucket: 7d, 36h;
    /// questions fetch them from there [default: keep all]
    #[arg(long, value_name = "AGE", value_parser = parse_positive_duration, conflicts_with = "dry_run")]
    keep_local: Option<Duration>,
    /// Then take hours out of the bucket that ended longer ago than that: 365d; they are removed an hour later, so that
    /// questions at work can end, and are not put there again [default: keep all]
    #[arg(long, value_name = "AGE", value_parser = parse_positive_duration, conflicts_with = "dry_run")]
    retain: Option<Duration>,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
    /// Go on where another copy of this store wrote before, which is gone for good
    #[arg(long)]
    take_over: bool,
    /// First make the head anew from the files that lie there, which are read once more: where it was lost or damaged
    #[arg(long, conflicts_with = "dry_run")]
    rebuild_head: bool,
    /// Make it anew even where the one that is there can be read
    #[arg(long, requires = "rebuild_head")]
    even_if_good: bool,
}

impl Archive {
    pub fn run(self, options: &Options) -> Outcome {
        options.allow_formats(&FormatOption::OF_VALUES)?;
        let layout = options.existing_layout()?;
        let address = self.to.clone().or_else(|| archive_of(&layout)).ok_or_else(|| {
            Failure::Usage("no hour of this store is in a bucket yet: say where they go with --to".to_owned())
        })?;
        let progress = Arc::new(Progress::default());
        let on_file = {
            let progress = Arc::clone(&progress);
            Arc::new(move |_: &Path, bytes| progress.add(bytes))
        };
        let settings = Settings { pace: IndexingPace::hurried(), at_once: AT_ONCE, take_over: self.take_over, on_file };
        let (mut archiver, mut is_whole) = self.open(&layout, &address, settings)?;
        let now_ms = Timestamp::now().as_millisecond();
        let backlog = archiver.backlog(now_ms)?;
        if self.dry_run {
            return tell_backlog(options, &address, &backlog);
        }
        progress.begin(&backlog);
        if backlog.files > 0 {
            emp_collect::derive_all(&layout)?;
        }
        let (mut files, mut events, mut bytes) = (0, 0, 0);
        loop {
            let step = archiver.step(now_ms, FILES_AT_ONCE).map_err(anyhow::Error::from)?;
            (files, events, bytes) = (files + step.files, events + step.events, bytes + step.bytes);
            for error in &step.left_out {
                is_whole = false;
                progress.end();
                eprintln!("emp-events: left out: {error}; `emp-events verify --repair` takes it out of the store");
            }
            if !step.is_more {
                break;
            }
        }
        progress.end();
        let released = match self.keep_local {
            Some(keep) => archiver.release(keep, now_ms).map_err(anyhow::Error::from)?,
            None => 0,
        };
        let taken = match self.retain {
            Some(age) => archiver.retain(age, now_ms).map_err(anyhow::Error::from)?,
            None => Taken::default(),
        };
        self.tell(options, &address, &Done { head: archiver.head(), files, events, bytes, released, taken })?;
        Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// The archiver, whose head was made anew where that was asked for, and whether nothing was left out by that.
    fn open(&self, layout: &Layout, address: &Address, settings: Settings) -> Result<(Archiver, bool), Failure> {
        if !self.rebuild_head {
            return Ok((Archiver::open(layout, address, settings).map_err(anyhow::Error::from)?, true));
        }
        let rebuilt = Archiver::rebuild(layout, address, settings, self.even_if_good);
        let (archiver, rebuilt) = rebuilt.map_err(anyhow::Error::from)?;
        for error in &rebuilt.left_out {
            eprintln!("emp-events: left out: {error}");
        }
        eprintln!(
            "emp-events: the head of {address} is made anew, of {} files with {} events",
            rebuilt.files, rebuilt.events
        );
        Ok((archiver, rebuilt.left_out.is_empty()))
    }

    fn tell(&self, options: &Options, address: &Address, done: &Done<'_>) -> std::io::Result<()> {
        let Done { head, files, events, bytes, released, taken } = done;
        let mut out = std::io::stdout().lock();
        if let Some(FormatOption::Json | FormatOption::Ndjson) = options.format {
            let answer = json!({
                "archive": address.to_string(),
                "put": { "files": files, "events": events, "bytes": bytes },
                "there": { "files": head.files, "events": head.events, "bytes": head.bytes },
                "released_files": released,
                "taken_out_files": taken.files,
            });
            return writeln!(out, "{answer}");
        }
        let (put, there) = (units::bytes(*bytes), units::bytes(head.bytes));
        writeln!(
            out,
            "put {files} files with {events} events, {put}, into {address}, which holds {} files with {} events, {there}",
            head.files, head.events
        )?;
        if self.retain.is_some() {
            let freed = units::bytes(taken.bytes);
            writeln!(out, "{} files, {freed}, are taken out, and are removed in an hour", taken.files)?;
        }
        if self.keep_local.is_some() {
            writeln!(out, "{released} files are there alone now")?;
        }
        Ok(())
    }
}

/// What was done.
struct Done<'a> {
    head: &'a Head,
    files: u64,
    events: u64,
    bytes: u64,
    released: u64,
    taken: Taken,
}

fn tell_backlog(options: &Options, address: &Address, backlog: &Backlog) -> Outcome {
    let mut out = std::io::stdout().lock();
    let oldest = backlog.oldest.map(|hour| format!("{} {}:00", hour.date(), hour.hour()));
    match options.format {
        Some(FormatOption::Json | FormatOption::Ndjson) => {
            let waits = json!({ "files": backlog.files, "bytes": backlog.bytes, "oldest_hour": oldest });
            writeln!(out, "{}", json!({ "archive": address.to_string(), "waiting": waits }))?;
        }
        _ => {
            let from = oldest.map(|hour| format!(", from {hour} UTC on")).unwrap_or_default();
            writeln!(out, "{} files, {}{from}, would go to {address}", backlog.files, units::bytes(backlog.bytes))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// How far it is, on a terminal.
#[derive(Default)]
struct Progress {
    is_shown: std::sync::atomic::AtomicBool,
    files: AtomicU64,
    bytes: AtomicU64,
    all_files: AtomicU64,
    all_bytes: AtomicU64,
}

impl Progress {
    fn begin(&self, backlog: &Backlog) {
        self.all_files.store(backlog.files, Relaxed);
        self.all_bytes.store(backlog.bytes, Relaxed);
        self.is_shown.store(backlog.files > 0 && std::io::stderr().is_terminal(), Relaxed);
    }

    fn add(&self, bytes: u64) {
        let files = self.files.fetch_add(1, Relaxed) + 1;
        let bytes = self.bytes.fetch_add(bytes, Relaxed) + bytes;
        if self.is_shown.load(Relaxed) {
            let (all_files, all_bytes) = (self.all_files.load(Relaxed), self.all_bytes.load(Relaxed));
            eprint!("\r{files} of {all_files} files, {} of {}   ", units::bytes(bytes), units::bytes(all_bytes));
        }
    }

    fn end(&self) {
        if self.is_shown.swap(false, Relaxed) && self.files.load(Relaxed) > 0 {
            eprintln!();
        }
    }
}
