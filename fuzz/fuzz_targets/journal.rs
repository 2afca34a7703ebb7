//! Any bytes in place of a journal segment, checksums that hold among them: nothing panics, what a reader sees is
//! what recovery keeps, and recovering twice is as good as once.

#![no_main]

use emp_event::EntryId;
use emp_fuzz::{ids, new_folder, seal_all};
use emp_store::{Hour, Layout, SegmentName, StoreWriter, Writer};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

const MAGIC_BYTES: usize = 8;
const PREFIX_BYTES: usize = 8;

fuzz_target!(|bytes: &[u8]| {
    let folder = new_folder();
    let layout = Layout::new(folder.path());
    let name = SegmentName { writer: Writer::new("w1").expect("a name"), after: EntryId::ZERO };
    std::fs::create_dir(layout.journal()).expect("a folder");
    std::fs::write(layout.segment(&name), bytes).expect("a file");
    let read = ids(&layout);
    // A payload that is none of this version is refused.
    let Ok(mut store) = StoreWriter::open(&layout, "w1") else { return };
    let read = read.expect("recovery reads what a reader does not");
    assert_eq!(ids(&layout).expect("it is read"), read, "recovery changes nothing");
    let watermark = store.watermark();
    drop(store);
    store = StoreWriter::open(&layout, "w1").expect("it was recovered before");
    assert_eq!(store.watermark(), watermark);
    // Under checksums that were made to hold stands also what no collector writes: then sealing may refuse it.
    let rises = read.is_sorted_by(|a, b| a < b);
    let mut hours = read.iter().filter_map(|id| id.ingested_at()).map(Hour::of_ms);
    let is_one_hour = hours.next().is_none_or(|first| hours.all(|hour| hour == first));
    if seal_all(&mut store).is_ok() && rises && is_one_hour {
        assert_eq!(ids(&layout).expect("it is read"), read, "as it was sealed");
    }
});

// Mutations alone would never meet a checksum: most of the time those of all frames are made to hold.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let size = fuzzer_mutate(data, size, max_size);
    if !seed.is_multiple_of(4) {
        make_checksums_hold(&mut data[..size]);
    }
    size
});

fn make_checksums_hold(bytes: &mut [u8]) {
    let mut at = MAGIC_BYTES;
    while let Some(length) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let begin = at + PREFIX_BYTES;
        let end = begin.saturating_add(u32::from_le_bytes(*length) as usize);
        let Some(payload) = bytes.get(begin..end) else { return };
        let checksum = crc32fast::hash(payload).to_le_bytes();
        bytes[at + 4..begin].copy_from_slice(&checksum);
        at = end;
    }
}
