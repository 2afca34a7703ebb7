use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::*;

fn journal_files(layout: &Layout) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(layout.journal())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "journal"))
        .collect();
    files.sort();
    files
}

#[test]
fn a_reopened_store_knows_where_it_had_got_to() {
    let (_folder, layout) = layout();
    let store = open(&layout);
    assert_eq!((store.watermark(), store.position()), (EntryId::ZERO, None));
    drop(store);
    let mut store = open(&layout);
    assert_eq!(store.position(), None, "nothing committed, nothing known");
    let loss = Loss { from: EntryId::ZERO, to: at(0, 1), lost: 40, noticed_at: 0 };
    commit_after(&mut store, &[at(0, 1), at(0, 2)], Some(loss));
    drop(store);

    let mut store = open(&layout);
    assert_eq!((store.watermark(), store.position()), (at(0, 2), Some(42)));
    commit(&mut store, &[at(0, 3)]);
    assert_eq!(journal_files(&layout).len(), 1, "an intact segment goes on");
    assert_eq!(ids(&layout), [at(0, 1), at(0, 2), at(0, 3)]);
}

#[test]
fn only_this_writers_own_leftovers_are_removed() {
    let (_folder, layout) = layout();
    drop(open(&layout));
    let file = |name: &str| layout.journal().join(name);
    let ours = ["w1.0.parquet.tmp", "w1.e2.sidecar.tmp", "w1_5-0.journal.tmp"].map(file);
    let others = file("w10.0.parquet.tmp");
    for path in ours.iter().chain([&others]) {
        fs::write(path, "begun").unwrap();
    }
    drop(open(&layout));
    assert!(ours.iter().all(|path| !path.exists()));
    assert!(others.exists(), "another writer may have begun it this moment");
}

/// Makes a file look as if it had been written that long ago.
fn age(path: &Path, by: Duration) {
    let file = OpenOptions::new().append(true).open(path).unwrap();
    file.set_modified(std::time::SystemTime::now() - by).unwrap();
}

#[test]
fn what_any_writer_left_over_goes_and_what_one_still_writes_stays() {
    let (_folder, layout) = layout();
    let _collector = open(&layout);
    let names = ["spool-1.parquet.7.0.tmp", "gone.sidecar.7.1.tmp", "probe.7.tmp", "seal.7.tmp"];
    let left_over = names.map(|name| layout.journal().join(name));
    for path in &left_over {
        fs::write(path, "begun").unwrap();
        age(path, 2 * SUPERSEDED_GRACE);
    }
    // An import that has been waiting for its next line for long.
    let _import = PartitionWriter::create(&layout, &Writer::new("spool-2").unwrap()).unwrap();
    let at_work: Vec<PathBuf> = fs::read_dir(layout.journal())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("spool-2"))
        .collect();
    age(&at_work[0], 2 * SUPERSEDED_GRACE);
    remove_superseded_files(&layout, SUPERSEDED_GRACE).unwrap();
    assert!(left_over.iter().all(|path| !path.exists()), "a collector at work removes them as it tidies up");
    assert!(at_work[0].exists(), "somebody writes to it");
}

#[test]
fn where_reading_begins_is_known_before_anything_was_read() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    store.begin_at(70).unwrap();
    drop(store);
    let mut store = open(&layout);
    assert_eq!((store.watermark(), store.position()), (EntryId::ZERO, Some(70)));
    store.close_segment().unwrap();
    assert!(store.next_to_seal().is_none(), "there is nothing to seal");
}

#[test]
fn after_everything_was_sealed_the_position_is_still_known() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    commit(&mut store, &[at(0, 1), at(0, 2)]);
    store.close_segment().unwrap();
    seal_all(&mut store);
    drop(store);
    let store = open(&layout);
    assert_eq!((store.watermark(), store.position()), (at(0, 2), Some(2)));
}

#[test]
fn without_a_journal_the_names_of_the_partitions_tell_what_is_stored() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    commit(&mut store, &[at(0, 1), at(2, 7)]);
    quarantine(&mut store, at(2, 9));
    store.close_segment().unwrap();
    seal_all(&mut store);
    drop(store);
    fs::remove_dir_all(layout.journal()).unwrap();
    assert_eq!(open(&layout).watermark(), at(2, 9));
}

