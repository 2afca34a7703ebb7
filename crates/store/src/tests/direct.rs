//! Writing beside a collector: whatever is cut or fails, each line is there once in the end.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::simulated_disk::{Change, Cut, Disk, SimulatedDisk};
use super::world::view;
use super::*;

const CUTS: [Cut; 6] = [Cut::Kill, Cut::Kept, Cut::Lost, Cut::Torn(1), Cut::Torn(2), Cut::Torn(3)];

/// Lines of three hours, some of which are no events.
fn lines() -> Vec<(EntryId, bool)> {
    let hours = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2];
    let kinds = [true, false, true, false, true, true, false, false, true, true];
    hours.into_iter().zip(kinds).zip(1..).map(|((hour, is_event), seq)| (at(hour, seq), is_event)).collect()
}

/// Takes the first so many lines, as far as they are not there.
fn import(layout: &Layout, count: usize) -> Result<(), StoreError> {
    take(DirectWriter::open(layout, &Writer::new("spool-1")?)?, count)
}

fn take(mut store: DirectWriter, count: usize) -> Result<(), StoreError> {
    let fields = [("service", "worker"), ("eventType", "job.claimed")];
    for (id, is_event) in lines().into_iter().take(count) {
        if is_event && id > store.last_event() {
            store.push_event(&Row::from(&decode(id, &fields).unwrap()))?;
        } else if !is_event && id > store.last_quarantined() {
            let entry = Quarantined { id, reason: "no event".into(), entry: "{}".into(), noticed_at: 7 };
            store.push_quarantined(entry)?;
        }
    }
    store.finish()
}

#[track_caller]
fn assert_holds(layout: &Layout, count: usize, context: &str) {
    let expected: Vec<_> = lines().into_iter().take(count).map(|(id, is_event)| ((0, id), is_event)).collect();
    let mut seen = view(layout).entries;
    seen.sort_unstable();
    assert_eq!(seen, expected, "{context}");
}

/// What a crash left is imported once more.
fn check(disk: &Disk, cut: Cut, acknowledged: usize, context: &str) {
    let seed = if let Cut::Torn(seed) = cut { seed } else { 0 };
    let (_folder, layout, _) = SimulatedDisk::new_store(0..0);
    disk.restore(cut, &mut ChaCha8Rng::seed_from_u64(seed), layout.root());
    let seen = view(&layout).entries;
    let kept = lines().into_iter().take(acknowledged).all(|(id, is_event)| seen.contains(&((0, id), is_event)));
    assert!(kept, "{context}: {seen:?} after {acknowledged} lines were said to be stored");
    import(&layout, lines().len()).unwrap();
    assert_holds(&layout, lines().len(), context);
}

/// An import of half a file, and of all of it later; how many lines were said to be stored after so
/// many operations.
fn record(failing: std::ops::Range<usize>) -> (TempDir, Vec<Change>, Vec<(usize, usize)>) {
    let (folder, layout, disk) = SimulatedDisk::new_store(failing);
    let mut marks = vec![(0, 0)];
    for count in [5, lines().len()] {
        // Where it fails, somebody runs it again.
        while import(&layout, count).is_err() {}
        marks.push((disk.done(), count));
    }
    (folder, disk.changes(), marks)
}

#[test]
fn after_a_crash_at_any_operation_an_import_is_made_up_for() {
    let (folder, changes, marks) = record(0..0);
    let mut disk = Disk::new(&folder.path().join("store"));
    for (index, change) in changes.iter().enumerate() {
        disk.apply(change);
        let acknowledged = marks.iter().rfind(|(done, _)| *done <= index + 1).unwrap().1;
        for cut in CUTS {
            check(&disk, cut, acknowledged, &format!("crash after operation {index} ({change:?}), {cut:?}"));
        }
    }
}

#[test]
fn whatever_operation_of_an_import_fails_each_line_is_there_once() {
    let (_, changes, _) = record(0..0);
    for first in 0..changes.len() {
        for width in [1, 4] {
            let (folder, changes, _) = record(first..first + width);
            let context = format!("operations {first} to {} fail", first + width - 1);
            assert_holds(&Layout::new(folder.path().join("store")), lines().len(), &context);
            let mut disk = Disk::new(&folder.path().join("store"));
            changes.iter().for_each(|change| disk.apply(change));
            for cut in [Cut::Lost, Cut::Torn(1)] {
                check(&disk, cut, lines().len(), &format!("{context}, then {cut:?}"));
            }
        }
    }
}

#[test]
fn one_at_a_time_writes_under_a_name() {
    let (_folder, layout) = layout();
    let writer = Writer::new("spool-1").unwrap();
    let first = DirectWriter::open(&layout, &writer).unwrap();
    let _other = DirectWriter::open(&layout, &Writer::new("spool-2").unwrap()).unwrap();
    let second = std::thread::spawn({
        let layout = layout.clone();
        move || import(&layout, 10).unwrap()
    });
    let of_another = std::fs::File::open(layout.writer_lock(&writer)).unwrap().try_lock();
    assert!(matches!(of_another, Err(std::fs::TryLockError::WouldBlock)), "it waits: {of_another:?}");
    // Whenever the second one comes, it finds these.
    take(first, 5).unwrap();
    second.join().unwrap();
    assert_holds(&layout, 10, "after the second one");
    assert!(!layout.writer_lock(&writer).exists());
}
