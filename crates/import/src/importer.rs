//! Files on their way into the store, line by line.

use std::fs;
use std::io::Read;

use jiff::Timestamp;

use crate::buffer::{Buffer, Line, NoEvent, Place};
use crate::earlier::{Earlier, Following};
use crate::identity::{Identity, Undated};
use crate::pieces::{End, LINE_BYTES_MAX};
use crate::source::Source;
use crate::spool::Spool;
use crate::{Format, ImportError, Summary};
use emp_event::{EntryId, JsonLine};
use emp_store::{Layout, StoreError};

/// Lines are stored when they have as many bytes: the more, the fewer times an hour is written.
const BUFFER_BYTES_MAX: usize = 32 << 20;
/// What a line takes in memory beside its text.
const LINE_BYTES: usize = 512;

/// Takes files into a store.
pub struct Importer {
    layout: Layout,
    format: Format,
    earlier: Earlier,
    undated: Undated,
    buffer: Buffer,
    buffered_bytes: usize,
    summary: Summary,
}

impl Importer {
    /// Makes ready to take files of that format.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be listed.
    pub fn new(layout: &Layout, format: Format) -> Result<Self, StoreError> {
        let now_ms = Timestamp::now().as_millisecond();
        let undated = Undated { now_ms: u64::try_from(now_ms).unwrap_or(0), count: 0 };
        let (layout, earlier) = (layout.clone(), Earlier::of(layout)?);
        let (buffer, summary) = (Buffer::new(now_ms), Summary::default());
        Ok(Self { layout, format, earlier, undated, buffer, buffered_bytes: 0, summary })
    }

    /// Takes one file: plain, or packed by gzip or zstd; JSON lines, or a JSON array. `progress` is
    /// told how many unpacked bytes were read. What it holds is in the store once [`Self::finish`]
    /// has returned.
    ///
    /// # Errors
    /// [`ImportError`]. Lines that are no events are no error, unless all of them are.
    pub fn add(&mut self, input: impl Read, progress: &mut dyn FnMut(u64)) -> Result<(), ImportError> {
        self.add_source(Source::of_stream(input)?, progress)
    }

    /// The same of a file, which may be a Parquet one, too: columns of the table `events` are what they
    /// are there, any other goes into `data`.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_file(&mut self, file: fs::File, progress: &mut dyn FnMut(u64)) -> Result<(), ImportError> {
        self.add_source(Source::of_file(file)?, progress)
    }

    fn add_source(&mut self, mut source: Source<'_>, progress: &mut dyn FnMut(u64)) -> Result<(), ImportError> {
        let mut file = File::new(self.undated);
        let mut piece = Vec::new();
        let read = loop {
            match source.next(&mut piece) {
                Ok(Some(end)) => self.take(&mut file, &piece, end)?,
                Ok(None) => break Ok(()),
                // What was read is whole, and counts.
                Err(error) => break Err(ImportError::Read(error)),
            }
            progress(source.bytes_read());
        };
        self.undated = file.identity.undated();
        self.end(file).and(read)
    }

    /// Stores all that is not stored yet: what all files came to.
    ///
    /// # Errors
    /// [`StoreError`], with what was stored until then.
    pub fn finish(mut self) -> (Summary, Result<(), StoreError>) {
        let stored = self.store();
        (self.summary, stored)
    }

    fn take(&mut self, file: &mut File, piece: &[u8], end: End) -> Result<(), ImportError> {
        file.number += 1;
        let text = piece.trim_ascii();
        if text.is_empty() {
            return Ok(());
        }
        if end == End::File && serde_json::from_slice::<serde::de::IgnoredAny>(text).is_err() {
            file.note_incomplete(text);
            return Ok(());
        }
        let following = file.following.get_or_insert_with(|| self.earlier.follow(piece));
        let lines = match end {
            End::TooLong(bytes) => vec![file.identity.too_long(text, bytes)],
            _ => read(&self.format, &mut file.identity, text, file.number, following),
        };
        for line in lines {
            let Some((place, line)) = line else {
                (file.is_understood, self.summary.already_there) = (true, self.summary.already_there + 1);
                continue;
            };
            match &line.event {
                Ok(_) => file.is_understood = true,
                Err(no_event) => file.note(no_event, &self.format, text),
            }
            file.held_bytes += text.len() + LINE_BYTES;
            file.held.push((place, line));
        }
        self.release(file)
    }

    /// Lines of a file are held back until one of them is an event.
    fn release(&mut self, file: &mut File) -> Result<(), ImportError> {
        if file.is_understood {
            file.held.drain(..).for_each(|(place, line)| self.buffer.push(place, line));
            self.buffered_bytes += std::mem::take(&mut file.held_bytes);
        } else if file.held_bytes >= BUFFER_BYTES_MAX {
            return Err(file.nothing_understood());
        }
        if self.buffered_bytes >= BUFFER_BYTES_MAX { Ok(self.store()?) } else { Ok(()) }
    }

    fn end(&mut self, file: File) -> Result<(), ImportError> {
        if !file.is_understood && file.first_reason.is_some() {
            return Err(file.nothing_understood());
        }
        self.summary.incomplete += u64::from(file.is_incomplete);
        Ok(())
    }

    fn store(&mut self) -> Result<(), StoreError> {
        self.buffered_bytes = 0;
        self.buffer.store(&self.layout, &mut self.summary)
    }
}

