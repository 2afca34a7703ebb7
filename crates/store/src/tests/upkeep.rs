use std::collections::BTreeSet;
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

/// Puts together all that can be, and what failed.
fn compact(layout: &Layout) -> (Vec<Compacted>, Vec<StoreError>) {
    let mut done = Vec::new();
    let failed = super::compact(layout, END, &mut BTreeSet::new(), &mut |compacted| done.push(compacted.clone()));
    (done, failed.unwrap())
}

/// The same where nothing fails.
fn compact_all(layout: &Layout) -> Vec<Compacted> {
    let (done, failed) = compact(layout);
    assert!(failed.is_empty(), "{failed:?}");
    done
}

#[test]
fn the_files_of_an_hour_become_one_and_readers_see_no_difference() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    seal_each(&mut store, &[&[at(0, 1), at(0, 2)], &[at(0, 3)], &[at(0, 4), at(1, 1)], &[at(1, 2)]]);
    let all = ids(&layout);
    assert_eq!(files(&layout).len(), 5);
    let compacted = compact_all(&layout);
    assert_eq!(compacted.iter().map(|done| (done.files, done.rows)).collect::<Vec<_>>(), [(3, 4), (2, 2)]);
    assert_eq!((files(&layout).len(), ids(&layout)), (2, all.clone()), "beside the files they were made from");
    assert!(compact_all(&layout).is_empty(), "done is done");
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
    assert!(compact_all(&layout).is_empty());
    store.sealed(&between.run().unwrap());
    store.close_segment().unwrap();
    seal_all(&mut store);
    // The segments are still there, sealed.
    assert_eq!(compact_all(&layout).len(), 1);
    assert_eq!(ids(&layout), [at(0, 1), at(0, 2), at(0, 3)]);
}

#[test]
fn an_hour_that_is_not_over_is_left_alone() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    seal_each(&mut store, &[&[at(0, 1)], &[at(0, 2)]]);
    let end = (HOUR_14 + HOUR_MS) as i64;
    let mut done = 0;
    let mut compact_at = |now_ms| {
        super::compact(&layout, now_ms, &mut BTreeSet::new(), &mut |_| done += 1).unwrap();
        done
    };
    assert_eq!((compact_at(end - 1), compact_at(end)), (0, 1));
}

#[test]
fn each_writer_and_each_epoch_keeps_a_file_of_its_own() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    seal_each(&mut store, &[&[at(0, 1)], &[at(0, 2)]]);
    store.become_writer("w2", None).unwrap();
    seal_each(&mut store, &[&[at(0, 3)], &[at(0, 4)]]);
    store.become_writer("w1", None).unwrap();
    store.begin_epoch(EntryId::ZERO, 0).unwrap();
    seal_each(&mut store, &[&[at(0, 1)], &[at(0, 2)]]);
    let all = ids(&layout);
    assert_eq!(compact_all(&layout).len(), 3);
    assert_eq!((files(&layout).len(), ids(&layout)), (3, all));
}

