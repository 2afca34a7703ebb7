//! How much a store holds of the stream's present life.

use std::collections::BTreeMap;
use std::fs::File;

use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};

use super::error::IoContext as _;
use super::{Partition, Snapshot, StoreError, Writer};
use crate::event::EntryId;

/// Counts of the newest epoch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events; those that retention has taken out, too.
    pub stored: u64,
    /// Entries that are no events.
    pub quarantined: u64,
    /// Entries stored as lost.
    pub lost: u64,
    /// Every writer's name, and the highest ID that it has stored.
    pub watermarks: BTreeMap<String, EntryId>,
}

impl Tally {
    /// Counts what a snapshot shows; of the sealed files only the footers are read.
    ///
    /// # Errors
    /// [`StoreError`] where a footer cannot be read.
    pub fn of(snapshot: &Snapshot) -> Result<Self, StoreError> {
        let mut tally = Self::default();
        let Some(epoch) = newest_epoch(snapshot) else { return Ok(tally) };
        for writer in &snapshot.writers {
            tally.raise(writer, epoch, EntryId::ZERO);
        }
        for partition in &snapshot.partitions {
            if tally.raise(&partition.name.writer, epoch, partition.name.ids.last) {
                tally.stored += rows(partition)?;
            }
        }
        for segment in &snapshot.segments {
            if tally.raise(&segment.name.writer, epoch, segment.ids.last) {
                tally.stored += segment.batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>();
            }
        }
        for (writer, entry) in &snapshot.quarantine {
            tally.quarantined += u64::from(tally.raise(writer, epoch, entry.id));
        }
        let retired = snapshot.retired.iter().filter(|(writer, _)| writer.epoch() == epoch);
        tally.stored += retired.map(|(_, events)| events).sum::<u64>();
        for (writer, loss) in &snapshot.losses {
            if writer.epoch() == epoch {
                tally.lost += loss.lost;
            }
        }
        Ok(tally)
    }

    /// Takes note of what a writer has stored; `false` where that was in another epoch.
    fn raise(&mut self, writer: &Writer, epoch: u32, last: EntryId) -> bool {
        if writer.epoch() == epoch {
            let watermark = self.watermarks.entry(writer.name().to_owned()).or_insert(EntryId::ZERO);
            *watermark = last.max(*watermark);
        }
        writer.epoch() == epoch
    }
}

fn newest_epoch(snapshot: &Snapshot) -> Option<u32> {
    let partitions = snapshot.partitions.iter().map(|partition| &partition.name.writer);
    let quarantine = snapshot.quarantine.iter().map(|(writer, _)| writer);
    partitions.chain(quarantine).chain(&snapshot.writers).map(Writer::epoch).max()
}

pub(super) fn rows(partition: &Partition) -> Result<u64, StoreError> {
    let path = &partition.path;
    let file = File::open(path).doing("open", path)?;
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Skip);
    let metadata = reader
        .parse_and_finish(&file)
        .map_err(|error| StoreError::Damaged { path: path.clone(), detail: error.to_string() })?;
    Ok(metadata.file_metadata().num_rows().max(0).unsigned_abs())
}
