//! How much a store holds of the stream's present life.

use std::collections::BTreeMap;

use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};

use super::error::IoContext as _;
use super::records::Count;
use super::{Partition, Snapshot, StoreError, Writer};
use emp_event::EntryId;

/// What each writer has stored in the newest epoch, by its name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The writers.
    pub writers: BTreeMap<String, StoredCounts>,
    /// A line for each file and record that is damaged: what it holds is not counted.
    pub skipped: Vec<String>,
}

/// What a writer has stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredCounts {
    /// Events; those that retention has taken out, too.
    pub stored: u64,
    /// Entries that are no events.
    pub quarantined: u64,
    /// Entries stored as lost.
    pub lost: u64,
    /// The highest ID.
    pub watermark: EntryId,
}

impl StoredCounts {
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
    /// [`StoreError`] where the system refuses to read a footer, or a loss.
    pub fn of(snapshot: &Snapshot) -> Result<Self, StoreError> {
        Self::counted_by(snapshot, |_| None)
    }

    /// The same where somebody knows how many events some of the sealed files hold: their footers are not read.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn counted_by(snapshot: &Snapshot, known: impl Fn(&Partition) -> Option<u64>) -> Result<Self, StoreError> {
        let Self { mut writers, mut skipped } = Self::default();
        let Some(epoch) = newest_epoch(snapshot) else { return Ok(Self::default()) };
        let mut add = |writer: &Writer, share: StoredCounts| {
            if writer.epoch() == epoch {
                let sum = writers.entry(writer.name().to_owned()).or_insert(StoredCounts::NONE);
                *sum = sum.and(share);
            }
        };
        snapshot.writers.iter().for_each(|writer| add(writer, StoredCounts::NONE));
        for partition in snapshot.partitions.iter().filter(|file| file.name.writer.epoch() == epoch) {
            let stored = match known(partition).map_or_else(|| rows(partition), Ok) {
                Err(error @ StoreError::Damaged { .. }) => {
                    skipped.push(error.to_string());
                    0
                }
                rows => rows?,
            };
            let watermark = partition.name.ids.last;
            add(&partition.name.writer, StoredCounts { stored, watermark, ..StoredCounts::NONE });
        }
        for segment in &snapshot.segments {
            add(
                &segment.name.writer,
                StoredCounts { stored: segment.rows(), watermark: segment.ids.last, ..StoredCounts::NONE },
            );
        }
        for Count { writer, count, last } in snapshot.quarantine.count_each()? {
            add(writer, StoredCounts { quarantined: count, watermark: last, ..StoredCounts::NONE });
        }
        for record in snapshot.losses.iter() {
            match record {
                Err(error @ StoreError::Damaged { .. }) => skipped.push(error.to_string()),
                record => {
                    let (writer, loss) = record?;
                    add(&writer, StoredCounts { lost: loss.lost, ..StoredCounts::NONE });
                }
            }
        }
        for (writer, stored) in &snapshot.retired {
            add(writer, StoredCounts { stored: *stored, ..StoredCounts::NONE });
        }
        Ok(Self { writers, skipped })
    }

    /// All writers together.
    pub fn sum(&self) -> StoredCounts {
        self.writers.values().copied().fold(StoredCounts::NONE, StoredCounts::and)
    }
}

fn newest_epoch(snapshot: &Snapshot) -> Option<u32> {
    let partitions = snapshot.partitions.iter().map(|partition| &partition.name.writer);
    partitions.chain(snapshot.quarantine.writers()).chain(&snapshot.writers).map(Writer::epoch).max()
}

pub(super) fn rows(partition: &Partition) -> Result<u64, StoreError> {
    let path = &partition.path;
    let file = partition.open().doing("open", path)?;
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Skip);
    let metadata = reader
        .parse_and_finish(&file)
        .map_err(|error| StoreError::Damaged { path: path.clone(), detail: error.to_string() })?;
    Ok(metadata.file_metadata().num_rows().max(0).unsigned_abs())
}
