use std::fs;

use super::*;

#[test]
fn a_commit_is_seen_at_once_and_sealing_changes_nothing_for_a_reader() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    let all = [at(0, 1), at(0, 2), at(0, 10)];
    commit(&mut store, &all[..2]);
    commit(&mut store, &all[2..]);
    assert_eq!(ids(&layout), all);

    store.close_segment().unwrap();
    let task = store.next_to_seal().unwrap();
    let sealed = task.run().unwrap();
    assert_eq!(ids(&layout), all, "the segment is still there beside its Parquet file");
    store.sealed(&sealed);
    assert_eq!((sealed.rows, ids(&layout).len()), (3, 3));
    let expected = layout.root().join(format!("date=2025-09-27/hour=14/w1_{}_{}.parquet", all[0], all[2]));
    assert_eq!(sealed.parquet, Some(expected));
}

#[test]
fn a_batch_that_crosses_the_hour_makes_two_partitions() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    let all = [at(0, 1), at(0, 2), at(1, 0), at(3, 0)];
    commit(&mut store, &all);
    store.close_segment().unwrap();
    seal_all(&mut store);
    let snapshot = Snapshot::read(&layout).unwrap();
    let hours: Vec<String> = snapshot.partitions.iter().map(|partition| partition.hour.hour()).collect();
    assert_eq!(hours, ["14", "15", "17"]);
    assert_eq!(ids(&layout), all);
    assert_eq!(store.position(), Some(4));
}

#[test]
fn an_hour_is_closed_when_it_is_over_and_not_before() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    commit(&mut store, &[at(0, 1)]);
    store.close_ended_hour((HOUR_14 + HOUR_MS) as i64 - 1).unwrap();
    assert!(store.next_to_seal().is_none());
    store.close_ended_hour((HOUR_14 + HOUR_MS) as i64).unwrap();
    assert_eq!(seal_all(&mut store).len(), 1);
}

#[test]
fn the_quarantine_and_the_losses_move_with_their_segment() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    commit(&mut store, &[at(0, 1)]);
    quarantine(&mut store, at(0, 2));
    let loss = Loss { from: at(0, 2), to: at(0, 9), lost: 6, noticed_at: 7 };
    commit_after(&mut store, &[at(0, 9)], Some(loss));
    let check = |layout: &Layout| {
        let snapshot = Snapshot::read(layout).unwrap();
        assert_eq!(snapshot.quarantine.iter().map(|record| record.unwrap().1.id).collect::<Vec<_>>(), [at(0, 2)]);
        assert_eq!((snapshot.quarantine.count().unwrap(), snapshot.losses.count().unwrap()), (1, 1));
        let losses: Vec<_> = snapshot.losses.iter().map(Result::unwrap).collect();
        assert_eq!(losses, [("w1".parse().unwrap(), loss)]);
    };
    check(&layout);
    store.close_segment().unwrap();
    let task = store.next_to_seal().unwrap();
    let sealed = task.run().unwrap();
    check(&layout);
    fs::remove_file(&sealed.segment).unwrap();
    check(&layout);
    assert_eq!(store.position(), Some(9));
}

#[test]
fn a_segment_of_nothing_but_quarantined_entries_makes_no_partition() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    quarantine(&mut store, EntryId::new(u64::MAX, 0));
    store.close_segment().unwrap();
    let sealed = seal_all(&mut store);
    assert_eq!(sealed[0].parquet, None);
    assert_eq!(Snapshot::read(&layout).unwrap().quarantine.count().unwrap(), 1);
}

#[test]
fn one_collector_at_a_time_works_on_a_store() {
    let (_folder, layout) = layout();
    let store = open(&layout);
    let error = StoreWriter::open(&layout, "w2").err().unwrap();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    drop(store);
    open(&layout);
}

#[test]
fn a_name_that_cannot_stand_in_a_file_name_is_refused() {
    let (_folder, layout) = layout();
    let error = StoreWriter::open(&layout, "my_host").err().unwrap();
    assert!(error.to_string().starts_with("`my_host` cannot name a writer"), "{error}");
}

