//! Files into a store, through the room's door.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::Read as _;

use emp_import::{Format, ImportError, Importer, Summary, preview};
use emp_store::{Layout, Retention, Snapshot, events_of, retain, verify};

/// 2025-09-27 14:00:00 UTC.
const HOUR_14: u64 = 1_758_981_600_000;

fn event(number: u64) -> String {
    let ms = HOUR_14 + number * 36_000;
    format!("{{\"timestamp\":{ms},\"service\":\"worker\",\"eventType\":\"job.claimed\",\"jobId\":\"job_{number}\"}}\n")
}

fn events(numbers: impl Iterator<Item = u64>) -> String {
    numbers.map(event).collect()
}

fn store() -> (tempfile::TempDir, Layout) {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path().join("store"));
    (folder, layout)
}

#[track_caller]
fn import(layout: &Layout, text: impl AsRef<[u8]>) -> Summary {
    let mut importer = Importer::new(layout, Format::default()).unwrap();
    importer.add(text.as_ref(), &mut |_| {}).unwrap();
    let (summary, stored) = importer.finish();
    stored.unwrap();
    summary
}

#[track_caller]
fn refused(layout: &Layout, text: impl AsRef<[u8]>) -> String {
    let mut importer = Importer::new(layout, Format::default()).unwrap();
    let error = importer.add(text.as_ref(), &mut |_| {}).unwrap_err();
    let (summary, stored) = importer.finish();
    stored.unwrap();
    assert_eq!(summary, Summary::default());
    assert!(!matches!(error, ImportError::Store(_) | ImportError::Read(_)), "{error}");
    error.to_string()
}

fn of(events: u64, already_there: u64) -> Summary {
    Summary { events, already_there, ..Summary::default() }
}

/// The job ids of all events, in the order of IDs.
fn jobs(layout: &Layout) -> Vec<String> {
    let Ok(snapshot) = Snapshot::read(layout) else { return Vec::new() };
    let mut all = Vec::new();
    for file in snapshot.partitions {
        let bytes = std::fs::File::open(&file.path).unwrap();
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        for batch in reader.build().unwrap() {
            all.extend(events_of(&batch.unwrap(), &file.path).unwrap());
        }
    }
    all.sort_by_key(|event| event.id);
    all.into_iter().map(|event| event.job_id.map_or_else(String::new, |id| id.into_owned())).collect()
}

#[track_caller]
fn assert_jobs(layout: &Layout, numbers: impl Iterator<Item = u64>) {
    let expected: Vec<String> = numbers.map(|number| format!("job_{number}")).collect();
    assert_eq!(jobs(layout), expected);
    assert!(verify(layout, &mut |_| {}).unwrap().findings.is_empty());
}

#[test]
fn a_line_is_taken_once_from_whatever_files_it_stands_in() {
    let (_folder, layout) = store();
    assert_eq!(import(&layout, events(1..=120)), of(120, 0));
    assert_eq!(import(&layout, events(1..=150)), of(30, 120));
    assert_eq!(import(&layout, events(100..=260)), of(110, 51));
    assert_eq!(import(&layout, events((0..=300).rev())), of(41, 260));
    assert_jobs(&layout, 0..=300);
}

#[test]
fn files_that_begin_with_the_same_line_are_two_files() {
    let (_folder, layout) = store();
    let first = "{\"service\":\"worker\",\"eventType\":\"worker.started\"}\n".to_owned();
    assert_eq!(import(&layout, first.clone() + &events(1..=3)), of(4, 0));
    assert_eq!(import(&layout, first + &events(4..=9)), of(6, 1));
}

#[test]
fn equal_lines_of_a_file_are_several_events() {
    let (_folder, layout) = store();
    let beat = "{\"service\":\"worker\",\"eventType\":\"worker.heartbeat\"}\n";
    let (one, two) = (event(1), event(2));
    let text = [one.as_str(), &one, beat, &two, beat, beat, &one].concat();
    assert_eq!(import(&layout, &text), of(7, 0));
    assert_eq!(import(&layout, &text), of(0, 7));
}

#[test]
fn how_a_file_is_packed_and_parted_changes_no_line() {
    let (_folder, layout) = store();
    let mut gzip = Vec::new();
    for part in [events(1..=10), events(11..=20)] {
        let mut packed = flate2::read::GzEncoder::new(part.as_bytes(), flate2::Compression::fast());
        packed.read_to_end(&mut gzip).unwrap();
    }
    assert_eq!(import(&layout, gzip), of(20, 0));
    assert_eq!(import(&layout, zstd::encode_all(events(15..=25).as_bytes(), 1).unwrap()), of(5, 6));
    let marked = format!("\u{feff}{}", events(1..=30).replace('\n', "\r\n"));
    assert_eq!(import(&layout, marked), of(5, 25));
    let array = format!("[\n  {}\n]\n", events(1..=35).trim_end().replace('\n', ",\n  "));
    assert_eq!(import(&layout, array), of(5, 30));
    assert_eq!(import(&layout, events(1..=36).trim_end()), of(1, 35));
    assert_jobs(&layout, 1..=36);
}

