//! The writing side: one collector, its journal, and what has to be sealed.

mod batch;
mod recovery;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use batch::{Batch, Item};

use super::disk::Temporary;
use super::identity::Identity;
use super::journal::{Commit, Header, Loss, Row, SegmentWriter};
use super::layout::{Hour, Layout, SegmentName, Writer};
use super::lock::Lock;
use super::mend::KeptAside;
use super::seal::{SealTask, Sealed, answer_seal_request};
use super::{StoreError, disk};
use emp_event::EntryId;

/// A segment of this size is sealed before its hour ends: a query decodes all that is not sealed
/// yet, which takes it some 20 ms then. Compaction makes large files of the small ones when the
/// hour is over.
const SEGMENT_BYTES_MAX: u64 = 16 << 20;
/// How long a superseded file stays for readers, and for copies under way, that listed it.
pub const SUPERSEDED_GRACE: Duration = Duration::from_secs(15 * 60);

/// Appends to a store. Holds its lock: one at a time.
pub struct StoreWriter {
    layout: Layout,
    /// The name under which the store was opened.
    own: String,
    writer: Writer,
    segment: Option<OpenSegment>,
    watermark: EntryId,
    floor: EntryId,
    position: Option<u64>,
    unsealed: Vec<SegmentName>,
    superseded: Vec<(PathBuf, Instant)>,
    /// Segments that were sealed before this process began, and when.
    sealed_before: BTreeMap<PathBuf, Instant>,
    kept_aside: Vec<KeptAside>,
    lock: Lock,
}

struct OpenSegment {
    name: SegmentName,
    file: SegmentWriter,
    hour: Option<Hour>,
    /// Has it no entries yet?
    is_empty: bool,
    has_losses: bool,
}

impl StoreWriter {
    /// Takes the store's lock, and finds where this collector had got to.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where another collector works on the store; else what the
    /// disk refused.
    pub fn open(layout: &Layout, name: &str) -> Result<Self, StoreError> {
        Writer::new(name)?;
        Self::open_locked(layout, name, Self::lock(layout)?)
    }

