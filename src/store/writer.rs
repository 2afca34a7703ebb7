//! The writing side: one collector, its journal, and what has to be sealed.

use std::fs::{self, File, TryLockError};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::error::IoContext as _;
use super::journal::{Commit, Header, Loss, Quarantined, Row, SegmentReader, SegmentWriter};
use super::layout::{Hour, IdRange, Layout, SealedName, SegmentName, Writer};
use super::seal::{SealTask, Sealed};
use super::sidecar::NDJSON;
use super::snapshot::{list, list_partitions};
use super::{StoreError, disk};
use crate::event::{EntryId, Event};

/// What the names of files under construction end in.
const TEMPORARY: &str = ".tmp";
/// A journal segment of this size makes a good Parquet file, and is sealed before its hour ends.
const SEGMENT_BYTES_MAX: u64 = 128 << 20;
/// How long a superseded segment stays for readers, and for copies under way, that listed it.
const SUPERSEDED_GRACE: Duration = Duration::from_secs(15 * 60);

/// One entry of the stream, understood or not.
#[derive(Debug)]
pub enum Item<'a> {
    /// It is an event.
    Event(Event<'a>),
    /// It is none, and is kept whole.
    Quarantined(Quarantined),
}

impl Item<'_> {
    /// The entry ID.
    pub fn id(&self) -> EntryId {
        match self {
            Self::Event(event) => event.id,
            Self::Quarantined(entry) => entry.id,
        }
    }

    /// The partition; an entry that is no event goes with its neighbours.
    fn hour(&self) -> Option<Hour> {
        match self {
            Self::Event(event) => event.id.ingested_at().map(Hour::of_ms),
            Self::Quarantined(_) => None,
        }
    }
}

/// What was read from the stream in one step.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The entries, each above the last and above the watermark.
    pub items: &'a [Item<'a>],
    /// How many entries ever added to the stream are accounted for without these.
    pub position: u64,
    /// What was found to be missing before the first of them.
    pub loss: Option<Loss>,
}

/// What opening a store found and mended.
#[derive(Debug, PartialEq, Eq)]
pub enum Recovered {
    /// The end of a segment was cut short: the bytes were moved to the quarantine folder.
    /// They were never acknowledged.
    TornTail {
        /// Where the bytes are now.
        kept_as: PathBuf,
        /// How many.
        bytes: u64,
    },
}

/// Appends to a store. Holds its lock: one at a time.
pub struct StoreWriter {
    layout: Layout,
    writer: Writer,
    segment: Option<OpenSegment>,
    watermark: EntryId,
    position: Option<u64>,
    unsealed: Vec<SegmentName>,
    superseded: Vec<(PathBuf, Instant)>,
    recovered: Vec<Recovered>,
    _lock: File,
}

struct OpenSegment {
    name: SegmentName,
    file: SegmentWriter,
    hour: Option<Hour>,
    is_empty: bool,
}

impl StoreWriter {
    /// Takes the store's lock, and finds where this collector had got to.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where another collector works on the store; else what the
    /// disk refused.
    pub fn open(layout: &Layout, name: &str) -> Result<Self, StoreError> {
        let writer = Writer::new(name)?;
        disk::create_dir(&layout.journal())?;
        let lock = lock(layout)?;
        let mut store = Self {
            layout: layout.clone(),
            writer,
            segment: None,
            watermark: EntryId::ZERO,
            position: None,
            unsealed: Vec::new(),
            superseded: Vec::new(),
            recovered: Vec::new(),
            _lock: lock,
        };
        store.recover()?;
        Ok(store)
    }