/// Writes a file of events with one column more, as a version to come may.
fn add_a_column(path: &Path) {
    use arrow::array::{ArrayRef, Int32Array, RecordBatch};
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap();
    let batch = reader.build().unwrap().next().unwrap().unwrap();
    let added: ArrayRef = std::sync::Arc::new(Int32Array::from(vec![7; batch.num_rows()]));
    let schema = batch.schema();
    let columns = schema.fields().iter().map(|field| field.name().clone()).zip(batch.columns().to_vec());
    let batch = RecordBatch::try_from_iter(columns.chain([("shard".to_owned(), added)])).unwrap();
    let file = fs::File::create(path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn a_file_that_cannot_be_put_together_with_others_costs_itself_only() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    let groups: [&[EntryId]; 8] =
        [&[at(0, 1)], &[at(0, 2)], &[at(0, 3)], &[at(0, 4)], &[at(0, 5)], &[at(0, 6)], &[at(1, 1)], &[at(1, 2)]];
    seal_each(&mut store, &groups);
    let before = files(&layout);
    fs::write(&before[0], b"PAR1 no more").unwrap();
    add_a_column(&before[3]);
    let (done, failed) = compact(&layout);
    assert_eq!(done.iter().map(|done| (done.files, done.rows)).collect::<Vec<_>>(), [(2, 2), (2, 2), (2, 2)]);
    let named = |path: &Path| failed.iter().any(|error| error.to_string().starts_with(&path.display().to_string()));
    assert!(failed.len() == 2 && named(&before[0]) && named(&before[3]), "{failed:?}");
    assert_eq!(files(&layout).len(), 5, "the two of them, and one for each run beside them");
    let readable = files(&layout).into_iter().filter(|path| *path != before[0]);
    let ids: Vec<EntryId> = readable.flat_map(|path| ids_in(&path)).collect();
    assert_eq!(ids, groups[1..].concat());
    assert!(compact(&layout).0.is_empty(), "done is done");
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
    let age = |hours: u64| Retention { age: Some(Duration::from_millis(hours * HOUR_MS)), ..Retention::default() };
    let hours = |retired: &Retired| retired.hours.iter().map(|hour| hour.hour()).collect::<Vec<_>>();
    assert_eq!(hours(&find_retired(&layout, &Retention::default(), now).unwrap()), [""; 0]);
    assert_eq!(hours(&find_retired(&layout, &age(2), now).unwrap()), ["14", "15"]);
    assert_eq!(ids(&layout).len(), 5, "nothing went yet");

    assert_eq!(hours(&retain(&layout, &age(3), now).unwrap()), ["14"]);
    assert_eq!(ids(&layout), [at(1, 1), at(2, 1), at(3, 1), at(3, 2)]);
    let two_files: u64 = files(&layout)[1..].iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    let by_size = Retention { bytes: Some(two_files), ..Retention::default() };
    assert_eq!(hours(&retain(&layout, &by_size, now).unwrap()), ["15"]);
    let all = Retention { bytes: Some(0), ..Retention::default() };
    assert_eq!(hours(&retain(&layout, &all, now).unwrap()), ["16"], "the journal has events of the last one");
    assert_eq!(remove_superseded_files(&layout, Duration::ZERO).unwrap(), 3);
    assert!(!layout.partition(Hour::of_ms(HOUR_14 as i64)).exists(), "empty folders go, too");
    assert_eq!(ids(&layout), [at(3, 1), at(3, 2)]);
    assert_eq!(Tally::of(&Snapshot::read(&layout).unwrap()).unwrap().sum().stored, 5);
    assert_eq!(fs::read_dir(layout.retired()).unwrap().count(), 1, "one record a writer");
}

#[test]
fn a_clock_that_is_far_off_removes_nothing() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    seal_each(&mut store, &[&[at(0, 1)], &[at(100, 1)], &[at(200, 1)]]);
    commit(&mut store, &[at(201, 1)]);
    let retention = Retention { age: Some(Duration::from_millis(150 * HOUR_MS)), ..Retention::default() };
    let right = (HOUR_14 + 202 * HOUR_MS) as i64;
    let ten_years_ahead = right + 10 * 365 * 24 * HOUR_MS as i64;
    let error = retain(&layout, &retention, ten_years_ahead).unwrap_err().to_string();
    let expected = "no hour was removed: the clock says 2035-10-04T00:00:00Z, 3650 days after the newest entry \
                    (2025-10-05T23:00:00Z): see that it is right";
    assert_eq!(error, expected);
    assert_eq!(ids(&layout).len(), 4);
    let found = find_retired(&layout, &retention, ten_years_ahead).unwrap();
    assert!(matches!(found.refusal, Some(Refusal::ClockAhead { .. })), "a dry run says it, too: {found:?}");
    assert_eq!(retain(&layout, &retention, right).unwrap().hours.len(), 1);
    let checked = Retention { even_if_odd: true, ..retention };
    assert_eq!(retain(&layout, &checked, ten_years_ahead).unwrap().hours.len(), 2, "somebody has seen to it");
}

