//! Opening a store again: finding out what is durable, and mending what a crash left behind.
//!
//! What a file holds after a crash, or after a sync that failed, may be in the system's memory
//! only, and another sync would say nothing about it. So the last segment of each writer is never
//! taken as it is: what is whole of it is written anew. Closed segments were synced before their
//! successors began; those that are still there are sealed once more, which changes nothing where
//! it had been done.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{OpenSegment, StoreWriter};
use crate::journal::{Damage, SegmentReader, SegmentWriter};
use crate::layout::{Hour, IdRange, Layout, SealedName, SegmentName, Writer};
use crate::leftovers::remove_leftovers;
use crate::listing::list;
use crate::mend::{keep_damage, write_anew};
use crate::sealed::PARQUET;
use crate::sidecar::NDJSON;
use crate::{Released, StoreError, disk};
use emp_event::EntryId;

impl StoreWriter {
    /// Sets epoch, watermarks, position and segments to what the disk holds.
    pub(super) fn recover(&mut self) -> Result<(), StoreError> {
        // Whoever has the store's lock is the only one to begin files under its name.
        remove_leftovers(&self.layout, Some(self.writer.name()))?;
        let sealed = SealedUpTo::of(&self.layout)?;
        let segments = segments(&self.layout)?;
        let own = sealed.entries.keys().chain(sealed.losses.keys()).filter(|writer| self.is_ours(writer.name()));
        let writers = segments.iter().map(|name| &name.writer).chain(own);
        let epoch = writers.map(Writer::epoch).max().unwrap_or_default();
        self.writer = self.writer.in_epoch(epoch);
        self.watermark = sealed.entries_of(&self.writer);
        self.floor = sealed.entries_in(epoch, |name| self.is_ours(name)).max(self.watermark);
        let mut segments = self.scan(segments)?.into_iter().peekable();
        while let Some((name, scan)) = segments.next() {
            let is_newest = segments.peek().is_none_or(|(next, _)| next.writer != name.writer);
            let may_go_on = is_newest && !sealed.has_begun(&name, &scan);
            let sealed_at = sealed.since(&name, &scan).map(|since| (self.layout.segment(&name), since));
            self.sealed_before.extend(sealed_at);
            self.recover_segment(&name, &scan, is_newest, may_go_on)?;
        }
        if self.segment.is_none() { self.rotate() } else { Ok(()) }
    }

    /// Is this the store's own name, or that of one of its consumers of before? Files of other names that have no
    /// segment here may come from anywhere: a copy of another store's, a simulation. They say nothing about what this
    /// store has read.
    fn is_ours(&self, name: &str) -> bool {
        name == self.own || self.lock.identity().is_own_or_moved(name)
    }

    /// Reads every segment. One that was cut short at its creation has no commits, and goes; its
    /// bytes are kept.
    fn scan(&mut self, segments: Vec<SegmentName>) -> Result<Vec<(SegmentName, Scan)>, StoreError> {
        let mut scanned = Vec::with_capacity(segments.len());
        for name in segments {
            let path = self.layout.segment(&name);
            let scan = Scan::of(&path)?;
            if scan.is_void() {
                self.keep_damage(&path, &scan.damage)?;
                disk::remove(&self.layout, &path)?;
            } else {
                scanned.push((name, scan));
            }
        }
        Ok(scanned)
    }

    fn recover_segment(
        &mut self,
        name: &SegmentName,
        scan: &Scan,
        is_newest: bool,
        may_go_on: bool,
    ) -> Result<(), StoreError> {
        let mut bytes = scan.bytes;
        if is_newest {
            self.keep_damage(&self.layout.segment(name), &scan.damage)?;
            bytes = write_anew(&self.layout, name, &scan.damage)?;
        }
        let last = scan.last.unwrap_or(name.after);
        if name.writer.epoch() == self.writer.epoch() {
            self.floor = self.floor.max(last);
            self.position = self.position.max(scan.position);
        }
        if name.writer == self.writer {
            self.watermark = self.watermark.max(last);
        }
        if may_go_on && name.writer == self.writer {
            self.segment = Some(scan.resume(&self.layout, name, bytes)?);
        } else if scan.last.is_some() || !may_go_on || name.writer.epoch() != self.writer.epoch() {
            // The newest of another writer, while it is empty, tells that its writer was here.
            self.unsealed.push(name.clone());
        }
        Ok(())
    }

