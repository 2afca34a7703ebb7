//! How much a store holds of the stream's present life.

use std::collections::BTreeMap;
use std::fs::File;

use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};

use super::error::IoContext as _;
use super::records::Count;
use super::{Partition, Snapshot, StoreError, Writer};
use emp_event::EntryId;

/// What each writer has stored in the newest epoch, by its name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The writers.
    pub writers: BTreeMap<String, Share>,
}

/// What a writer has stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Events; those that retention has taken out, too.
    pub stored: u64,
    /// Entries that are no events.
    pub quarantined: u64,
    /// Entries stored as lost.
    pub lost: u64,
    /// The highest ID.
    pub watermark: EntryId,
}

impl Share {
    /// Nothing.
    pub const NONE: Self = Self { stored: 0, quarantined: 0, lost: 0, watermark: EntryId::ZERO };

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            stored: self.stored + other.stored,
            quarantined: self.quarantined + other.quarantined,
            lost: self.lost + other.lost,
            watermark: self.watermark.max(other.watermark),
        }
    }
}

impl Tally {
    /// Counts what a snapshot shows; of the sealed files only the footers are read,
    /// and of the quarantine only the lines are counted.
    ///
    /// # Errors
    /// [`StoreError`] where a footer, or a loss, cannot be read.
    pub fn of(snapshot: &Snapshot) -> Result<Self, StoreError> {
        let mut tally = Self::default();
        let Some(epoch) = newest_epoch(snapshot) else { return Ok(tally) };
        let mut add = |writer: &Writer, share: Share| {
            if writer.epoch() == epoch {
                let sum = tally.writers.entry(writer.name().to_owned()).or_insert(Share::NONE);
                *sum = sum.and(share);
            }
        };
        snapshot.writers.iter().for_each(|writer| add(writer, Share::NONE));
        for partition in snapshot.partitions.iter().filter(|file| file.name.writer.epoch() == epoch) {
            let (stored, watermark) = (rows(partition)?, partition.name.ids.last);
            add(&partition.name.writer, Share { stored, watermark, ..Share::NONE });
        }
        for segment in &snapshot.segments {
            add(&segment.name.writer, Share { stored: segment.rows(), watermark: segment.ids.last, ..Share::NONE });
        }
        for Count { writer, count, last } in snapshot.quarantine.count_each()? {
            add(writer, Share { quarantined: count, watermark: last, ..Share::NONE });
        }
        for record in snapshot.losses.iter() {
            let (writer, loss) = record?;
            add(&writer, Share { lost: loss.lost, ..Share::NONE });
        }
        for (writer, stored) in &snapshot.retired {
            add(writer, Share { stored: *stored, ..Share::NONE });
        }
        Ok(tally)
    }

    /// All writers together.
    pub fn sum(&self) -> Share {
        self.writers.values().copied().fold(Share::NONE, Share::and)
    }
}

fn newest_epoch(snapshot: &Snapshot) -> Option<u32> {
    let partitions = snapshot.partitions.iter().map(|partition| &partition.name.writer);
    partitions.chain(snapshot.quarantine.writers()).chain(&snapshot.writers).map(Writer::epoch).max()
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
