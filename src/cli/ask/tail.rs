use std::io::{BufReader, BufWriter, IsTerminal as _, Read as _, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde_json::Value;

use emp_job::JobEvent;
use emp_render::{EventLines, Format, visible_lines};
use emp_store::StoreWriter;
use emp_tail::{Notice, RedisTail, StoreTail};
use emp_units as units;

use super::answer::runtime;
use super::asking::Asking;
use super::end_signals::EndSignals;
use super::filters::Filters;
use super::json::event_as_json;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::options::Options;

/// Show events as they come
///
/// From the store where a collector writes to it, else straight from Redis; a line on stderr says which.
/// On a terminal the space bar holds the lines back and lets them go on; Ctrl-C ends it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events tail
  emp-events tail --level error --last 50
  emp-events tail --job-id job_123 --format ndjson | jq .event_type")]
pub(crate) struct Tail {
    #[command(flatten)]
    filters: Filters,
    /// Begin with so many events that are there already
    #[arg(long, value_name = "EVENTS", default_value_t = 10)]
    last: usize,
    /// Where to read [default: the store where a collector writes to it, else redis]
    #[arg(long, value_enum)]
    from: Option<From>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    Store,
    Redis,
}

enum Source {
    Store(Box<StoreTail>),
    Redis(Box<RedisTail>),
}

impl Tail {
    pub fn run(self, options: &Options) -> Outcome {
        runtime()?.block_on(async {
            // Before the terminal is changed, so that no signal leaves it so.
            let mut signals = EndSignals::watch()?;
            let keys = Keys::watch();
            tokio::select! {
                () = signals.any() => Ok(ExitCode::SUCCESS),
                outcome = self.follow(options, keys.paused()) => outcome,
            }
        })
    }

    /// Shows events until it fails.
    async fn follow(&self, options: &Options, paused: Arc<AtomicBool>) -> Outcome {
        let mut shown = Shown::new(options, paused)?;
        let mut source = self.open(options).await?;
        let mut beat = tokio::time::interval(std::time::Duration::from_millis(50));
        loop {
            tokio::select! {
                // What was held back is shown as soon as a key lets it go on.
                _ = beat.tick(), if shown.is_holding() => shown.show(Vec::new())?,
                events = next(&mut source), if shown.has_room() => shown.show(events?)?,
            }
        }
    }

    /// Where to read, the last events that are there already first.
    async fn open(&self, options: &Options) -> Result<Source, Failure> {
        let filter = self.filters.filter()?;
        let layout = options.folder_layout()?;
        let is_live = StoreWriter::is_locked(&layout).unwrap_or(false);
        match self.from.unwrap_or(if is_live { From::Store } else { From::Redis }) {
            From::Store => {
                eprintln!("following the store at {}", layout.root().display());
                Ok(Source::Store(Box::new(StoreTail::open(&layout, filter, self.last).await?)))
            }
            From::Redis => {
                let address = options.redis()?;
                let root = layout.root().display();
                eprintln!("following {} at {address}: no collector writes to {root}", options.stream);
                Ok(Source::Redis(Box::new(RedisTail::open(&address, &options.stream, filter, self.last).await?)))
            }
        }
    }
}

async fn next(source: &mut Source) -> Result<Vec<JobEvent>, Failure> {
    let next = match source {
        Source::Store(tail) => tail.next().await?,
        Source::Redis(tail) => tail.next().await,
    };
    Ok(next.unwrap_or_else(|notice| {
        match notice {
            Notice::Connected => eprintln!("connected again"),
            Notice::Disconnected(error) => eprintln!("{}; trying again", visible_lines(&error.to_string())),
            Notice::Skipped(error) => eprintln!("{}; the rest is shown", visible_lines(&error.to_string())),
            Notice::AddedAmong(events) => {
                let events = units::counted(events as usize, "event", "events");
                eprintln!("an import put {events} among earlier ones, which `search` shows");
            }
        }
        Vec::new()
    }))
}

/// Where events are shown.
struct Shown {
    out: BufWriter<std::io::Stdout>,
    lines: Option<EventLines>,
    paused: Arc<AtomicBool>,
    held_back: Vec<JobEvent>,
    held_bytes: usize,
}

/// Bytes of events that are held back, about, before no more are read.
const HELD_BYTES_MAX: usize = 16 << 20;

impl Shown {
    fn new(options: &Options, paused: Arc<AtomicBool>) -> Result<Self, Failure> {
        let asking = Asking::at_shell(options);
        let lines = match asking.format() {
            Format::Table => Some(EventLines::new(asking.screen())),
            Format::Ndjson | Format::Json => None,
            other => return Err(Failure::Usage(format!("tail shows table, json or ndjson, not {other}"))),
        };
        Ok(Self { out: BufWriter::new(std::io::stdout()), lines, paused, held_back: Vec::new(), held_bytes: 0 })
    }

    fn is_holding(&self) -> bool {
        !self.held_back.is_empty()
    }

    /// May more be held back? What is not read stays where it is.
    fn has_room(&self) -> bool {
        self.held_bytes < HELD_BYTES_MAX
    }

    fn show(&mut self, events: Vec<JobEvent>) -> Result<(), Failure> {
        let was_holding = self.is_holding();
        self.held_bytes += events.iter().map(bytes_of).sum::<usize>();
        self.held_back.extend(events);
        if self.paused.load(Ordering::Relaxed) {
            if self.is_holding() {
                let count = units::counted(self.held_back.len(), "event", "events");
                eprint!("\r\x1b[Kpaused: {count} held back; space goes on");
            }
            return Ok(());
        }
        if was_holding && self.lines.is_some() && std::io::stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
        let events = std::mem::take(&mut self.held_back);
        self.held_bytes = 0;
        match &mut self.lines {
            Some(lines) => lines.write(&mut self.out, &events)?,
            None => events.iter().try_for_each(|event| writeln!(self.out, "{}", event_as_json(event)))?,
        }
        self.out.flush()?;
        Ok(())
    }
}

/// How much memory an event takes, about.
fn bytes_of(event: &JobEvent) -> usize {
    const BESIDE_DATA: usize = 400;
    BESIDE_DATA + event.data.iter().map(|(name, value)| name.len() + bytes_of_value(value)).sum::<usize>()
}

fn bytes_of_value(value: &Value) -> usize {
    const EACH: usize = 32;
    EACH + match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(bytes_of_value).sum(),
        Value::Object(members) => members.iter().map(|(name, value)| name.len() + bytes_of_value(value)).sum(),
        _ => 0,
    }
}

/// Watches the keyboard, where there is one; lets it be as it was when dropped.
struct Keys {
    before: Option<Termios>,
    paused: Arc<AtomicBool>,
}

impl Keys {
    fn watch() -> Self {
        let paused = Arc::new(AtomicBool::new(false));
        let stdin = std::io::stdin();
        if !stdin.is_terminal() || !std::io::stdout().is_terminal() {
            return Self { before: None, paused };
        }
        let before = tcgetattr(&stdin).ok();
        if let Some(before) = &before {
            let mut keys = before.clone();
            // Keys come one by one and are not shown; Ctrl-C still ends the process.
            keys.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            let _ = tcsetattr(&stdin, OptionalActions::Now, &keys);
            let toggled = Arc::clone(&paused);
            std::thread::spawn(move || {
                for key in BufReader::new(std::io::stdin()).bytes().map_while(Result::ok) {
                    if key == b' ' || key == b'p' {
                        toggled.fetch_xor(true, Ordering::Relaxed);
                    }
                }
            });
        }
        Self { before, paused }
    }

    fn paused(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.paused)
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}