    /// Takes the store's lock, and opens it for its collector, whose name is made of the one that
    /// a person gave and of the store's id.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_for_collector(layout: &Layout, name: &str) -> Result<Self, StoreError> {
        Writer::new(name)?;
        let mut lock = Self::lock(layout)?;
        let consumer = lock.identity().consumer(name);
        lock.note_collector(&consumer)?;
        Self::open_locked(layout, &consumer, lock)
    }

    fn open_locked(layout: &Layout, name: &str, lock: Lock) -> Result<Self, StoreError> {
        let mut store = Self {
            layout: layout.clone(),
            own: name.to_owned(),
            writer: Writer::new(name)?,
            segment: None,
            watermark: EntryId::ZERO,
            floor: EntryId::ZERO,
            position: None,
            unsealed: Vec::new(),
            superseded: Vec::new(),
            sealed_before: BTreeMap::new(),
            kept_aside: Vec::new(),
            lock,
        };
        store.recover()?;
        Ok(store)
    }

    /// Writes a few bytes and removes them: rights, quotas and a full disk show only then.
    /// Needs no lock.
    ///
    /// # Errors
    /// What the disk refused.
    pub fn probe(layout: &Layout) -> Result<(), StoreError> {
        disk::create_dir(layout, &layout.journal())?;
        let mut probe = Temporary::create(layout, "probe")?;
        let written = probe.append(b"probe");
        let removed = disk::remove(layout, probe.path());
        written.and(removed)
    }

    /// Takes a store's lock without opening its journal: for work on what is sealed.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where a collector works on the store; else what the disk refused.
    pub fn lock(layout: &Layout) -> Result<Lock, StoreError> {
        disk::create_dir(layout, &layout.journal())?;
        Lock::take(layout)
    }

    /// Is a collector at work on the store? For readers: it writes nothing, and disturbs no writer.
    ///
    /// # Errors
    /// What the disk refused.
    pub fn is_locked(layout: &Layout) -> Result<bool, StoreError> {
        Lock::is_taken(layout)
    }

    /// Which store it is.
    pub fn identity(&self) -> &Identity {
        self.lock.identity()
    }

    /// Makes it durable that another start works on the store; its number. `before` is the one that it follows.
    ///
    /// # Errors
    /// What the disk refused.
    pub fn begin_session(&mut self, before: Option<u64>) -> Result<u64, StoreError> {
        self.lock.begin_session(before)
    }

    /// The name under which the store was opened.
    pub fn own_name(&self) -> &str {
        &self.own
    }

    /// The highest ID that is durable: an entry at or below it is stored already.
    pub fn watermark(&self) -> EntryId {
        self.watermark
    }

    /// The highest ID that any writer has stored here since the stream began anew: what is
    /// read for the first time lies above it.
    pub fn floor(&self) -> EntryId {
        self.floor
    }

    /// Every writer that has a segment here, but for the one at work.
    ///
    /// # Errors
    /// What the disk refused.
    pub fn others(&self) -> Result<Vec<String>, StoreError> {
        let names = recovery::segments(&self.layout)?.into_iter().map(|segment| segment.writer.name().to_owned());
        let others: BTreeSet<String> = names.filter(|name| name != self.writer.name()).collect();
        Ok(others.into_iter().collect())
    }

    /// Those of the others that worked on this very folder: under its id, under one that it had before it was
    /// moved or copied, or before stores had ids. The rest were adopted from other stores.
    ///
    /// # Errors
    /// What the disk refused.
    pub fn predecessors(&self) -> Result<Vec<String>, StoreError> {
        let identity = self.identity();
        let is_ours = |name: &String| identity.is_own(name) || identity.is_former(name);
        Ok(self.others()?.into_iter().filter(is_ours).collect())
    }

    /// Goes on as another writer of the same store, or as the first one again: what a consumer
    /// was given is stored under its own name, where its watermark tells what it has. Up to `known` it has stored the
    /// stream's entries in an earlier epoch.
    ///
    /// # Errors
    /// What the disk refused; [`StoreError::WriterName`].
    pub fn become_writer(&mut self, name: &str, known: Option<EntryId>) -> Result<(), StoreError> {
        let next = Writer::new(name)?.in_epoch(self.writer.epoch());
        if next == self.writer {
            return Ok(());
        }
        match self.segment.take() {
            Some(old) if !old.is_empty => self.unsealed.push(old.name),
            // Nothing is left of a predecessor that has no segment any more. Our own has to stay.
            Some(old) if !old.has_losses && self.writer.name() != self.own => {
                disk::remove(&self.layout, &self.layout.segment(&old.name))?;
            }
            _ => {}
        }
        self.writer = next;
        self.open_newest(known.unwrap_or(EntryId::ZERO))
    }

    /// The highest ID that a writer has stored in an epoch before the present one.
    ///
    /// # Errors
    /// What the disk refused.
    pub fn stored_before(&self, name: &str) -> Result<EntryId, StoreError> {
        recovery::stored_before(&self.layout, &Writer::new(name)?.in_epoch(self.writer.epoch()))
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

    /// Bytes of the journal that were no whole commit when the store was opened, and are in the
    /// quarantine folder now: all before and behind them that is whole stays. Empty at the second call.
    pub fn take_kept_aside(&mut self) -> Vec<KeptAside> {
        std::mem::take(&mut self.kept_aside)
    }

    /// Makes it durable that reading begins at that position, before anything was read: what
    /// is trimmed from then on is a loss, even if the process ends before its first commit.
    ///
    /// # Errors
    /// What the disk refused.
    pub fn begin_at(&mut self, position: u64) -> Result<(), StoreError> {
        let nothing = Commit { position, rows: Vec::new(), quarantined: Vec::new(), losses: Vec::new() };
        self.segment_for(None)?.file.append(&nothing)?;
        self.position = Some(position);
        Ok(())
    }

    /// Makes a loss durable that no entry of ours follows: another store has those.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn record_loss(&mut self, loss: Loss, position: u64) -> Result<(), StoreError> {
        let commit = Commit { position, rows: Vec::new(), quarantined: Vec::new(), losses: vec![loss] };
        // The segment stays empty of entries: one that followed it now would have its name.
        let segment = self.segment_for(None)?;
        segment.file.append(&commit)?;
        segment.has_losses = true;
        self.position = Some(position);
        Ok(())
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
        segment.has_losses |= !commit.losses.is_empty();
        self.watermark = commit.last().unwrap_or(self.watermark);
        self.floor = self.floor.max(self.watermark);
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
        let file = SegmentWriter::create(&self.layout, &self.layout.segment(&name), &header)?;
        let old = self.segment.replace(OpenSegment { name, file, hour: None, is_empty: true, has_losses: false });
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

    /// Has somebody asked for all to be sealed?
    pub fn seal_is_requested(&self) -> bool {
        self.layout.seal_request().exists()
    }

    /// Tells whoever asked for it that all is sealed.
    ///
    /// # Errors
    /// What the disk refused.
    pub fn answer_seal_request(&self) -> Result<(), StoreError> {
        answer_seal_request(&self.layout)
    }

    /// The next closed segment to seal. Seal one at a time, oldest first, and hand the
    /// outcome to [`Self::sealed`].
    pub fn next_to_seal(&self) -> Option<SealTask> {
        self.unsealed.first().map(|name| SealTask::new(&self.layout, name.clone()))
    }

    /// Takes note that the task given out last is done. Says whether its events had not been sealed before.
    pub fn sealed(&mut self, sealed: &Sealed) -> bool {
        self.unsealed.retain(|name| self.layout.segment(name) != sealed.segment);
        let before = self.sealed_before.remove(&sealed.segment);
        self.superseded.push((sealed.segment.clone(), before.unwrap_or_else(Instant::now)));
        before.is_none()
    }

    /// Removes segments that were superseded that long ago.
    ///
    /// # Errors
    /// What the disk refused.
    pub fn remove_superseded(&mut self, grace: Duration) -> Result<(), StoreError> {
        let (old, young): (Vec<_>, Vec<_>) =
            self.superseded.drain(..).partition(|(_, sealed_at)| sealed_at.elapsed() >= grace);
        self.superseded = young;
        old.iter().try_for_each(|(path, _)| disk::remove(&self.layout, path))
    }

    /// Begins a new epoch: the stream was reset, so its IDs may repeat, but for those at or
    /// below `after`. `position` is how many entries of its new life are accounted for.
    ///
    /// # Errors
    /// What the disk refused.
    pub fn begin_epoch(&mut self, after: EntryId, position: u64) -> Result<(), StoreError> {
        let old = self.segment.take();
        self.unsealed.extend(old.map(|segment| segment.name));
        self.writer = self.writer.next_epoch();
        self.watermark = after;
        self.floor = after;
        self.position = Some(position);
        self.rotate()
    }
}
