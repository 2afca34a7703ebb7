//! Names and places: where each file of a store lies, and what its name says.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::disk::{Backend, RealDisk};
use super::{Away, StoreError};
use emp_event::EntryId;

/// One hour of arrival in UTC: a partition. Counted in whole hours since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hour(i64);

const HOUR_MS: i64 = 3_600_000;

impl Hour {
    /// The hour in which this millisecond lies.
    pub fn of_ms(ms: i64) -> Self {
        Self(ms.div_euclid(HOUR_MS))
    }

    /// Its first millisecond since the epoch.
    pub fn start_ms(self) -> i64 {
        self.0 * HOUR_MS
    }

    /// The first millisecond after it.
    pub fn end_ms(self) -> i64 {
        (self.0 + 1) * HOUR_MS
    }

    /// The partition value `date`: `2025-09-27`.
    pub fn date(self) -> String {
        let start = Timestamp::from_millisecond(self.start_ms()).unwrap_or(Timestamp::MAX);
        jiff::tz::Offset::UTC.to_datetime(start).date().to_string()
    }

    /// The partition value `hour`: `04`.
    pub fn hour(self) -> String {
        // The remainder of a division by 24 has two digits.
        let of_day = self.0.rem_euclid(24) as u8;
        [of_day / 10, of_day % 10].into_iter().map(|digit| char::from(b'0' + digit)).collect()
    }

    /// The hour of a folder `date=…/hour=…`; `None` where the values are no date and hour.
    pub fn from_partition(date_text: &str, hour: &str) -> Option<Self> {
        let date: jiff::civil::Date = date_text.parse().ok()?;
        let start = date.at(hour.parse().ok().filter(|hour| (0..24).contains(hour))?, 0, 0, 0);
        let start = start.to_zoned_datetime(jiff::tz::TimeZone::UTC).ok()?;
        let parsed = Self::of_ms(start.timestamp().as_millisecond());
        // Only the exact spelling: `hour=4` and `date=20250927` would be other folders than ours.
        (parsed.hour() == hour && parsed.date() == date_text).then_some(parsed)
    }
}

/// No stream is reset as often; a larger number is no epoch.
const EPOCH_MAX: u32 = 999_999_999;

/// Who wrote a file: a collector's name, and the epoch of the stream it read.
///
/// Entry IDs rise only within one life of the stream, so each reset of it begins a new
/// epoch: `web1-3fa9`, then `web1-3fa9.e1`, `web1-3fa9.e2`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Writer {
    name: String,
    epoch: u32,
}

impl Writer {
    /// The writer of that name in its first epoch.
    ///
    /// # Errors
    /// [`StoreError::WriterName`] where the name cannot be part of a file name.
    pub fn new(name: &str) -> Result<Self, StoreError> {
        match name.parse() {
            Ok(Self { name, epoch: 0 }) => Ok(Self { name, epoch: 0 }),
            _ => Err(StoreError::WriterName(name.to_owned())),
        }
    }

    /// The name without the epoch: the consumer's name in the group.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often the stream has been reset under this writer.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// This writer in the given epoch.
    pub fn in_epoch(&self, epoch: u32) -> Self {
        Self { name: self.name.clone(), epoch }
    }

    /// This writer after one more reset of the stream.
    pub fn next_epoch(&self) -> Self {
        Self { name: self.name.clone(), epoch: EPOCH_MAX.min(self.epoch + 1) }
    }
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.epoch {
            0 => f.write_str(&self.name),
            epoch => write!(f, "{}.e{epoch}", self.name),
        }
    }
}

impl FromStr for Writer {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, epoch) = split_epoch(text).unwrap_or((text, 0));
        let writer = Self { name: name.to_owned(), epoch };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        let valid = name.bytes().all(plain) && name.starts_with(|c: char| c.is_ascii_alphanumeric());
        // Each writer has a first epoch, in which its name is just that.
        let valid = valid && epoch <= EPOCH_MAX && split_epoch(name).is_none();
        if valid && writer.to_string() == text { Ok(writer) } else { Err(StoreError::WriterName(text.to_owned())) }
    }
}

/// Parts a writer in a later epoch into its name and the epoch.
fn split_epoch(text: &str) -> Option<(&str, u32)> {
    let (name, epoch) = text.rsplit_once(".e")?;
    Some((name, epoch.parse().ok()?))
}

/// A range of entry IDs, both ends within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IdRange {
    /// The lowest ID.
    pub first: EntryId,
    /// The highest ID.
    pub last: EntryId,
}

impl IdRange {
    /// Does every ID of `other` lie within this range?
    pub fn contains(&self, other: &Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

/// What the name of a sealed file says: `<writer>_<first>_<last>.<extension>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SealedName {
    /// Who wrote it.
    pub writer: Writer,
    /// The lowest and the highest ID of its rows.
    pub ids: IdRange,
}

impl SealedName {
    /// Reads a file name with that extension; `None` where it is not one of ours.
    pub fn parse(file_name: &str, extension: &str) -> Option<Self> {
        let stem = file_name.strip_suffix(extension)?.strip_suffix('.')?;
        let (rest, last) = stem.rsplit_once('_')?;
        let (writer, first) = rest.rsplit_once('_')?;
        let ids = IdRange { first: first.parse().ok()?, last: last.parse().ok()? };
        let name = Self { writer: writer.parse().ok()?, ids };
        (ids.first <= ids.last && name.with_extension(extension) == file_name).then_some(name)
    }

