//! Compaction: what crashes, imports and frequent seals left of an hour becomes one file again.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use super::archived::{self, ArchivedHours};
use super::at_once::rows_at_once;
use super::error::IoContext as _;
use super::layout::{Hour, Layout, Writer};
use super::sealed::PartitionWriter;
use super::snapshot::{counting_partitions, segment_starts};
use super::{Partition, StoreError};

/// A file of this size is good as it is; smaller ones are put together up to it.
const FILE_BYTES_GOOD: u64 = 128 << 20;
/// Rows decoded at once: few, since a row may hold much.
const READ_ROWS: usize = 512;

/// Puts together what there is in the hours that were over at `now_ms`, oldest first. `done` is told
/// of each new file. A file that cannot be read costs itself only: those before it and those behind
/// it are put together. `unreadable` remembers such files, so that a collector does not read an hour
/// again and again for the sake of one of them; what failed is returned.
///
/// # Errors
/// [`StoreError`] where the store cannot be listed.
pub fn compact(
    layout: &Layout,
    now_ms: i64,
    unreadable: &mut BTreeSet<PathBuf>,
    done: &mut dyn FnMut(&Compacted),
) -> Result<Vec<StoreError>, StoreError> {
    let _lock = archived::lock(layout)?;
    let mut failed = Vec::new();
    loop {
        let known = unreadable.len();
        // Whatever else failed is tried once more.
        failed.retain(|error| matches!(error, StoreError::Damaged { .. }));
        for task in CompactTask::find(layout, now_ms, unreadable)? {
            match task.run() {
                Ok(compacted) => done(&compacted),
                Err(error) => {
                    if let StoreError::Damaged { path, .. } = &error {
                        unreadable.insert(path.clone());
                    }
                    failed.push(error);
                }
            }
        }
        // Where one more file is known, there is more to be done without it.
        if unreadable.len() == known {
            return Ok(failed);
        }
    }
}

/// Files of one hour and one writer that should be one, independent of the writer, so that they
/// can be put together on another thread while commits go on.
#[derive(Debug)]
pub(super) struct CompactTask {
    layout: Layout,
    writer: Writer,
    hour: Hour,
    inputs: Vec<PathBuf>,
}

/// What became of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compacted {
    /// The file that holds it all now. The others stay for a while, for readers at work.
    pub path: PathBuf,
    /// How many files it replaces.
    pub files: usize,
    /// How many events it holds.
    pub rows: u64,
}

impl CompactTask {
    /// What there is to put together in the hours that were over at `now_ms`, oldest first, without
    /// these files.
    ///
    /// The name of the new file covers all between its first ID and its last. So an hour waits
    /// as long as the journal holds events of it, which would be taken for part of that file.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be listed.
    pub fn find(layout: &Layout, now_ms: i64, without: &BTreeSet<PathBuf>) -> Result<Vec<Self>, StoreError> {
        // The journal first: what is sealed meanwhile has left it, and is listed.
        let starts = segment_starts(layout)?;
        let partitions = counting_partitions(layout)?;
        let unsealed: BTreeSet<Hour> = starts
            .iter()
            .filter(|start| !partitions.iter().any(|file| start.is_in(file)))
            .map(|start| start.hour)
            .collect();
        let archived = ArchivedHours::read(layout)?;
        let is_closed = |hour: Hour| hour.end_ms() <= now_ms && !unsealed.contains(&hour) && !archived.contains(hour);
        let closed: Vec<Partition> = partitions.into_iter().filter(|partition| is_closed(partition.hour)).collect();
        // No new file's range may reach over one that is left out.
        let same = |a: &Partition, b: &Partition| {
            let is_in = !without.contains(&a.path) && !without.contains(&b.path);
            a.hour == b.hour && a.name.writer == b.name.writer && is_in
        };
        Ok(closed.chunk_by(same).flat_map(|files| runs(layout, files)).collect())
    }

    /// Of which hour they are.
    pub fn hour(&self) -> Hour {
        self.hour
    }

    /// Writes and publishes the new file. Done twice, it leaves the same as done once.
    ///
    /// # Errors
    /// [`StoreError`] where a file cannot be read or written; the old ones still count then.
    pub fn run(&self) -> Result<Compacted, StoreError> {
        let mut output = PartitionWriter::create(&self.layout, &self.writer)?;
        let mut rows = 0;
        for path in &self.inputs {
            let file = File::open(path).doing("open", path)?;
            let damaged = |error: ParquetError| StoreError::Damaged { path: path.clone(), detail: error.to_string() };
            let input = ParquetRecordBatchReaderBuilder::try_new(file).map_err(damaged)?;
            let at_once = rows_at_once(input.metadata(), READ_ROWS);
            let input = input.with_batch_size(at_once);
            let expected = rows + input.metadata().file_metadata().num_rows().max(0).unsigned_abs();
            for batch in input.build().map_err(damaged)? {
                let batch = batch.map_err(|error| damaged(error.into()))?;
                rows += batch.num_rows() as u64;
                output.push_batch(&batch, path)?;
            }
            if rows != expected {
                let detail = "it has more or fewer rows than its footer promises".to_owned();
                return Err(StoreError::Damaged { path: path.clone(), detail });
            }
        }
        let path = output.finish()?.ok_or_else(|| StoreError::Damaged {
            path: self.layout.partition(self.hour),
            detail: "the files to be put together hold no rows".to_owned(),
        })?;
        Ok(Compacted { path, files: self.inputs.len(), rows })
    }
}

/// Neighbouring files that make one of a good size, or less where there is no more.
fn runs(layout: &Layout, files: &[Partition]) -> Vec<CompactTask> {
    let mut tasks = Vec::new();
    let mut run: Vec<&Partition> = Vec::new();
    let mut bytes = 0;
    for file in files {
        if bytes + file.bytes > FILE_BYTES_GOOD {
            tasks.extend(task(layout, &std::mem::take(&mut run)));
            bytes = 0;
        }
        run.push(file);
        bytes += file.bytes;
    }
    tasks.extend(task(layout, &run));
    tasks
}

fn task(layout: &Layout, run: &[&Partition]) -> Option<CompactTask> {
    let [first, _, ..] = run else { return None };
    Some(CompactTask {
        layout: layout.clone(),
        writer: first.name.writer.clone(),
        hour: first.hour,
        inputs: run.iter().map(|file| file.path.clone()).collect(),
    })
}