#[test]
fn retention_never_leaves_nothing_by_itself() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    seal_each(&mut store, &[&[at(0, 1)], &[at(1, 1)]]);
    let all = Retention { bytes: Some(1), ..Retention::default() };
    let now = (HOUR_14 + 3 * HOUR_MS) as i64;
    let error = retain(&layout, &all, now).unwrap_err().to_string();
    assert_eq!(error, "no hour was removed: nothing would be left: all 2 hours would go");
    assert_eq!(ids(&layout).len(), 2);
    assert_eq!(retain(&layout, &Retention { even_if_odd: true, ..all }, now).unwrap().hours.len(), 2);
}

#[test]
fn a_damaged_file_does_not_hold_back_what_is_too_old() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    seal_each(&mut store, &[&[at(0, 1)], &[at(1, 1)], &[at(2, 1)], &[at(3, 1)]]);
    let damaged = files(&layout).remove(1);
    fs::write(&damaged, b"PAR1 no more").unwrap();
    add_a_column(&files(&layout)[2]);
    let retention = Retention { age: Some(Duration::from_millis(HOUR_MS)), ..Retention::default() };
    let retired = retain(&layout, &retention, (HOUR_14 + 4 * HOUR_MS) as i64).unwrap();
    assert_eq!((retired.hours.len(), retired.files.len()), (3, 2));
    let [failed] = retired.failed.as_slice() else { panic!("{:?}", retired.failed) };
    assert!(failed.to_string().starts_with(&damaged.display().to_string()), "{failed}");
    assert_eq!(ids(&layout), [at(3, 1)]);
    let kept: Vec<_> = all_files(&layout.quarantine());
    assert_eq!(kept.len(), 1, "nothing that could not be counted is deleted: {kept:?}");
    assert_eq!(Tally::of(&Snapshot::read(&layout).unwrap()).unwrap().sum().stored, 3, "and what went is counted");
}

/// A store with every kind of file in it.
fn store_of_all_kinds() -> (TempDir, Layout) {
    let (folder, layout) = layout();
    let mut store = open(&layout);
    seal_each(&mut store, &[&[at(0, 1)]]);
    retain(&layout, &Retention { age: None, bytes: Some(0), even_if_odd: true }, END).unwrap();
    remove_superseded_files(&layout, Duration::ZERO).unwrap();
    let loss = Loss { from: at(0, 1), to: at(1, 1), lost: 6, noticed_at: 7 };
    commit_after(&mut store, &[at(1, 1), at(1, 2)], Some(loss));
    quarantine(&mut store, at(1, 3));
    store.close_segment().unwrap();
    seal_all(&mut store);
    store.remove_superseded(Duration::ZERO).unwrap();
    commit(&mut store, &[at(2, 1)]);
    commit(&mut store, &[at(2, 2)]);
    let letter = DeadLetter {
        id: at(1, 1),
        signal: "logs".into(),
        reason: "400 Bad Request".into(),
        service: "worker".into(),
        event_type: "job.claimed".into(),
        event: "{}".into(),
        noticed_at: 7,
    };
    DeadLetters::of(&layout).add(&letter).unwrap();
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
    assert_eq!(kinds, 7, "a partition, a segment, four sidecars, and the identity");
}

#[test]
fn a_checksum_that_is_gone_is_missed_in_files_of_any_version() {
    let (_folder, layout) = layout();
    seal_each(&mut open(&layout), &[&[at(0, 1)]]);
    let path = files(&layout).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    let place_of = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).rposition(|window| window == text).unwrap();
    let version = place_of(&bytes, b"emp-events 0.");
    bytes[version + b"emp-events ".len()] = b'7';
    let key = place_of(&bytes, CHECKSUM_KEY.as_bytes());
    bytes[key] ^= 1;
    fs::write(&path, bytes).unwrap();
    let findings = verify(&layout, &mut |_| {}).unwrap().findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].detail, "its checksum is gone");
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
    let compacted = compact_all(&layout);
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