/// One file that is being read.
struct File {
    identity: Identity,
    following: Option<Following>,
    number: u64,
    held: Vec<(Place, Line)>,
    held_bytes: usize,
    is_understood: bool,
    is_incomplete: bool,
    /// The first line that is no event: its number, why, and what format it may be of.
    first_reason: Option<(u64, String, String)>,
}

impl File {
    fn new(undated: Undated) -> Self {
        Self {
            identity: Identity::new(undated),
            following: None,
            number: 0,
            held: Vec::new(),
            held_bytes: 0,
            is_understood: false,
            is_incomplete: false,
            first_reason: None,
        }
    }

    fn note(&mut self, no_event: &NoEvent, format: &Format, text: &[u8]) {
        let number = self.number;
        self.first_reason.get_or_insert_with(|| (number, no_event.reason.clone(), format.hint(text)));
    }

    /// A line under way begins as an event does.
    fn note_incomplete(&mut self, text: &[u8]) {
        self.is_incomplete = true;
        if !text.starts_with(b"{") {
            let number = self.number;
            self.first_reason.get_or_insert_with(|| (number, "it is no JSON".to_owned(), String::new()));
        }
    }

    fn nothing_understood(&self) -> ImportError {
        let (line, reason, hint) = self.first_reason.clone().unwrap_or_default();
        let lines = if self.number == 1 { "one line".to_owned() } else { format!("{} lines", self.number) };
        ImportError::NothingUnderstood { lines, line, reason, hint }
    }
}

/// What one line of a file holds: an event, several of them in some formats, or none. `None` stands
/// for one that an earlier version has imported.
pub(crate) fn read(
    format: &Format,
    identity: &mut Identity,
    text: &[u8],
    number: u64,
    following: &mut Following,
) -> Vec<Option<(Place, Line)>> {
    let no_event = |reason: String| NoEvent { reason, bytes: text.to_owned() };
    let records = std::str::from_utf8(text)
        .map_err(|error| format!("the line is not UTF-8: {error}"))
        .and_then(|text| format.records(text));
    let records = match records {
        Ok(records) => records,
        Err(reason) => {
            let (scope, id) = identity.next(text, None);
            let line = (Place::Lines(scope), Line { id, event: Err(no_event(reason)) });
            return vec![(!following.knows(number, None, false)).then_some(line)];
        }
    };
    let is_alone = records.len() == 1;
    let mut lines = Vec::with_capacity(records.len());
    for record in &records {
        // The records of one line are told apart by what they say.
        let said = if is_alone { text } else { record.as_bytes() };
        lines.push(match JsonLine::parse(record) {
            Ok(parsed) => {
                let (place, id) = place(identity, said, &parsed);
                let event = parsed.decode(EntryId::new(id.ms, id.seq)).map(emp_event::Event::into_owned);
                let event = event.map_err(|rejection| no_event(rejection.to_string()));
                let is_of_spool = matches!(place, Place::Spool(_));
                let ms = parsed.spooled_at.or(parsed.timestamp);
                let is_known = following.knows(number, ms, event.is_ok()) && !is_of_spool;
                (!is_known).then_some((place, Line { id, event }))
            }
            Err(error) => {
                let (scope, id) = identity.next(said, None);
                let event = Err(no_event(format!("the line is not a JSON object: {error}")));
                (!following.knows(number, None, false)).then_some((Place::Lines(scope), Line { id, event }))
            }
        });
    }
    lines
}

/// Where a line is kept. One of a spool waits for its ID until it is known what is there of it.
fn place(identity: &mut Identity, text: &[u8], parsed: &JsonLine<'_>) -> (Place, EntryId) {
    let ms = parsed.spooled_at.or(parsed.timestamp);
    match parsed.uid.as_deref().and_then(Spool::of_uid) {
        Some((spool, number)) => (Place::Spool(spool), EntryId::new(identity.spooled(text, ms), number)),
        None => {
            let (scope, id) = identity.next(text, ms);
            (Place::Lines(scope), id)
        }
    }
}

impl Identity {
    fn too_long(&mut self, head: &[u8], bytes: u64) -> Option<(Place, Line)> {
        let (scope, id) = self.next(format!("{bytes} bytes").as_bytes(), None);
        let reason = format!("the line has {bytes} bytes, more than {LINE_BYTES_MAX}; its beginning was kept");
        Some((Place::Lines(scope), Line { id, event: Err(NoEvent { reason, bytes: head.to_owned() }) }))
    }
}
