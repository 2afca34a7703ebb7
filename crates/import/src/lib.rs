//! Import: events that did not come by the stream, from lines of JSON into the store.
//!
//! Where Redis refuses events, clients write them into a spool, one JSON object a line.
//! [`import`] takes such files, and any others of events in the wire's names, exactly once: each
//! line has a source and a number within it, its entry ID holds that number, and the highest ID of
//! a source in the store tells which of its lines are there. It works beside a collector.
//! `docs/format.md` says how the IDs are made.

mod intake;
mod source;

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};

use jiff::Timestamp;

use emp_event::JsonLine;
use emp_store::{Layout, StoreError};
use intake::{Intake, Line};
use source::{NUMBER_MAX, Source};

/// Sources that are written to at once. One file has one source, unless files were put together.
const SOURCES_OPEN_MAX: usize = 16;
/// Bytes read at once.
const READ_BYTES: usize = 256 << 10;

/// What importing came to, in lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Events that are in the store now.
    pub events: u64,
    /// Lines that are no events, kept in the quarantine.
    pub quarantined: u64,
    /// Lines that an earlier import has taken.
    pub already_there: u64,
    /// Last lines that have no end yet: left for another time.
    pub incomplete: u64,
}

impl Summary {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            events: self.events + other.events,
            quarantined: self.quarantined + other.quarantined,
            already_there: self.already_there + other.already_there,
            incomplete: self.incomplete + other.incomplete,
        }
    }

    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Event => self.events += 1,
            Outcome::Quarantined => self.quarantined += 1,
            Outcome::AlreadyThere => self.already_there += 1,
        }
    }
}

/// What becomes of a line.
enum Outcome {
    Event,
    Quarantined,
    AlreadyThere,
}

/// Why lines were not imported. What was imported before stays, and is not taken again.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The files of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file that is read.
    #[error("cannot read it: {0}")]
    Read(#[from] io::Error),
    /// More lines than an ID can count.
    #[error("it has more than {NUMBER_MAX} lines: split it")]
    TooLong,
}

/// Takes the lines of a file into a store. `progress` is told how many bytes were read.
///
/// # Errors
/// [`ImportError`]. Lines that are no events are no error.
pub fn import(layout: &Layout, input: impl Read, progress: &mut dyn FnMut(u64)) -> Result<Summary, ImportError> {
    let now_ms = Timestamp::now().as_millisecond();
    let mut reader = BufReader::with_capacity(READ_BYTES, input);
    let mut import =
        Import { layout, now_ms, file: None, ms: None, open: BTreeMap::new(), summary: Summary::default() };
    let (mut line, mut number, mut bytes) = (Vec::new(), 0, 0);
    loop {
        line.clear();
        bytes += reader.read_until(b'\n', &mut line)? as u64;
        if line.is_empty() {
            break;
        }
        if line.pop() != Some(b'\n') {
            import.summary.incomplete += 1;
            break;
        }
        number += 1;
        if number > NUMBER_MAX {
            return Err(ImportError::TooLong);
        }
        import.take(&line, number)?;
        progress(bytes);
    }
    import.finish_open()?;
    Ok(import.summary)
}

/// One file on its way into the store.
struct Import<'a> {
    layout: &'a Layout,
    now_ms: i64,
    /// The source of lines that do not name one.
    file: Option<Source>,
    /// When the line before came.
    ms: Option<u64>,
    open: BTreeMap<Source, Intake>,
    summary: Summary,
}

impl Import<'_> {
    fn take(&mut self, bytes: &[u8], number: u64) -> Result<(), StoreError> {
        if bytes.trim_ascii().is_empty() {
            return Ok(());
        }
        let file = *self.file.get_or_insert_with(|| Source::of_first_line(bytes));
        let parsed = parse(bytes);
        let uid = parsed.as_ref().ok().and_then(|line| line.uid.as_deref()).and_then(Source::of_uid);
        let (source, number) = uid.unwrap_or((file, number));
        let ms = self.arrived(parsed.as_ref().ok());
        let outcome = self.intake(source)?.take(&Line { number, ms, bytes, parsed })?;
        self.summary.count(outcome);
        Ok(())
    }

    /// When a line came: as it says, though not in the future; else with the one before.
    fn arrived(&mut self, line: Option<&JsonLine<'_>>) -> u64 {
        let now = u64::try_from(self.now_ms).unwrap_or(0);
        let said = line.and_then(|line| line.spooled_at.or(line.timestamp));
        let ms = said.map(|ms| u64::try_from(ms).unwrap_or(0).min(now)).or(self.ms).unwrap_or(now);
        self.ms = Some(ms);
        ms
    }

    fn intake(&mut self, source: Source) -> Result<&mut Intake, StoreError> {
        if self.open.len() >= SOURCES_OPEN_MAX && !self.open.contains_key(&source) {
            self.finish_open()?;
        }
        Ok(match self.open.entry(source) {
            std::collections::btree_map::Entry::Occupied(open) => open.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(Intake::open(self.layout, source, self.now_ms)?)
            }
        })
    }

    fn finish_open(&mut self) -> Result<(), StoreError> {
        std::mem::take(&mut self.open).into_values().try_for_each(Intake::finish)
    }
}

fn parse(bytes: &[u8]) -> Result<JsonLine<'_>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("the line is not UTF-8: {error}"))?;
    JsonLine::parse(text).map_err(|error| format!("the line is not a JSON object: {error}"))
}
