//! Writing beside a collector at work: straight into sealed files, without the journal.
//!
//! Such a writer has a name of its own, and so a watermark and a lock of its own: the store's lock
//! is about the journal, which it does not touch. Events and entries that are no events go into
//! files of two kinds, and no rename publishes two files at once. So there is a watermark for each
//! kind: whatever a crash leaves behind, all of a kind at or below its watermark is stored.

use std::path::{Path, PathBuf};

use super::journal::{Quarantined, Row};
use super::layout::{Hour, Layout, SealedName, Writer};
use super::leftovers::remove_leftovers;
use super::listing::{list, list_partitions};
use super::sealed::PartitionWriter;
use super::sidecar::{self, NDJSON};
use super::writer_lock::WriterLock;
use super::{Released, StoreError, disk};
use emp_event::EntryId;

/// Events of a file: then it is published, so that a crash does not cost an import all its work.
const FILE_ROWS_MAX: usize = 1 << 20;
/// Entries that are no events, of a file.
const RECORDS_MAX: usize = 1_000;
/// The same bound in bytes, for large entries.
const RECORDS_BYTES_MAX: usize = 4 << 20;

/// Seals what it is given, under a name that nobody else writes under meanwhile.
pub struct DirectWriter {
    layout: Layout,
    writer: Writer,
    last_event: EntryId,
    last_quarantined: EntryId,
    open: Option<OpenFile>,
    records: Vec<Quarantined>,
    lock: WriterLock,
}

struct OpenFile {
    hour: Hour,
    rows: usize,
    file: PartitionWriter,
}

impl DirectWriter {
    /// Takes the writer's lock, waiting for it a while, and finds what is stored already.
    ///
    /// # Errors
    /// [`StoreError::Busy`] where somebody else writes under that name; else what the disk refused.
    pub fn open(layout: &Layout, writer: &Writer) -> Result<Self, StoreError> {
        disk::create_dir(layout, &layout.journal())?;
        let lock = WriterLock::take(layout, writer)?;
        remove_leftovers(layout, None)?;
        let mut store = Self {
            layout: layout.clone(),
            writer: writer.clone(),
            last_event: EntryId::ZERO,
            last_quarantined: EntryId::ZERO,
            open: None,
            records: Vec::new(),
            lock,
        };
        store.find_watermarks()?;
        Ok(store)
    }

    /// The highest ID of an event that was stored, or handed over: the next one lies above it.
    pub fn last_event(&self) -> EntryId {
        self.last_event
    }

    /// The highest ID of an entry that is no event, stored or handed over.
    pub fn last_quarantined(&self) -> EntryId {
        self.last_quarantined
    }

    /// Adds an event, which counts from [`Self::finish`] on at the latest.
    ///
    /// # Errors
    /// What the disk refused.
    ///
    /// # Panics
    /// Where its ID is not above [`Self::last_event`]: the caller's bug.
    pub fn push_event(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        assert!(row.id > self.last_event, "events in ID order");
        let hour = Hour::of_ms(row.ingested_at());
        let mut open = match self.open.take() {
            Some(open) if open.hour == hour && open.rows < FILE_ROWS_MAX => open,
            other => {
                publish(other)?;
                OpenFile { hour, rows: 0, file: PartitionWriter::create(&self.layout, &self.writer)? }
            }
        };
        open.file.push(row)?;
        open.rows += 1;
        self.open = Some(open);
        self.last_event = row.id;
        Ok(())
    }

    /// Adds an entry that is no event.
    ///
    /// # Errors
    /// What the disk refused.
    ///
    /// # Panics
    /// Where its ID is not above [`Self::last_quarantined`]: the caller's bug.
    pub fn push_quarantined(&mut self, entry: Quarantined) -> Result<(), StoreError> {
        assert!(entry.id > self.last_quarantined, "entries in ID order");
        self.last_quarantined = entry.id;
        self.records.push(entry);
        let bytes: usize = self.records.iter().map(|record| record.entry.len()).sum();
        if self.records.len() >= RECORDS_MAX || bytes >= RECORDS_BYTES_MAX { self.publish_records() } else { Ok(()) }
    }

    /// Makes all that was handed over durable and seen.
    ///
    /// # Errors
    /// What the disk refused; what is published by then stays.
    pub fn finish(mut self) -> Result<(), StoreError> {
        self.publish_records()?;
        publish(self.open.take())?;
        self.lock.end()
    }

    fn publish_records(&mut self) -> Result<(), StoreError> {
        let Self { layout, writer, .. } = self;
        sidecar::write(layout, &layout.quarantine(), writer, &self.records)?;
        self.records.clear();
        Ok(())
    }

    fn find_watermarks(&mut self) -> Result<(), StoreError> {
        let partitions = list_partitions(&self.layout, &mut Vec::new())?;
        let sealed = partitions.into_iter().map(|file| (file.name, file.path)).collect();
        let sealed = self.newest(sealed);
        let quarantined = self.newest(sidecars(&self.layout.quarantine())?);
        // Events that retention has removed were stored once, and are not stored again.
        let retired = self.newest(sidecars(&self.layout.retired())?);
        if self.lock.is_left_over() {
            sealed.iter().chain(&quarantined).try_for_each(|(_, path)| self.write_anew(path))?;
        }
        let released = Released::read(&self.layout)?.names().map(|name| (name, PathBuf::new())).collect();
        let retired = retired.max(self.newest(released));
        let last = |newest: Option<(EntryId, PathBuf)>| newest.map_or(EntryId::ZERO, |(id, _)| id);
        self.last_event = last(sealed).max(last(retired));
        self.last_quarantined = last(quarantined);
        Ok(())
    }

    /// The highest ID in the names of this writer's files, and the file.
    fn newest(&self, files: Vec<(SealedName, PathBuf)>) -> Option<(EntryId, PathBuf)> {
        let own = files.into_iter().filter(|(name, _)| name.writer == self.writer);
        own.map(|(name, path)| (name.ids.last, path)).max_by_key(|(last, _)| *last)
    }

    /// A file that was published last before its writer died or failed may be seen and yet not be
    /// durable: its folder was not synced, or that failed, after which another sync says nothing.
    fn write_anew(&self, path: &Path) -> Result<(), StoreError> {
        disk::create_dir(&self.layout, path.parent().unwrap_or(self.layout.root()))?;
        match disk::copy(&self.layout, path, &format!("{}.anew", self.writer), path) {
            // It was superseded, and removed meanwhile.
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(()),
            copied => copied,
        }
    }
}

fn publish(open: Option<OpenFile>) -> Result<(), StoreError> {
    open.map_or(Ok(()), |open| open.file.finish().map(drop))
}

pub(super) fn sidecars(folder: &Path) -> Result<Vec<(SealedName, PathBuf)>, StoreError> {
    let files = list(folder)?.into_iter();
    Ok(files.filter_map(|(path, file_name)| Some((SealedName::parse(&file_name, NDJSON)?, path))).collect())
}
