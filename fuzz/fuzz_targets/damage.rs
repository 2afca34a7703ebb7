//! A journal segment that was damaged on the disk: each commit that was not hit is recovered, in order, and nothing else.
//!
//! Four bytes are one damage: where (16 bits, little endian), how, and what by.

#![no_main]

use std::ops::Range;
use std::sync::OnceLock;

use emp_event::EntryId;
use emp_fuzz::{HOUR_14, commit, ids, new_folder, seal_all};
use emp_store::{Batch, Item, Layout, Quarantined, SegmentName, StoreWriter, Writer, verify};
use libfuzzer_sys::fuzz_target;

/// How many bytes are zeroed at once: less than a block, more than a frame's beginning.
const ZEROED_BYTES: usize = 64;

/// A segment as the store writes it.
struct Segment {
    name: SegmentName,
    bytes: Vec<u8>,
    /// Where each commit stands, and the events in it.
    commits: Vec<(Range<usize>, Vec<EntryId>)>,
}

impl Segment {
    fn written() -> &'static Self {
        static WRITTEN: OnceLock<Segment> = OnceLock::new();
        WRITTEN.get_or_init(Self::write)
    }

    fn write() -> Self {
        let folder = new_folder();
        let layout = Layout::new(folder.path());
        let mut store = StoreWriter::open(&layout, "w1").expect("a store");
        let name = SegmentName { writer: Writer::new("w1").expect("a name"), after: EntryId::ZERO };
        let length = || std::fs::metadata(layout.segment(&name)).expect("the segment").len() as usize;
        let mut commits = Vec::new();
        for number in 0..6 {
            let (begin, first) = (length(), number * 10);
            let ids: Vec<EntryId> = (first..first + number % 3).map(|seq| EntryId::new(HOUR_14, seq + 1)).collect();
            match ids.as_slice() {
                [] => quarantine(&mut store, EntryId::new(HOUR_14, first + 1)),
                ids => commit(&mut store, ids),
            }
            commits.push((begin..length(), ids));
        }
        let bytes = std::fs::read(layout.segment(&name)).expect("the segment");
        Self { name, bytes, commits }
    }
}

fn quarantine(store: &mut StoreWriter, id: EntryId) {
    let entry = Quarantined { id, reason: "no service".into(), entry: "{}".into(), noticed_at: 7 };
    let (items, position) = ([Item::Quarantined(entry)], store.position().unwrap_or_default());
    store.commit(&Batch { items: &items, position, loss: None }).expect("the disk takes it");
}

/// Damages the bytes, and marks those that are others now.
fn damage(bytes: &mut Vec<u8>, orders: &[u8]) -> Vec<bool> {
    let whole = bytes.clone();
    for order in orders.chunks_exact(4) {
        let at = usize::from(u16::from_le_bytes([order[0], order[1]]));
        match order[2] % 8 {
            0 => bytes.truncate(at),
            1 => bytes.iter_mut().skip(at).take(ZEROED_BYTES).for_each(|byte| *byte = 0),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= order[3]),
        }
    }
    (0..whole.len()).map(|at| bytes.get(at) != Some(&whole[at])).collect()
}

fuzz_target!(|orders: &[u8]| {
    let segment = Segment::written();
    let mut bytes = segment.bytes.clone();
    let is_hit = damage(&mut bytes, orders);
    let is_whole = |(place, _): &&(Range<usize>, Vec<EntryId>)| !is_hit[place.clone()].contains(&true);
    let mut expected: Vec<EntryId> =
        segment.commits.iter().filter(is_whole).flat_map(|(_, ids)| ids.iter().copied()).collect();

    let folder = new_folder();
    let layout = Layout::new(folder.path());
    std::fs::create_dir(layout.journal()).expect("a folder");
    std::fs::write(layout.segment(&segment.name), bytes).expect("a file");
    assert_eq!(ids(&layout).expect("it is read"), expected, "as a reader sees it");

    let mut store = StoreWriter::open(&layout, "w1").expect("it is recovered");
    assert_eq!(ids(&layout).expect("it is read"), expected, "as it was recovered");
    let next = EntryId::new(HOUR_14, 1_000);
    commit(&mut store, &[next]);
    seal_all(&mut store).expect("it is sealed");
    expected.push(next);
    assert_eq!(ids(&layout).expect("it is read"), expected, "as it was sealed");
    assert_eq!(verify(&layout, &mut |_| {}).expect("it is verified").findings, []);
});