#[test]
fn a_torn_tail_is_kept_aside_and_the_rest_goes_on() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    commit(&mut store, &[at(0, 1)]);
    drop(store);
    let segment = journal_files(&layout).remove(0);
    OpenOptions::new().append(true).open(&segment).unwrap().write_all(b"half a commit").unwrap();
    assert_eq!(ids(&layout), [at(0, 1)], "a reader needs no recovery");

    let mut store = open(&layout);
    let kept_aside = store.take_kept_aside();
    let [KeptAside { path, bytes: 13, is_tail: true }] = kept_aside.as_slice() else { panic!("{kept_aside:?}") };
    assert_eq!(fs::read(path).unwrap(), b"half a commit");
    assert_eq!(store.watermark(), at(0, 1));
    commit(&mut store, &[at(0, 2)]);
    seal_all(&mut store);
    assert_eq!(ids(&layout), [at(0, 1), at(0, 2)]);
}

#[test]
fn a_segment_cut_at_any_byte_is_recovered() {
    let (_folder, first) = layout();
    let mut store = open(&first);
    commit(&mut store, &[at(0, 1)]);
    commit(&mut store, &[at(0, 2)]);
    store.close_segment().unwrap();
    commit(&mut store, &[at(0, 3)]);
    drop(store);
    let newest = journal_files(&first).pop().unwrap();
    let bytes = fs::read(&newest).unwrap();
    for length in 0..=bytes.len() {
        fs::write(&newest, &bytes[..length]).unwrap();
        let (_folder, copy) = layout();
        copy_journal(&first, &copy);
        let mut store = open(&copy);
        let stored = if length == bytes.len() { 3 } else { 2 };
        assert_eq!(store.watermark(), at(0, stored), "cut at {length}");
        assert_eq!(store.position(), Some(stored), "cut at {length}");
        commit(&mut store, &[at(0, 4)]);
        store.close_segment().unwrap();
        seal_all(&mut store);
        let all: Vec<EntryId> = (1..=stored).chain([4]).map(|seq| at(0, seq)).collect();
        assert_eq!(ids(&copy), all, "cut at {length}");
    }
}

#[test]
fn a_seal_that_was_interrupted_is_done_again() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    commit(&mut store, &[at(0, 1)]);
    store.close_segment().unwrap();
    let sealed = store.next_to_seal().unwrap().run().unwrap();
    drop(store);
    fs::remove_file(sealed.parquet.unwrap()).unwrap();
    let mut store = open(&layout);
    assert_eq!(seal_all(&mut store).len(), 1);
    drop(store);
    // Done once more, it changes nothing.
    assert_eq!(seal_all(&mut open(&layout)).len(), 1);
    assert_eq!(ids(&layout), [at(0, 1)]);
}

#[test]
fn a_stream_that_begins_anew_may_repeat_its_ids() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    commit(&mut store, &[at(0, 1), at(0, 2)]);
    store.begin_epoch(EntryId::ZERO, 0).unwrap();
    assert_eq!((store.watermark(), store.position()), (EntryId::ZERO, Some(0)));
    commit(&mut store, &[at(0, 1)]);
    assert_eq!(ids(&layout), [at(0, 1), at(0, 1), at(0, 2)]);
    drop(store);
    let mut store = open(&layout);
    assert_eq!((store.writer().to_string().as_str(), store.watermark()), ("w1.e1", at(0, 1)));
    store.close_segment().unwrap();
    seal_all(&mut store);
    assert_eq!(ids(&layout), [at(0, 1), at(0, 1), at(0, 2)]);
}