#[test]
fn a_file_of_which_nothing_is_understood_leaves_nothing() {
    let (folder, layout) = store();
    assert!(refused(&layout, "starting\ndone\n").contains("line 1: the line is not a JSON object"));
    assert!(refused(&layout, "[1, 2, {}]").contains("is not a JSON object"));
    assert!(refused(&layout, [1, 2, 3, 200, 10, 7]).contains("no event was found"));
    assert!(refused(&layout, vec![b'x'; 40 << 20]).contains("the line has 41943040 bytes, more than 16777216"));
    assert!(refused(&layout, b"\xfd7zXZ\0\0\0").contains("unpack it first"));
    assert!(refused(&layout, b"\xff\xfe{\0}\0").contains("iconv"));
    let pino = "{\"level\":30,\"time\":1758981600000,\"msg\":\"hi\"}\n";
    assert!(refused(&layout, pino).contains("try `--from pino --preview`"));
    assert!(!folder.path().join("store").exists());
    let mixed = format!("starting\n{}{}\n", event(1), "y".repeat(17 << 20));
    assert_eq!(import(&layout, &mixed), Summary { quarantined: 2, ..of(1, 0) });
    assert_eq!(import(&layout, &mixed), of(0, 3));
}

#[test]
fn a_line_under_way_is_left_for_the_next_time() {
    let (_folder, layout) = store();
    let text = events(1..=2);
    let half = &text[..text.len() - 20];
    assert_eq!(import(&layout, half), Summary { incomplete: 1, ..of(1, 0) });
    assert_eq!(import(&layout, &text), of(1, 1));
    assert_eq!(import(&layout, ""), of(0, 0));
}

#[test]
fn what_retention_took_out_is_not_taken_again() {
    let (_folder, layout) = store();
    assert_eq!(import(&layout, events(1..=150)), of(150, 0));
    let after_an_hour = i64::try_from(HOUR_14).unwrap() + 2 * 3_600_000;
    let age = Retention { age: Some(std::time::Duration::from_secs(3_600)), bytes: None, even_if_odd: true };
    retain(&layout, &age, after_an_hour).unwrap();
    assert_jobs(&layout, 100..=150);
    assert_eq!(import(&layout, events(1..=160)), Summary { retired: 99, ..of(10, 150) });
    assert_jobs(&layout, 100..=160);
}

#[test]
fn what_version_0_2_has_imported_is_there() {
    use emp_event::{EntryId, JsonLine};
    use emp_store::{DirectWriter, Row, Writer};
    let (_folder, layout) = store();
    let first = event(1);
    let hash = xxhash_rust::xxh3::xxh3_64(first.trim_end().as_bytes());
    let mut earlier = DirectWriter::open(&layout, &Writer::new(&format!("import-{hash:016x}")).unwrap()).unwrap();
    for number in 1..=150 {
        let text = event(number);
        let id = EntryId::new(HOUR_14 + number * 36_000, 1 << 63 | (hash >> 32) << 31 | number);
        let line = JsonLine::parse(&text).unwrap();
        earlier.push_event(&Row::from(&line.decode(id).unwrap())).unwrap();
    }
    earlier.finish().unwrap();
    assert_eq!(import(&layout, events(1..=170)), of(20, 150));
    // Another file that begins alike was never there.
    assert_eq!(import(&layout, first + &events(1_000..=1_009)), of(10, 1));
}

#[test]
fn logs_of_libraries_are_read_and_a_preview_takes_nothing() {
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/suite/import");
    for library in ["pino", "winston", "bunyan"] {
        let text = std::fs::read(samples.join(format!("{library}.ndjson"))).unwrap();
        let format = Format::named(library).unwrap();
        let shown = preview(text.as_slice(), &format, 4).unwrap();
        assert_eq!((shown.lines, shown.events, shown.undated, shown.not_understood), (6, 6, 0, 0), "{library}");
        let failed = &shown.first[3];
        assert_eq!((failed.event_type.as_ref(), failed.level.as_str()), ("log.error", "error"), "{library}");
        assert!(failed.data.starts_with(r#"{"message":"job failed","error":"out of memory""#), "{}", failed.data);
        assert_eq!(shown.first[2].duration_ms, Some(412.5), "{library}");
        assert_eq!(shown.types[&("worker".to_owned(), "job.retry_scheduled".to_owned())], 1, "{library}");
        let (_folder, layout) = store();
        let mut importer = Importer::new(&layout, format).unwrap();
        importer.add(text.as_slice(), &mut |_| {}).unwrap();
        assert_eq!(importer.finish().0, of(6, 0), "{library}");
        assert_eq!(jobs(&layout), ["job_1", "job_1", "job_1", "job_1", "job_1", ""], "{library}");
    }
}