    /// The file name with that extension.
    pub fn with_extension(&self, extension: &str) -> String {
        let mut name = String::new();
        push_name(&mut name, &self.writer, &self.ids, extension);
        name
    }

    /// Puts the file name of sealed events at the end of a path, which is not allocated anew.
    pub fn push_parquet(path: &mut String, writer: &Writer, ids: &IdRange) {
        push_name(path, writer, ids, super::sealed::PARQUET);
    }
}

/// `<writer>_<first>_<last>.<extension>`. A question makes thousands of these names, so numbers don't
/// go through the formatting machinery.
fn push_name(text: &mut String, writer: &Writer, ids: &IdRange, extension: &str) {
    let mut digits = itoa::Buffer::new();
    text.push_str(writer.name());
    if writer.epoch() > 0 {
        text.push_str(".e");
        text.push_str(digits.format(writer.epoch()));
    }
    for id in [ids.first, ids.last] {
        text.push('_');
        text.push_str(digits.format(id.ms));
        text.push('-');
        text.push_str(digits.format(id.seq));
    }
    text.push('.');
    text.push_str(extension);
}

/// What the name of a journal segment says: `<writer>_<after>.journal`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentName {
    /// Who writes it.
    pub writer: Writer,
    /// Every ID in the segment is above this one, and every ID at or below it was
    /// committed before the segment began.
    pub after: EntryId,
}

const SEGMENT_EXTENSION: &str = ".journal";

impl SegmentName {
    /// Reads a file name; `None` where it is not a segment's.
    pub fn parse(file_name: &str) -> Option<Self> {
        let (writer, after) = file_name.strip_suffix(SEGMENT_EXTENSION)?.rsplit_once('_')?;
        let name = Self { writer: writer.parse().ok()?, after: after.parse().ok()? };
        (name.to_string() == file_name).then_some(name)
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}{SEGMENT_EXTENSION}", self.writer, self.after)
    }
}

/// The folders of one store, and the disk that they are on.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
    backend: Arc<dyn Backend>,
    away: Option<Arc<dyn Away>>,
}

impl Layout {
    /// The store at this folder, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let disk = RealDisk::new(&root);
        Self::on(root, Arc::new(disk))
    }

    /// Like [`Self::new`], on another disk than the real one.
    pub fn on(root: PathBuf, backend: Arc<dyn Backend>) -> Self {
        Self { root, backend, away: None }
    }

    /// What carries out the store's changes.
    pub(super) fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// The store's own folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `date=…/hour=…`: sealed events.
    pub fn partition(&self, hour: Hour) -> PathBuf {
        self.root.join(format!("date={}", hour.date())).join(format!("hour={}", hour.hour()))
    }

    /// Durable but not yet sealed; files under construction, too.
    pub fn journal(&self) -> PathBuf {
        self.root.join("_journal")
    }

    /// One segment of the journal.
    pub fn segment(&self, name: &SegmentName) -> PathBuf {
        self.journal().join(name.to_string())
    }

    /// Entries that are no events.
    pub fn quarantine(&self) -> PathBuf {
        self.root.join("_quarantine")
    }

    /// What the stream trimmed before it was read.
    pub fn losses(&self) -> PathBuf {
        self.root.join("_losses")
    }

    /// Events that a receiver has refused for good.
    pub fn dead_letters(&self) -> PathBuf {
        self.root.join("_dead_letters")
    }

    /// What retention has taken out of the store.
    pub fn retired(&self) -> PathBuf {
        self.root.join("_retired")
    }

    /// What other rooms have to remember beside the events.
    pub fn notes(&self) -> PathBuf {
        self.root.join("_notes")
    }

    /// What is known about the sealed files: derived from them, and made anew where it is missing.
    pub fn index(&self) -> PathBuf {
        self.root.join("_index")
    }

    /// What has gone into an archive, and what is known about it.
    pub fn archive(&self) -> PathBuf {
        self.root.join("_archive")
    }

    /// Where those sealed files are that do not lie in the folder.
    pub fn away(&self) -> Option<&Arc<dyn Away>> {
        self.away.as_ref()
    }

    /// The same store with sealed files that lie elsewhere.
    #[must_use]
    pub fn with_away(self, away: Arc<dyn Away>) -> Self {
        Self { away: Some(away), ..self }
    }

    /// Asks the collector at work to seal what it has; it removes the file when it has done so.
    pub fn seal_request(&self) -> PathBuf {
        self.journal().join("seal.request")
    }

    /// Held by the one collector that works on the store.
    pub fn lock_file(&self) -> PathBuf {
        self.journal().join("lock")
    }

    /// Held by whoever writes under that name beside the collector.
    pub fn writer_lock(&self, writer: &Writer) -> PathBuf {
        self.journal().join(format!("{writer}.lock"))
    }
}
