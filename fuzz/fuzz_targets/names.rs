//! Names of files: what is read as one of ours is written the same way again, and what is written is read.

#![no_main]

use emp_event::EntryId;
use emp_store::{Hour, IdRange, Layout, SealedName, SegmentName, Writer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for extension in ["parquet", "ndjson"] {
        if let Some(name) = SealedName::parse(text, extension) {
            assert_eq!(name.with_extension(extension), text);
            assert!(name.ids.first <= name.ids.last);
            names_of(&name.writer, name.ids);
        }
    }
    if let Some(name) = SegmentName::parse(text) {
        assert_eq!(name.to_string(), text);
        names_of(&name.writer, IdRange { first: EntryId::ZERO, last: name.after });
    }
    if let Ok(writer) = text.parse::<Writer>() {
        assert_eq!(writer.to_string(), text);
        // What is a consumer's name is one in its first epoch.
        assert_eq!(Writer::new(text).is_ok(), writer.epoch() == 0);
    }
    if let Ok(id) = text.parse::<EntryId>() {
        assert_eq!(id.to_string().parse::<EntryId>().ok(), Some(id));
        partition_of(id);
    }
    if let Some((date, hour)) = text.split_once('/')
        && let Some(found) = Hour::from_partition(date, hour)
    {
        assert_eq!((found.date().as_str(), found.hour().as_str()), (date, hour));
        assert_eq!([found.start_ms(), found.end_ms() - 1].map(Hour::of_ms), [found; 2]);
    }
});

/// All names that such a writer gives to what it wrote.
fn names_of(writer: &Writer, ids: IdRange) {
    for writer in [writer.clone(), writer.in_epoch(0), writer.next_epoch()] {
        for ids in [ids, IdRange { first: ids.last, last: ids.last }] {
            let name = SealedName { writer: writer.clone(), ids };
            assert_eq!(SealedName::parse(&name.with_extension("parquet"), "parquet").as_ref(), Some(&name));
            let mut path = "folder/".to_owned();
            SealedName::push_parquet(&mut path, &writer, &ids);
            assert_eq!(path.strip_prefix("folder/"), Some(name.with_extension("parquet").as_str()));
        }
        let segment = SegmentName { writer, after: ids.last };
        assert_eq!(SegmentName::parse(&segment.to_string()), Some(segment));
    }
}

/// The folder of an entry's hour is that of the hour.
fn partition_of(id: EntryId) {
    let Some(ms) = id.ingested_at() else { return };
    let hour = Hour::of_ms(ms);
    assert!((hour.start_ms()..hour.end_ms()).contains(&ms));
    assert_eq!(Hour::from_partition(&hour.date(), &hour.hour()), Some(hour));
    let folder = Layout::new("store").partition(hour);
    assert_eq!(folder.to_str(), Some(format!("store/date={}/hour={}", hour.date(), hour.hour()).as_str()));
}
