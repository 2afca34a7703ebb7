//! The store through its public doors, on a real disk.

mod crash_points;
mod direct;
mod interrupted;
mod layout;
mod merge;
mod model;
mod range;
mod recovery;
mod simulated_disk;
mod upkeep;
mod world;
mod writing;

use std::path::Path;
use std::time::Duration;

use arrow::array::AsArray as _;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

use super::*;
use emp_event::{Draft, EntryId, decode};

/// 2025-09-27 14:00:00 UTC.
pub(super) const HOUR_14: u64 = 1_758_981_600_000;
pub(super) const HOUR_MS: u64 = 3_600_000;

/// In memory where there is such a place: thousands of stores are made here.
pub(super) fn new_folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.unwrap()
}

pub(super) fn layout() -> (TempDir, Layout) {
    let folder = new_folder();
    let layout = Layout::new(folder.path().join("store"));
    (folder, layout)
}

pub(super) fn open(layout: &Layout) -> StoreWriter {
    StoreWriter::open(layout, "w1").unwrap()
}

/// Commits one event for each ID, as one batch.
pub(super) fn commit(store: &mut StoreWriter, ids: &[EntryId]) {
    commit_after(store, ids, None);
}

pub(super) fn commit_after(store: &mut StoreWriter, ids: &[EntryId], loss: Option<Loss>) {
    let draft = Draft {
        timestamp: 1,
        service: "worker".into(),
        event_type: "job.claimed".into(),
        job_id: Some("job_1".into()),
        ..Draft::default()
    };
    let fields = draft.fields();
    let items: Vec<Item<'_>> = ids.iter().map(|id| Item::Event(decode(*id, &fields).unwrap())).collect();
    let position = store.position().unwrap_or_default() + loss.map_or(0, |loss| loss.lost);
    store.commit(&Batch { items: &items, position, loss }).unwrap();
}

pub(super) fn quarantine(store: &mut StoreWriter, id: EntryId) {
    let entry = Quarantined { id, reason: "the field `service` is missing".into(), entry: "{}".into(), noticed_at: 7 };
    let items = [Item::Quarantined(entry)];
    store.commit(&Batch { items: &items, position: store.position().unwrap_or_default(), loss: None }).unwrap();
}

pub(super) fn seal_all(store: &mut StoreWriter) -> Vec<Sealed> {
    let mut done = Vec::new();
    while let Some(task) = store.next_to_seal() {
        let sealed = task.run().unwrap();
        store.sealed(&sealed);
        done.push(sealed);
    }
    done
}

/// Every event that a reader sees now, by ID, in ascending order; doubles stay doubled.
pub(super) fn ids(layout: &Layout) -> Vec<EntryId> {
    let snapshot = Snapshot::read(layout).unwrap();
    assert!(snapshot.skipped.is_empty(), "{:?}", snapshot.skipped);
    let mut ids: Vec<EntryId> = snapshot.segments.iter().flat_map(|segment| ids_of(&segment.batches)).collect();
    ids.extend(snapshot.partitions.iter().flat_map(|partition| ids_in(&partition.path)));
    ids.sort_unstable();
    ids
}

pub(super) fn ids_of(batches: &[arrow::array::RecordBatch]) -> Vec<EntryId> {
    let column = |batch: &arrow::array::RecordBatch| batch.column(0).as_string::<i32>().clone();
    batches
        .iter()
        .flat_map(|batch| column(batch).iter().flatten().map(|id| id.parse().unwrap()).collect::<Vec<_>>())
        .collect()
}

/// The IDs of a sealed file; its other columns are not decoded.
pub(super) fn ids_in(path: &Path) -> Vec<EntryId> {
    let file = std::fs::File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let only_ids = ProjectionMask::leaves(reader.parquet_schema(), [0]);
    let batches: Vec<_> = reader.with_projection(only_ids).build().unwrap().map(Result::unwrap).collect();
    ids_of(&batches)
}

pub(super) fn at(hour: u64, seq: u64) -> EntryId {
    EntryId::new(HOUR_14 + hour * HOUR_MS, seq)
}