    /// Keeps what is no whole commit aside, and remembers to say so.
    fn keep_damage(&mut self, path: &Path, damage: &Damage) -> Result<(), StoreError> {
        let kept = keep_damage(&self.layout, path, damage)?;
        self.kept_aside.extend(kept);
        Ok(())
    }

    /// Opens the newest segment of the present writer, which is not the store's own, where it
    /// has no entries yet; else begins one. Entries are never added to one that may be sealed.
    pub(super) fn open_newest(&mut self, known: EntryId) -> Result<(), StoreError> {
        let sealed = SealedUpTo::of(&self.layout)?;
        self.watermark = sealed.entries_of(&self.writer).max(known);
        let newest = segments(&self.layout)?.into_iter().rfind(|name| name.writer == self.writer);
        if let Some(name) = newest {
            let path = self.layout.segment(&name);
            let scan = Scan::of(&path)?;
            self.watermark = scan.last.unwrap_or(name.after).max(self.watermark);
            let is_whole = scan.damage.ranges.is_empty();
            if scan.last.is_none() && is_whole && !sealed.has_begun(&name, &scan) {
                self.segment = Some(scan.resume(&self.layout, &name, scan.bytes)?);
                return Ok(());
            }
        }
        self.rotate()
    }
}

/// The highest ID that a writer has stored in an earlier epoch.
pub(super) fn stored_before(layout: &Layout, writer: &Writer) -> Result<EntryId, StoreError> {
    let is_earlier = |other: &Writer| other.name() == writer.name() && other.epoch() < writer.epoch();
    let sealed = SealedUpTo::of(layout)?;
    let mut highest = sealed.entries.iter().filter(|(writer, _)| is_earlier(writer)).map(|(_, last)| *last).max();
    for name in segments(layout)?.into_iter().filter(|name| is_earlier(&name.writer)) {
        let last = Scan::of(&layout.segment(&name))?.last.unwrap_or(name.after);
        highest = highest.max(Some(last));
    }
    Ok(highest.unwrap_or(EntryId::ZERO))
}

/// Every segment of the journal, by writer, oldest first.
pub(super) fn segments(layout: &Layout) -> Result<Vec<SegmentName>, StoreError> {
    let files = list(&layout.journal())?;
    let mut segments: Vec<_> = files.iter().filter_map(|(_, file_name)| SegmentName::parse(file_name)).collect();
    segments.sort_by(|a, b| (&a.writer, a.after).cmp(&(&b.writer, b.after)));
    Ok(segments)
}

/// The highest ID in the names of each writer's sealed files.
#[derive(Default)]
struct SealedUpTo {
    /// Of events and other entries: all at or below it are stored.
    entries: BTreeMap<Writer, EntryId>,
    /// Of losses.
    losses: BTreeMap<Writer, EntryId>,
    /// The files of events.
    files: Vec<(SealedName, PathBuf)>,
}

impl SealedUpTo {
    fn of(layout: &Layout) -> Result<Self, StoreError> {
        let mut sealed = Self::default();
        for folder in [layout.quarantine(), layout.retired()] {
            sealed.take(&folder, NDJSON)?;
        }
        for (date, _) in list(layout.root())?.iter().filter(|(_, name)| name.starts_with("date=")) {
            for (hour, _) in list(date)? {
                sealed.take(&hour, PARQUET)?;
                let files = list(&hour)?.into_iter();
                sealed.files.extend(files.filter_map(|(path, name)| Some((SealedName::parse(&name, PARQUET)?, path))));
            }
        }
        for SealedName { writer, ids } in Released::read(layout)?.names() {
            let known = sealed.entries.entry(writer).or_insert(ids.last);
            *known = ids.last.max(*known);
        }
        raise(&mut sealed.losses, &layout.losses(), NDJSON)?;
        Ok(sealed)
    }

    fn take(&mut self, folder: &Path, extension: &str) -> Result<(), StoreError> {
        raise(&mut self.entries, folder, extension)
    }

