use std::fs;
use std::path::PathBuf;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;

const END: i64 = i64::MAX;

/// Commits and seals each group of IDs on its own, and leaves no segment behind.
fn seal_each(store: &mut StoreWriter, groups: &[&[EntryId]]) {
    for ids in groups {
        commit(store, ids);
        store.close_segment().unwrap();
        seal_all(store);
    }
    store.remove_superseded(Duration::ZERO).unwrap();
}

fn files(layout: &Layout) -> Vec<PathBuf> {
    Snapshot::read(layout).unwrap().partitions.into_iter().map(|file| file.path).collect()
}

fn compact(layout: &Layout) -> Vec<Compacted> {
    CompactTask::find(layout, END).unwrap().iter().map(|task| task.run().unwrap()).collect()
}

#[test]
fn the_files_of_an_hour_become_one_and_readers_see_no_difference() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    seal_each(&mut store, &[&[at(0, 1), at(0, 2)], &[at(0, 3)], &[at(0, 4), at(1, 1)], &[at(1, 2)]]);
    let all = ids(&layout);
    assert_eq!(files(&layout).len(), 5);
    let compacted = compact(&layout);
    assert_eq!(compacted.iter().map(|done| (done.files, done.rows)).collect::<Vec<_>>(), [(3, 4), (2, 2)]);
    assert_eq!((files(&layout).len(), ids(&layout)), (2, all.clone()), "beside the files they were made from");
    assert!(compact(&layout).is_empty(), "done is done");
    assert_eq!(remove_superseded_files(&layout, SUPERSEDED_GRACE).unwrap(), 0, "readers at work need them");
    assert_eq!(remove_superseded_files(&layout, Duration::ZERO).unwrap(), 5);
    assert_eq!(ids(&layout), all);
    assert!(verify(&layout, &mut |_| {}).unwrap().findings.is_empty());
}

#[test]
fn an_hour_waits_while_the_journal_holds_events_of_it() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    seal_each(&mut store, &[&[at(0, 1)]]);
    // Closed and not sealed: a file over all of the hour would hide it.
    commit(&mut store, &[at(0, 2)]);
    store.close_segment().unwrap();
    let between = store.next_to_seal().unwrap();
    commit(&mut store, &[at(0, 3)]);
    assert!(CompactTask::find(&layout, END).unwrap().is_empty());
    store.sealed(&between.run().unwrap());
    store.close_segment().unwrap();
    seal_all(&mut store);
    // The segments are still there, sealed.
    assert_eq!(compact(&layout).len(), 1);
    assert_eq!(ids(&layout), [at(0, 1), at(0, 2), at(0, 3)]);
}

#[test]
fn an_hour_that_is_not_over_is_left_alone() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    seal_each(&mut store, &[&[at(0, 1)], &[at(0, 2)]]);
    let end = (HOUR_14 + HOUR_MS) as i64;
    assert!(CompactTask::find(&layout, end - 1).unwrap().is_empty());
    assert_eq!(CompactTask::find(&layout, end).unwrap().len(), 1);
}

#[test]
fn each_writer_and_each_epoch_keeps_a_file_of_its_own() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    seal_each(&mut store, &[&[at(0, 1)], &[at(0, 2)]]);
    store.become_writer("w2").unwrap();
    seal_each(&mut store, &[&[at(0, 3)], &[at(0, 4)]]);
    store.become_writer("w1").unwrap();
    store.begin_epoch(EntryId::ZERO, 0).unwrap();
    seal_each(&mut store, &[&[at(0, 1)], &[at(0, 2)]]);
    let all = ids(&layout);
    assert_eq!(compact(&layout).len(), 3);
    assert_eq!((files(&layout).len(), ids(&layout)), (3, all));
}

#[test]
fn a_file_that_cannot_be_read_stops_compaction_and_nothing_changes() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    seal_each(&mut store, &[&[at(0, 1)], &[at(0, 2)]]);
    fs::write(&files(&layout)[0], b"PAR1 no more").unwrap();
    let error = CompactTask::find(&layout, END).unwrap()[0].run().unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert_eq!(files(&layout).len(), 2);
    let left: Vec<_> = fs::read_dir(layout.journal()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".tmp")), "{left:?}");
}

