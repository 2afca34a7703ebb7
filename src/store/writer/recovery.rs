//! Opening a store again: finding out what is durable, and mending what a crash left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{OpenSegment, Recovered, StoreWriter};
use crate::event::EntryId;
use crate::store::error::IoContext as _;
use crate::store::journal::{SegmentReader, SegmentWriter};
use crate::store::layout::{Hour, IdRange, Layout, SealedName, SegmentName};
use crate::store::seal::SealTask;
use crate::store::sidecar::NDJSON;
use crate::store::snapshot::{list, list_partitions};
use crate::store::{StoreError, disk};

/// What the names of files under construction end in.
const TEMPORARY: &str = ".tmp";

impl StoreWriter {
    /// Sets watermark, position and segments to what the disk holds.
    pub(super) fn recover(&mut self) -> Result<(), StoreError> {
        let files = list(&self.layout.journal())?;
        let is_left_over = |name: &str| {
            let rest = name.strip_prefix(self.writer.name());
            rest.is_some_and(|rest| rest.starts_with(['.', '_']) && rest.ends_with(TEMPORARY))
        };
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
                disk::remove(&self.layout.segment(&newest))?;
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
        let path = self.layout.segment(&name);
        let task = SealTask::new(&self.layout, name.clone());
        match scan.hour_and_ids.map(|(hour, ids)| task.is_done(hour, ids)).transpose()? {
            Some(true) => self.superseded.push((path, Instant::now())),
            _ => self.unsealed.push(name),
        }
        Ok(())
    }

    /// The segment that commits went to last: go on with it, unless its end is torn.
    fn recover_newest(&mut self, name: SegmentName, scan: &Scan) -> Result<(), StoreError> {
        let path = self.layout.segment(&name);
        self.writer = name.writer.clone();
        self.watermark = scan.last.unwrap_or(name.after);
        self.position = scan.position;
        if scan.torn_bytes == 0 {
            let file = SegmentWriter::resume(&path, scan.valid_bytes)?;
            let hour = scan.hour_and_ids.map(|(hour, _)| hour);
            self.segment = Some(OpenSegment { name, file, hour, is_empty: scan.last.is_none() });
            return Ok(());
        }
        let kept_as = keep_torn_tail(&self.layout, &path, scan.valid_bytes)?;
        self.recovered.push(Recovered::TornTail { kept_as, bytes: scan.torn_bytes });
        if scan.last.is_none() {
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

/// What a segment holds, as far as recovery needs to know.
struct Scan {
    hour_and_ids: Option<(Hour, IdRange)>,
    last: Option<EntryId>,
    position: Option<u64>,
    has_header: bool,
    valid_bytes: u64,
    torn_bytes: u64,
}

impl Scan {
    fn of(layout: &Layout, name: &SegmentName) -> Result<Self, StoreError> {
        let mut reader = SegmentReader::open(&layout.segment(name))?;
        let header = reader.header()?.map(|header| header.position);
        let mut scan = Self {
            hour_and_ids: None,
            last: None,
            position: header.flatten(),
            has_header: header.is_some(),
            valid_bytes: 0,
            torn_bytes: 0,
        };
        while let Some(commit) = reader.next_commit()? {
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
fn keep_torn_tail(layout: &Layout, segment: &Path, valid_bytes: u64) -> Result<PathBuf, StoreError> {
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