    /// When all events of a segment were sealed; `None` where they have not been, or it has none.
    fn since(&self, segment: &SegmentName, scan: &Scan) -> Option<Instant> {
        let rows = scan.rows?;
        let holds = |name: &SealedName| name.writer == segment.writer && name.ids.contains(&rows);
        let (_, path) = self.files.iter().find(|(name, _)| holds(name))?;
        let age = fs::metadata(path).ok()?.modified().ok()?.elapsed().unwrap_or_default();
        Some(Instant::now().checked_sub(age).unwrap_or_else(Instant::now))
    }

    fn entries_of(&self, writer: &Writer) -> EntryId {
        self.entries.get(writer).copied().unwrap_or(EntryId::ZERO)
    }

    /// The highest ID that writers of these names have stored in that epoch.
    fn entries_in(&self, epoch: u32, is_asked_about: impl Fn(&str) -> bool) -> EntryId {
        let of_epoch =
            self.entries.iter().filter(|(writer, _)| writer.epoch() == epoch && is_asked_about(writer.name()));
        of_epoch.map(|(_, last)| *last).max().unwrap_or(EntryId::ZERO)
    }

    /// Has something of a segment been sealed? Then nothing may be added to it any more: a file
    /// would hold a part of it, and the next one that part again.
    fn has_begun(&self, segment: &SegmentName, scan: &Scan) -> bool {
        let losses = self.losses.get(&segment.writer);
        let first_loss = scan.first_loss.as_ref();
        self.entries_of(&segment.writer) > segment.after || first_loss.is_some_and(|first| losses >= Some(first))
    }
}

fn raise(highest: &mut BTreeMap<Writer, EntryId>, folder: &Path, extension: &str) -> Result<(), StoreError> {
    for (_, file_name) in list(folder)? {
        let Some(name) = SealedName::parse(&file_name, extension) else { continue };
        let last = highest.entry(name.writer).or_insert(EntryId::ZERO);
        *last = name.ids.last.max(*last);
    }
    Ok(())
}

/// What a segment holds, as far as recovery needs to know.
struct Scan {
    hour: Option<Hour>,
    /// From the first event to the last.
    rows: Option<IdRange>,
    last: Option<EntryId>,
    position: Option<u64>,
    /// The entry behind the first loss.
    first_loss: Option<EntryId>,
    commits: u64,
    bytes: u64,
    damage: Damage,
}

impl Scan {
    fn of(path: &Path) -> Result<Self, StoreError> {
        let mut reader = SegmentReader::open(path)?;
        let position = reader.header()?.and_then(|header| header.position);
        let (bytes, damage) = (reader.length(), Damage::default());
        let mut scan =
            Self { hour: None, rows: None, last: None, position, first_loss: None, commits: 0, bytes, damage };
        while let Some(commit) = reader.next_commit()? {
            scan.commits += 1;
            scan.position = Some(commit.position).max(scan.position);
            scan.last = commit.last().or(scan.last);
            scan.first_loss = scan.first_loss.or(commit.losses.first().map(|loss| loss.to));
            if let (Some(first), Some(last)) = (commit.rows.first(), commit.rows.last()) {
                let first = scan.rows.map_or(first.id, |rows| rows.first);
                scan.rows = Some(IdRange { first, last: last.id });
            }
            scan.hour = scan.hour.or(commit.rows.first().map(|row| Hour::of_ms(row.ingested_at())));
        }
        scan.damage.clone_from(reader.damage());
        Ok(scan)
    }

    /// Is there neither a header nor a commit?
    fn is_void(&self) -> bool {
        self.damage.has_header && self.commits == 0
    }

    /// `bytes` is how long the segment is now.
    fn resume(&self, layout: &Layout, name: &SegmentName, bytes: u64) -> Result<OpenSegment, StoreError> {
        let file = SegmentWriter::resume(layout, &layout.segment(name), bytes)?;
        let is_empty = self.last.is_none();
        Ok(OpenSegment { name: name.clone(), file, hour: self.hour, is_empty, has_losses: self.first_loss.is_some() })
    }
}