#[test]
fn the_oldest_hours_go_by_age_and_by_size_and_never_one_in_the_journal() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    seal_each(&mut store, &[&[at(0, 1)], &[at(1, 1)], &[at(2, 1)], &[at(3, 1)]]);
    commit(&mut store, &[at(3, 2)]);
    let now = (HOUR_14 + 4 * HOUR_MS) as i64;
    let age = |hours: u64| Retention { age: Some(Duration::from_millis(hours * HOUR_MS)), bytes: None };
    let hours = |retired: &Retired| retired.hours.iter().map(|hour| hour.hour()).collect::<Vec<_>>();
    assert_eq!(hours(&find_retired(&layout, &Retention::default(), now).unwrap()), [""; 0]);
    assert_eq!(hours(&find_retired(&layout, &age(2), now).unwrap()), ["14", "15"]);
    assert_eq!(ids(&layout).len(), 5, "nothing went yet");

    assert_eq!(hours(&retain(&layout, &age(3), now).unwrap()), ["14"]);
    assert_eq!(ids(&layout), [at(1, 1), at(2, 1), at(3, 1), at(3, 2)]);
    let two_files: u64 = files(&layout)[1..].iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    let by_size = Retention { age: None, bytes: Some(two_files) };
    assert_eq!(hours(&retain(&layout, &by_size, now).unwrap()), ["15"]);
    let all = Retention { age: None, bytes: Some(0) };
    assert_eq!(hours(&retain(&layout, &all, now).unwrap()), ["16"], "the journal has events of the last one");
    assert_eq!(remove_superseded_files(&layout, Duration::ZERO).unwrap(), 3);
    assert!(!layout.partition(Hour::of_ms(HOUR_14 as i64)).exists(), "empty folders go, too");
    assert_eq!(ids(&layout), [at(3, 1), at(3, 2)]);
    assert_eq!(Tally::of(&Snapshot::read(&layout).unwrap()).unwrap().sum().stored, 5);
    assert_eq!(fs::read_dir(layout.retired()).unwrap().count(), 1, "one record a writer");
}

/// A store with every kind of file in it.
fn store_of_all_kinds() -> (TempDir, Layout) {
    let (folder, layout) = layout();
    let mut store = open(&layout);
    seal_each(&mut store, &[&[at(0, 1)]]);
    retain(&layout, &Retention { age: None, bytes: Some(0) }, END).unwrap();
    remove_superseded_files(&layout, Duration::ZERO).unwrap();
    let loss = Loss { from: at(0, 1), to: at(1, 1), lost: 6, noticed_at: 7 };
    commit_after(&mut store, &[at(1, 1), at(1, 2)], Some(loss));
    quarantine(&mut store, at(1, 3));
    store.close_segment().unwrap();
    seal_all(&mut store);
    store.remove_superseded(Duration::ZERO).unwrap();
    commit(&mut store, &[at(2, 1)]);
    commit(&mut store, &[at(2, 2)]);
    (folder, layout)
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(all_files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

#[test]
fn a_single_flipped_bit_is_found_in_any_file() {
    let (_folder, layout) = store_of_all_kinds();
    assert_eq!(verify(&layout, &mut |_| {}).unwrap().findings, []);
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let mut kinds = 0;
    for path in all_files(layout.root()) {
        if path.ends_with("lock") {
            continue;
        }
        kinds += 1;
        let sound = fs::read(&path).unwrap();
        for _ in 0..400 {
            let (place, bit) = (random.random_range(0..sound.len()), random.random_range(0..8));
            let mut damaged = sound.clone();
            damaged[place] ^= 1 << bit;
            fs::write(&path, &damaged).unwrap();
            let findings = verify(&layout, &mut |_| {}).unwrap().findings;
            let context = format!("bit {bit} of byte {place} of {}", path.display());
            assert!(findings.iter().any(|finding| finding.path == path), "{context}: {findings:?}");
        }
        fs::write(&path, &sound).unwrap();
    }
    assert_eq!(kinds, 5, "a partition, a segment, and three sidecars");
}

#[test]
fn repairing_takes_damage_out_and_keeps_what_is_whole() {
    let (_folder, layout) = store_of_all_kinds();
    let flip = |path: &Path, place: usize| {
        let mut bytes = fs::read(path).unwrap();
        bytes[place] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    let partition = files(&layout).remove(0);
    flip(&partition, 100);
    let segment = all_files(&layout.journal()).into_iter().find(|path| path.to_string_lossy().contains("journal/w1_"));
    // In the first of its two commits, behind magic and header.
    flip(&segment.unwrap(), 60);
    let report = verify(&layout, &mut |_| {}).unwrap();
    assert_eq!(report.findings.len(), 2, "{:?}", report.findings);
    let repaired = repair(&layout, &report, "w1").unwrap();
    assert!(repaired.iter().all(|done| done.kept_as.as_ref().is_some_and(|path| path.exists())), "{repaired:?}");
    assert_eq!(verify(&layout, &mut |_| {}).unwrap().findings, []);
    assert_eq!(ids(&layout), [at(2, 2)], "the commit behind the damaged one is still there");
}

#[test]
fn a_damaged_file_gives_way_to_those_it_was_made_from() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    seal_each(&mut store, &[&[at(0, 1)], &[at(0, 2)]]);
    let compacted = compact(&layout);
    drop(store);
    fs::write(&compacted[0].path, b"PAR1 no more").unwrap();
    let report = verify(&layout, &mut |_| {}).unwrap();
    repair(&layout, &report, "w1").unwrap();
    assert_eq!(ids(&layout), [at(0, 1), at(0, 2)]);
}

#[test]
fn repairing_waits_for_the_collector_to_end() {
    let (_folder, layout) = layout();
    let _store = open(&layout);
    let error = repair(&layout, &Report::default(), "w1").unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
}
