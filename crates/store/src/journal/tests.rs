use std::fs;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{Layout, SegmentName, StoreError, StoreWriter, Writer};
use emp_event::{EntryId, Level};

fn row(seq: u64, data: &str) -> Row<'_> {
    Row {
        id: EntryId::new(1_758_981_600_000, seq),
        timestamp: -5,
        service: "worker",
        event_type: "job.claimed",
        level: Level::Warn,
        trace_id: None,
        job_id: Some("job_1"),
        worker_id: Some(""),
        machine_id: None,
        user_id: Some("ü"),
        duration_ms: Some(0.5),
        data,
    }
}

fn commit(number: u64) -> Commit<'static> {
    let id = EntryId::new(1_758_981_600_000, number * 10 + 5);
    let entry = Quarantined { id, reason: "no service".into(), entry: "{}".into(), noticed_at: 1 };
    let loss = Loss { from: EntryId::ZERO, to: id, lost: number, noticed_at: 2 };
    Commit {
        position: number,
        rows: vec![row(number * 10, r#"{"a":1}"#), row(number * 10 + 1, "{}")],
        quarantined: vec![entry],
        losses: vec![loss],
    }
}

/// A segment with three commits, and where each of its frames ends.
fn segment() -> (TempDir, PathBuf, Vec<u64>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w_0-0.journal");
    let header = Header { writer: "w", after: EntryId::ZERO, position: Some(9) };
    let mut writer = SegmentWriter::create(&Layout::new(folder.path()), &path, &header).unwrap();
    let mut ends = vec![writer.bytes()];
    for number in 1..=3 {
        writer.append(&commit(number)).unwrap();
        ends.push(writer.bytes());
    }
    (folder, path, ends)
}

/// How many commits a reader finds, each checked against what was written.
fn readable(path: &Path) -> u64 {
    let mut reader = SegmentReader::open(path).unwrap();
    if reader.header().unwrap().is_none() {
        return 0;
    }
    let mut number = 0;
    while let Some(found) = reader.next_commit().unwrap() {
        number += 1;
        assert_eq!(found, commit(number));
    }
    number
}

#[test]
fn what_was_committed_is_read_back() {
    let (_folder, path, ends) = segment();
    let mut reader = SegmentReader::open(&path).unwrap();
    assert_eq!(reader.header().unwrap(), Some(Header { writer: "w", after: EntryId::ZERO, position: Some(9) }));
    assert_eq!(readable(&path), 3);
    assert_eq!(fs::metadata(&path).unwrap().len(), ends[3]);
}

#[test]
fn a_segment_cut_anywhere_keeps_every_whole_commit() {
    let (_folder, path, ends) = segment();
    let bytes = fs::read(&path).unwrap();
    for length in 0..bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        let whole = ends[1..].iter().filter(|end| **end <= length as u64).count() as u64;
        assert_eq!(readable(&path), whole, "cut at {length}");
    }
}

#[test]
fn a_flipped_bit_costs_its_own_commit_and_no_other() {
    let (_folder, path, ends) = segment();
    let bytes = fs::read(&path).unwrap();
    for (place, bit) in (0..bytes.len()).flat_map(|place| (0..8).map(move |bit| (place, bit))) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1 << bit;
        fs::write(&path, &damaged).unwrap();
        // The header is frame 0, and commit n is frame n.
        let hit = ends.iter().filter(|end| **end <= place as u64).count() as u64;
        let mut reader = SegmentReader::open(&path).unwrap();
        let context = format!("bit {bit} of byte {place}");
        let is_in_header = hit == 0 && place >= 8;
        assert_eq!(reader.header().unwrap().is_none(), is_in_header, "{context}");
        for number in (1..=3).filter(|number| *number != hit) {
            assert_eq!(reader.next_commit().unwrap(), Some(commit(number)), "{context}");
        }
        assert_eq!(reader.next_commit().unwrap(), None, "{context}");
        let damage = reader.damage();
        assert_eq!((damage.ranges.len(), damage.has_header), (1, is_in_header), "{context}: {damage:?}");
    }
}

#[test]
fn a_commit_that_stands_there_twice_is_read_once() {
    let (_folder, path, ends) = segment();
    let mut bytes = fs::read(&path).unwrap();
    let [.., from, to] = ends[..3] else { panic!("{ends:?}") };
    bytes.extend_from_within(from as usize..to as usize);
    fs::write(&path, bytes).unwrap();
    assert_eq!(readable(&path), 3);
}

#[test]
fn a_resumed_segment_goes_on_where_it_ended() {
    let (_folder, path, ends) = segment();
    let mut writer = SegmentWriter::resume(&Layout::new(path.parent().unwrap()), &path, ends[3]).unwrap();
    writer.append(&commit(4)).unwrap();
    assert_eq!(readable(&path), 4);
}

#[test]
fn a_commit_whose_events_do_not_rise_cannot_be_sealed_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    fs::create_dir(layout.journal()).unwrap();
    let name = SegmentName { writer: Writer::new("w").unwrap(), after: EntryId::ZERO };
    let header = Header { writer: "w", after: EntryId::ZERO, position: Some(0) };
    let mut segment = SegmentWriter::create(&layout, &layout.segment(&name), &header).unwrap();
    let rows = vec![row(2, "{}"), row(1, "{}")];
    segment.append(&Commit { position: 2, rows, quarantined: Vec::new(), losses: Vec::new() }).unwrap();
    let mut store = StoreWriter::open(&layout, "w").unwrap();
    store.close_segment().unwrap();
    let refused = store.next_to_seal().unwrap().run().unwrap_err();
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(tail in vec(any::<u8>(), 0..200), keep in 0_usize..200) {
        let (_folder, path, _) = segment();
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(keep);
        bytes.extend(tail);
        fs::write(&path, bytes).unwrap();
        let mut reader = SegmentReader::open(&path).unwrap();
        while let Ok(Some(_)) = reader.next_commit() {}
    }
}
