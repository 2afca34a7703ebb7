//! What the targets share: stores in folders of their own, and what they hold.

use std::path::Path;

use emp_event::{Draft, EntryId, Event, decode};
use emp_store::{Batch, EventRange, Item, Layout, StoreError, StoreWriter};
use serde_json::value::RawValue;
use tempfile::TempDir;

/// 2025-09-27 14:00:00 UTC.
pub const HOUR_14: u64 = 1_758_981_600_000;

/// A folder that goes with it. In memory where there is such a place: thousands of stores are made here.
#[must_use]
pub fn new_folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.expect("a folder")
}

/// Every event that the store holds, by ID; doubles stay doubled.
///
/// # Errors
/// As reading a store; also where a damaged file was left out.
pub fn events(layout: &Layout) -> Result<Vec<Event<'static>>, StoreError> {
    let mut range = EventRange::open(layout, EntryId::ZERO, EntryId::new(u64::MAX, u64::MAX))?;
    let events: Result<Vec<Event<'static>>, StoreError> =
        std::iter::from_fn(|| range.next_event().transpose()).collect();
    range.take_skipped().pop().map_or(events, Err)
}

/// Is it a JSON object, to a reader that takes its values as they stand?
#[must_use]
pub fn is_object(text: &str) -> bool {
    text.starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok()
}

/// Their IDs.
///
/// # Errors
/// As reading a store.
pub fn ids(layout: &Layout) -> Result<Vec<EntryId>, StoreError> {
    Ok(events(layout)?.iter().map(|event| event.id).collect())
}

/// Commits one event for each ID, as one batch.
pub fn commit(store: &mut StoreWriter, ids: &[EntryId]) {
    let draft = Draft {
        timestamp: 1,
        service: "worker".into(),
        event_type: "job.claimed".into(),
        job_id: Some("job_1".into()),
        ..Draft::default()
    };
    let fields = draft.fields();
    let items: Vec<Item<'_>> =
        ids.iter().map(|id| Item::Event(decode(*id, &fields).expect("it is an event"))).collect();
    let position = store.position().unwrap_or_default();
    store.commit(&Batch { items: &items, position, loss: None }).expect("the disk takes it");
}

/// Seals all that is stored.
///
/// # Errors
/// As sealing.
pub fn seal_all(store: &mut StoreWriter) -> Result<(), StoreError> {
    store.close_segment()?;
    while let Some(task) = store.next_to_seal() {
        let sealed = task.run()?;
        store.sealed(&sealed);
    }
    Ok(())
}