fn copy_journal(from: &Layout, to: &Layout) {
    fs::create_dir_all(to.journal()).unwrap();
    for path in journal_files(from) {
        fs::copy(&path, to.journal().join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn what_was_damaged_in_a_closed_segment_is_kept_aside_when_it_is_sealed() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    commit(&mut store, &[at(0, 1)]);
    commit(&mut store, &[at(0, 2)]);
    store.close_segment().unwrap();
    let segment = &journal_files(&layout)[0];
    let mut bytes = fs::read(segment).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(segment, bytes).unwrap();
    let sealed = seal_all(&mut store).remove(0);
    let [KeptAside { path, bytes, is_tail: true }] = sealed.damaged.as_slice() else { panic!("{:?}", sealed.damaged) };
    assert_eq!((sealed.rows, fs::metadata(path).unwrap().len()), (1, *bytes));
}

/// Where each frame of a segment begins, and where the last one ends, by the lengths before them.
fn frames(segment: &[u8]) -> Vec<usize> {
    let mut starts = vec![8];
    while let Some(length) = segment.get(starts[starts.len() - 1]..).and_then(|rest| rest.first_chunk()) {
        starts.push(starts[starts.len() - 1] + 8 + u32::from_le_bytes(*length) as usize);
    }
    starts
}

#[test]
fn damage_in_a_segment_costs_the_commit_that_it_hit_and_no_other() {
    let (_folder, first) = layout();
    let mut store = open(&first);
    (1..=4).for_each(|seq| commit(&mut store, &[at(0, seq)]));
    drop(store);
    let segment = journal_files(&first).remove(0);
    let bytes = fs::read(&segment).unwrap();
    let starts = frames(&bytes);
    // In the magic bytes, the header, and the second commit: in its length, its checksum, its contents.
    let places = [(3, None), (starts[0], None), (starts[0] + 9, None)];
    let in_commit = [0, 3, 5, 20].map(|offset| (starts[2] + offset, Some(at(0, 2))));
    for (place, hit) in places.into_iter().chain(in_commit) {
        let (_folder, layout) = layout();
        copy_journal(&first, &layout);
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x55;
        fs::write(&journal_files(&layout)[0], damaged).unwrap();
        let expected: Vec<EntryId> = (1..=4).map(|seq| at(0, seq)).filter(|id| Some(*id) != hit).collect();
        assert_eq!(ids(&layout), expected, "as a reader sees it, byte {place}");
        let mut store = open(&layout);
        assert_eq!((store.watermark(), store.position()), (at(0, 4), Some(4)), "byte {place}");
        let kept_aside = store.take_kept_aside();
        let kept: u64 = kept_aside.iter().map(|kept| kept.bytes).sum();
        assert!(kept > 0 && kept <= 200, "what is damaged, and nothing else: {kept_aside:?}, byte {place}");
        commit(&mut store, &[at(0, 5)]);
        store.close_segment().unwrap();
        seal_all(&mut store);
        assert_eq!(ids(&layout), [expected, vec![at(0, 5)]].concat(), "byte {place}");
        assert_eq!(verify(&layout, &mut |_| {}).unwrap().findings, [], "byte {place}");
    }
}

#[test]
fn a_closed_segment_that_was_damaged_is_sealed_with_all_that_is_whole() {
    let (_folder, layout) = layout();
    let mut store = open(&layout);
    (1..=3).for_each(|seq| commit(&mut store, &[at(0, seq)]));
    store.close_segment().unwrap();
    let segment = &journal_files(&layout)[0];
    let mut bytes = fs::read(segment).unwrap();
    let second = frames(&bytes)[2];
    bytes[second + 20] ^= 1;
    fs::write(segment, bytes).unwrap();
    let sealed = seal_all(&mut store).remove(0);
    assert_eq!((sealed.rows, sealed.damaged.len()), (2, 1));
    assert_eq!(ids(&layout), [at(0, 1), at(0, 3)]);
}

#[test]
fn files_from_elsewhere_say_nothing_about_what_was_read() {
    let (_folder, layout) = layout();
    let mut partition = PartitionWriter::create(&layout, &Writer::new("simulate").unwrap()).unwrap();
    let fields = [("service", "worker"), ("eventType", "job.claimed")];
    let event = decode(at(99, 1), &fields).unwrap();
    partition.push(&Row::from(&event)).unwrap();
    partition.finish().unwrap();
    assert_eq!(open(&layout).floor(), EntryId::ZERO);
}