    /// Is a collector at work on the store?
    ///
    /// # Errors
    /// What the disk refused.
    pub fn is_locked(layout: &Layout) -> Result<bool, StoreError> {
        if !layout.lock_file().exists() {
            return Ok(false);
        }
        match lock(layout) {
            Ok(_) => Ok(false),
            Err(StoreError::Locked { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The highest ID that is durable: an entry at or below it is stored already.
    pub fn watermark(&self) -> EntryId {
        self.watermark
    }

    /// How many of the entries ever added to the stream are accounted for as of the
    /// watermark; `None` for a store that has no journal of this writer.
    pub fn position(&self) -> Option<u64> {
        self.position
    }

    /// The writer, with its epoch.
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// What opening the store found; empty at the second call.
    pub fn take_recovered(&mut self) -> Vec<Recovered> {
        std::mem::take(&mut self.recovered)
    }

    /// Makes a batch durable: on return it survives a power cut, and its entries may be
    /// acknowledged.
    ///
    /// # Errors
    /// What the disk refused. How much of the batch is durable is unknown then: drop the
    /// writer, and open the store again to find out.
    pub fn commit(&mut self, batch: &Batch<'_>) -> Result<(), StoreError> {
        let mut rest = batch.items;
        let mut position = batch.position;
        let mut loss = batch.loss;
        while !rest.is_empty() {
            let hour = rest.iter().find_map(Item::hour);
            let length = rest.iter().position(|item| item.hour().is_some_and(|other| Some(other) != hour));
            let (run, later) = rest.split_at(length.unwrap_or(rest.len()));
            position += run.len() as u64;
            self.commit_run(hour, run, position, loss.take())?;
            rest = later;
        }
        Ok(())
    }

    /// Commits entries of one hour as one frame.
    fn commit_run(
        &mut self,
        hour: Option<Hour>,
        run: &[Item<'_>],
        position: u64,
        loss: Option<Loss>,
    ) -> Result<(), StoreError> {
        let rows = run.iter().filter_map(|item| match item {
            Item::Event(event) => Some(Row::from(event)),
            Item::Quarantined(_) => None,
        });
        let quarantined = run.iter().filter_map(|item| match item {
            Item::Event(_) => None,
            Item::Quarantined(entry) => Some(entry.clone()),
        });
        let commit = Commit {
            position,
            rows: rows.collect(),
            quarantined: quarantined.collect(),
            losses: loss.into_iter().collect(),
        };
        let segment = self.segment_for(hour)?;
        segment.file.append(&commit)?;
        segment.hour = segment.hour.or(hour);
        segment.is_empty = false;
        self.watermark = commit.last().unwrap_or(self.watermark);
        self.position = Some(position);
        Ok(())
    }

    /// The open segment, where it takes events of that hour; else a new one.
    fn segment_for(&mut self, hour: Option<Hour>) -> Result<&mut OpenSegment, StoreError> {
        let fits = self.segment.as_ref().is_some_and(|segment| {
            let same_hour = segment.hour.is_none() || hour.is_none() || segment.hour == hour;
            same_hour && segment.file.bytes() < SEGMENT_BYTES_MAX
        });
        if !fits {
            self.rotate()?;
        }
        // `rotate` has just put one there.
        Ok(self.segment.as_mut().expect("an open segment"))
    }

    /// Begins a new segment; the old one waits to be sealed.
    fn rotate(&mut self) -> Result<(), StoreError> {
        let name = SegmentName { writer: self.writer.clone(), after: self.watermark };
        let header = Header { writer: &self.writer.to_string(), after: self.watermark, position: self.position };
        let file = SegmentWriter::create(&self.layout.journal().join(name.to_string()), &header)?;
        let old = self.segment.replace(OpenSegment { name, file, hour: None, is_empty: true });
        self.unsealed.extend(old.map(|segment| segment.name));
        Ok(())
    }

    /// Closes the open segment where its hour is over at `now_ms`, so that it can be sealed.
    ///
    /// # Errors
    /// What the disk refused.
    pub fn close_ended_hour(&mut self, now_ms: i64) -> Result<(), StoreError> {
        let hour = self.segment.as_ref().and_then(|segment| segment.hour);
        if hour.is_some_and(|hour| hour.end_ms() <= now_ms) { self.close_segment() } else { Ok(()) }
    }

    /// Closes the open segment whatever its hour, so that all that is stored can be sealed.
    ///
    /// # Errors
    /// What the disk refused.
    pub fn close_segment(&mut self) -> Result<(), StoreError> {
        if self.segment.as_ref().is_some_and(|segment| !segment.is_empty) { self.rotate() } else { Ok(()) }
    }

    /// The next closed segment to seal. Seal one at a time, oldest first, and hand the
    /// outcome to [`Self::sealed`].
    pub fn next_to_seal(&self) -> Option<SealTask> {
        self.unsealed.first().map(|name| SealTask::new(&self.layout, name.clone()))
    }

    /// Takes note that the task given out last is done.
    pub fn sealed(&mut self, sealed: &Sealed) {
        self.unsealed.retain(|name| self.layout.journal().join(name.to_string()) != sealed.segment);
        self.superseded.push((sealed.segment.clone(), Instant::now()));
    }

    /// Removes segments that were superseded long enough ago.
    ///
    /// # Errors
    /// What the disk refused.
    pub fn remove_superseded(&mut self) -> Result<(), StoreError> {
        let (old, young): (Vec<_>, Vec<_>) =
            self.superseded.drain(..).partition(|(_, sealed_at)| sealed_at.elapsed() >= SUPERSEDED_GRACE);
        self.superseded = young;
        old.iter().try_for_each(|(path, _)| disk::remove(path))
    }

    /// Begins a new epoch: the stream was reset, so its IDs may repeat.
    ///
    /// # Errors
    /// What the disk refused.
    pub fn begin_epoch(&mut self) -> Result<(), StoreError> {
        self.close_segment()?;
        // An empty segment of the old epoch says nothing that the new one needs.
        if let Some(empty) = self.segment.take() {
            disk::remove(&self.layout.journal().join(empty.name.to_string()))?;
        }
        self.writer = self.writer.next_epoch();
        self.watermark = EntryId::ZERO;
        self.position = None;
        self.rotate()
    }

    fn recover(&mut self) -> Result<(), StoreError> {
        let files = list(&self.layout.journal())?;
        let is_left_over = |name: &str| name.starts_with(self.writer.name()) && name.ends_with(TEMPORARY);
        for (path, _) in files.iter().filter(|(_, name)| is_left_over(name)) {
            // Begun by this writer before a crash, and never published.
            disk::remove(path)?;
        }
        let mut segments: Vec<SegmentName> = files
            .iter()
            .filter_map(|(_, file_name)| SegmentName::parse(file_name))
            .filter(|name| name.writer.name() == self.writer.name())
            .collect();
        segments.sort_by_key(|name| (name.writer.epoch(), name.after));
        while let Some(newest) = segments.pop() {
            let scan = Scan::of(&self.layout, &newest)?;
            if !scan.has_header {
                // Cut short at its creation, so nothing was committed to it, and the segment
                // before it was not yet sealed.
                disk::remove(&self.layout.journal().join(newest.to_string()))?;
                continue;
            }
            segments.into_iter().try_for_each(|name| self.recover_closed(name))?;
            return self.recover_newest(newest, &scan);
        }
        self.recover_without_journal()
    }

    /// A segment that is not the newest: sealed already, or to be sealed now.
    fn recover_closed(&mut self, name: SegmentName) -> Result<(), StoreError> {
        let scan = Scan::of(&self.layout, &name)?;
        let path = self.layout.journal().join(name.to_string());
        let task = SealTask::new(&self.layout, name.clone());
        match scan.hour_and_ids.map(|(hour, ids)| task.is_done(hour, ids)).transpose()? {
            Some(true) => self.superseded.push((path, Instant::now())),
            _ => self.unsealed.push(name),
        }
        Ok(())
    }

    /// The segment that commits went to last: go on with it, unless its end is torn.
    fn recover_newest(&mut self, name: SegmentName, scan: &Scan) -> Result<(), StoreError> {
        let path = self.layout.journal().join(name.to_string());
        self.writer = name.writer.clone();
        self.watermark = scan.last.unwrap_or(name.after);
        self.position = scan.position;
        if scan.torn_bytes == 0 {
            let file = SegmentWriter::resume(&path, scan.valid_bytes)?;
            let hour = scan.hour_and_ids.map(|(hour, _)| hour);
            self.segment = Some(OpenSegment { name, file, hour, is_empty: scan.is_empty });
            return Ok(());
        }
        let kept_as = keep_torn_tail(&self.layout, &path, scan.valid_bytes)?;
        self.recovered.push(Recovered::TornTail { kept_as, bytes: scan.torn_bytes });
        if scan.is_empty {
            // Its successor has the same name.
            disk::remove(&path)?;
        } else {
            self.unsealed.push(name);
        }
        self.rotate()
    }

    /// No journal: a new store, or partitions that were copied without one. The names of
    /// the sealed files still tell what is stored.
    fn recover_without_journal(&mut self) -> Result<(), StoreError> {
        let partitions = list_partitions(&self.layout, &mut Vec::new())?;
        let sealed = partitions.into_iter().map(|partition| partition.name);
        let quarantine = list(&self.layout.quarantine())?;
        let quarantined = quarantine.iter().filter_map(|(_, file_name)| SealedName::parse(file_name, NDJSON));
        for SealedName { writer, ids } in sealed.chain(quarantined) {
            if writer.name() != self.writer.name() {
                continue;
            }
            if writer.epoch() > self.writer.epoch() {
                self.writer = writer;
                self.watermark = ids.last;
            } else if writer.epoch() == self.writer.epoch() {
                self.watermark = self.watermark.max(ids.last);
            }
        }
        self.rotate()
    }
}

fn lock(layout: &Layout) -> Result<File, StoreError> {
    let path = layout.lock_file();
    let file = File::options().create(true).append(true).open(&path).doing("open", &path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { root: layout.root().to_owned() }),
        Err(TryLockError::Error(error)) => Err(error).doing("lock", &path),
    }
}

/// What a segment holds, as far as recovery needs to know.
struct Scan {
    hour_and_ids: Option<(Hour, IdRange)>,
    last: Option<EntryId>,
    position: Option<u64>,
    has_header: bool,
    is_empty: bool,
    valid_bytes: u64,
    torn_bytes: u64,
}

impl Scan {
    fn of(layout: &Layout, name: &SegmentName) -> Result<Self, StoreError> {
        let mut reader = SegmentReader::open(&layout.journal().join(name.to_string()))?;
        let header = reader.header()?.map(|header| header.position);
        let mut scan = Self {
            hour_and_ids: None,
            last: None,
            position: header.flatten(),
            has_header: header.is_some(),
            is_empty: true,
            valid_bytes: 0,
            torn_bytes: 0,
        };
        while let Some(commit) = reader.next_commit()? {
            scan.is_empty = false;
            scan.position = Some(commit.position);
            scan.last = commit.last().or(scan.last);
            if let (Some(first), Some(last)) = (commit.rows.first(), commit.rows.last()) {
                let hour = Hour::of_ms(first.ingested_at());
                let (_, ids) = scan.hour_and_ids.get_or_insert((hour, IdRange { first: first.id, last: last.id }));
                ids.last = last.id;
            }
        }
        scan.valid_bytes = reader.valid_bytes();
        scan.torn_bytes = reader.torn_bytes();
        Ok(scan)
    }
}

/// Copies what follows the last whole commit into the quarantine folder.
fn keep_torn_tail(layout: &Layout, segment: &std::path::Path, valid_bytes: u64) -> Result<PathBuf, StoreError> {
    let bytes = fs::read(segment).doing("read", segment)?;
    let tail = &bytes[usize::try_from(valid_bytes).unwrap_or(usize::MAX).min(bytes.len())..];
    let folder = layout.quarantine();
    disk::create_dir(&folder)?;
    // A segment's name always ends in its extension, so `.torn` makes it a name of its own.
    let name = segment.file_name().unwrap_or_default().to_string_lossy();
    let kept_as = folder.join(format!("{name}.{valid_bytes}.torn"));
    let temporary = layout.journal().join(format!("{name}.tmp"));
    let mut file = disk::create_temporary(&temporary)?;
    disk::append(&mut file, &temporary, tail)?;
    disk::publish(&file, &temporary, &kept_as)?;
    Ok(kept_as)
}