#[test]
fn foreign_files_in_a_partition_are_named_and_left_out() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    commit(&mut store, &[at(0, 1)]);
    store.close_segment().unwrap();
    seal_all(&mut store);
    let hour = layout.partition(Hour::of_ms(HOUR_14 as i64));
    fs::write(hour.join("part-0.parquet"), b"PAR1").unwrap();
    fs::write(hour.join(".hidden"), b"").unwrap();
    fs::create_dir_all(layout.root().join("date=2025-09-27/hour=4")).unwrap();
    fs::write(layout.root().join("README.md"), b"").unwrap();
    let snapshot = Snapshot::read(&layout).unwrap();
    let mut reasons: Vec<String> = snapshot.skipped.iter().map(ToString::to_string).collect();
    reasons.sort();
    assert_eq!(snapshot.partitions.len(), 1);
    assert_eq!(reasons.len(), 2);
    assert!(reasons[0].contains("part-0.parquet is damaged: its name is not"), "{}", reasons[0]);
    assert!(reasons[1].contains("hour=4 is damaged: it is no"), "{}", reasons[1]);
}

#[test]
fn a_bare_folder_of_partitions_is_a_store() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    commit(&mut store, &[at(0, 1), at(1, 1)]);
    store.close_segment().unwrap();
    seal_all(&mut store);
    fs::remove_dir_all(layout.journal()).unwrap();
    assert_eq!(ids(&layout), [at(0, 1), at(1, 1)]);
}

#[test]
fn a_missing_store_is_named() {
    let error = Snapshot::read(&Layout::new("/nowhere/at/all")).unwrap_err();
    assert_eq!(error.to_string(), "cannot open the store /nowhere/at/all: No such file or directory (os error 2)");
}

/// The permissions of everything below a folder, in octal digits.
fn modes(folder: &Path) -> std::collections::BTreeSet<(bool, String)> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut found = std::collections::BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
        found.insert((path.is_dir(), format!("{mode:o}")));
        if path.is_dir() {
            found.extend(modes(&path));
        }
    }
    found
}

/// A life in which files and folders of all kinds come to be.
fn write_all_kinds(layout: &Layout) {
    let mut store = open(layout);
    let loss = Loss { from: EntryId::ZERO, to: at(0, 1), lost: 2, noticed_at: 0 };
    commit_after(&mut store, &[at(0, 1), at(0, 2)], Some(loss));
    quarantine(&mut store, at(0, 3));
    store.close_segment().unwrap();
    seal_all(&mut store);
    request_seal(layout).unwrap();
    drop(store);
    drop(open(layout));
}

#[test]
fn what_is_written_is_for_its_owner_alone() {
    let (_folder, layout) = layout();
    write_all_kinds(&layout);
    let modes = modes(layout.root().parent().unwrap());
    assert_eq!(modes, [(false, "600".to_owned()), (true, "700".to_owned())].into());
}

#[test]
fn a_folder_that_is_shared_with_its_group_makes_a_store_that_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_folder, layout) = layout();
    fs::create_dir(layout.root()).unwrap();
    fs::set_permissions(layout.root(), fs::Permissions::from_mode(0o2750)).unwrap();
    write_all_kinds(&layout);
    assert_eq!(modes(layout.root()), [(false, "640".to_owned()), (true, "2750".to_owned())].into());
}

#[test]
fn a_damaged_record_costs_itself_only() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    (1..=3).for_each(|seq| quarantine(&mut store, at(0, seq)));
    store.close_segment().unwrap();
    seal_all(&mut store);
    let sidecar = fs::read_dir(layout.quarantine()).unwrap().next().unwrap().unwrap().path();
    let text =
        fs::read_to_string(&sidecar).unwrap().replacen("missing", "missinG", 2).replacen("missinG", "missing", 1);
    fs::write(&sidecar, text).unwrap();
    let snapshot = Snapshot::read(&layout).unwrap();
    let (found, damaged): (Vec<_>, Vec<_>) = snapshot.quarantine.iter().partition(Result::is_ok);
    let found: Vec<EntryId> = found.into_iter().map(|record| record.unwrap().1.id).collect();
    assert_eq!(found, [at(0, 1), at(0, 3)]);
    let error = damaged[0].as_ref().unwrap_err().to_string();
    assert!(damaged.len() == 1 && error.ends_with("line 2: its checksum does not hold"), "{error}");
}
