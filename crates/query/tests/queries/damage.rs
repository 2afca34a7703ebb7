//! Files that cannot be read are named and left out; the rest is answered.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use insta::assert_snapshot;
use parquet::arrow::ArrowWriter;

use emp_store::compact;

use crate::support::*;

const COUNT: &str = "select count(*), count(service) from events";

fn two_hours() -> TestStore {
    let store = TestStore::new();
    store.sealed(&[event(0, "worker", "job.created", "j1"), event(HOUR, "worker", "job.created", "j2")]);
    store
}

/// The answer, then the warnings.
fn answer_and_warnings(store: &TestStore, sql: &str) -> String {
    let engine = store.engine();
    block_on(async {
        let mut answer = engine.sql(sql).await.unwrap();
        let warnings = answer.new_warnings().join("\n");
        store.hide_path(&format!("{}\n{warnings}", rows(answer).await.unwrap()))
    })
}

fn foreign(store: &TestStore, name: &str, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let path = store.parquet_files()[0].with_file_name(name);
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn text(value: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![value]))
}

#[test]
fn a_torn_file() {
    let store = two_hours();
    let torn = &store.parquet_files()[1];
    let bytes = fs::read(torn).unwrap();
    fs::write(torn, &bytes[..bytes.len() / 2]).unwrap();
    assert_snapshot!(answer_and_warnings(&store, COUNT), @r"
    1 | 1
    skipped STORE/date=2025-09-27/hour=15/c0_1758985200000-0_1758985200000-0.parquet: it is no whole Parquet file (Corrupt footer)
    ");
    assert_snapshot!(answer_and_warnings(&store, "select hour, count(*) from events group by 1"), @r"
    14 | 1
    skipped STORE/date=2025-09-27/hour=15/c0_1758985200000-0_1758985200000-0.parquet: it is no whole Parquet file (Corrupt footer)
    ");
}

#[test]
fn an_empty_file_and_one_of_zeros() {
    let store = two_hours();
    fs::write(&store.parquet_files()[0], "").unwrap();
    fs::write(&store.parquet_files()[1], [0; 100]).unwrap();
    assert_snapshot!(answer_and_warnings(&store, COUNT), @r"
    0 | 0
    skipped STORE/date=2025-09-27/hour=14/c0_1758981600000-0_1758981600000-0.parquet: it is no whole Parquet file (Parquet file too small. Size is 0 but need 8)
    skipped STORE/date=2025-09-27/hour=15/c0_1758985200000-0_1758985200000-0.parquet: it is no whole Parquet file (Corrupt footer)
    ");
}

#[test]
fn a_damaged_file_is_listed_without_what_it_does_not_tell() {
    let store = two_hours();
    fs::write(&store.parquet_files()[0], "PAR1").unwrap();
    assert_snapshot!(answer_and_warnings(&store, "select kind, rows, bytes > 4, min_timestamp from files"), @r"
    parquet | null | false | null
    parquet | 1 | true | 2025-09-27T15:00:00Z
    skipped STORE/date=2025-09-27/hour=14/c0_1758981600000-0_1758981600000-0.parquet: it is no whole Parquet file (Parquet file too small. Size is 4 but need 8)
    ");
}

#[test]
fn a_file_that_the_query_does_not_need_is_not_complained_about() {
    let store = two_hours();
    fs::write(&store.parquet_files()[0], "").unwrap();
    assert_eq!(answer_and_warnings(&store, "select count(*) from events where hour = '15'"), "1\n");
}

#[test]
fn foreign_names_and_folders() {
    let store = two_hours();
    let folder = store.parquet_files()[0].parent().unwrap().to_owned();
    fs::copy(&store.parquet_files()[0], folder.join("mine.parquet")).unwrap();
    fs::write(folder.join("notes.txt"), "").unwrap();
    fs::create_dir(folder.with_file_name("hour=99")).unwrap();
    assert_snapshot!(answer_and_warnings(&store, COUNT), @r"
    2 | 2
    skipped STORE/date=2025-09-27/hour=14/mine.parquet: its name is not `<writer>_<first id>_<last id>.parquet`
    skipped STORE/date=2025-09-27/hour=14/notes.txt: its name is not `<writer>_<first id>_<last id>.parquet`
    skipped STORE/date=2025-09-27/hour=99: it is no `date=YYYY-MM-DD/hour=HH` folder
    ");
}

#[test]
fn a_file_of_foreign_columns() {
    let store = two_hours();
    foreign(&store, "c9_1758981600000-0_1758981600001-0.parquet", vec![("a", text("x"))]);
    foreign(
        &store,
        "c9_1758981600002-0_1758981600003-0.parquet",
        vec![("id", text("1758981600002-0")), ("service", Arc::new(BooleanArray::from(vec![true])))],
    );
    foreign(
        &store,
        "c9_1758981600004-0_1758981600005-0.parquet",
        vec![("id", text("1758981600004-0")), ("timestamp", Arc::new(Int64Array::from(vec![1])))],
    );
    assert_snapshot!(answer_and_warnings(&store, COUNT), @r"
    2 | 2
    skipped STORE/date=2025-09-27/hour=14/c9_1758981600000-0_1758981600001-0.parquet: its rows are no events: it has no column `id`
    skipped STORE/date=2025-09-27/hour=14/c9_1758981600002-0_1758981600003-0.parquet: its column `service` is a boolean, not text
    skipped STORE/date=2025-09-27/hour=14/c9_1758981600004-0_1758981600005-0.parquet: its column `timestamp` is an integer, not a time in UTC
    ");
}

#[test]
fn a_file_may_lack_columns_and_have_others() {
    let store = two_hours();
    foreign(
        &store,
        "c9_1758981600000-0_1758981600001-0.parquet",
        vec![
            ("extra", text("x")),
            ("id", text("1758981600001-0")),
            ("duration_ms", Arc::new(Int64Array::from(vec![7]))),
        ],
    );
    let sql = "select id, service, timestamp, duration_ms, hour from events order by id";
    assert_snapshot!(answer_and_warnings(&store, sql), @r"
    1758981600000-0 | worker | 2025-09-27T14:00:00Z | null | 14
    1758981600001-0 | null | null | 7.0 | 14
    1758985200000-0 | worker | 2025-09-27T15:00:00Z | null | 15
    read STORE/date=2025-09-27/hour=14/c9_1758981600000-0_1758981600001-0.parquet: it lacks `timestamp`, `ingested_at`, `service`, `event_type`, `level`, `trace_id`, `job_id`, `worker_id`, `machine_id`, `user_id`, `data`, which are null; its columns `extra` are ignored
    ");
    assert_snapshot!(store.ask(COUNT), @"3 | 2");
    assert_snapshot!(store.ask("select min(timestamp) from events"), @"2025-09-27T14:00:00Z");
    assert_snapshot!(store.ask("select id from events where service is null"), @"1758981600001-0");
}

#[test]
fn a_file_that_goes_while_the_store_is_open() {
    let store = two_hours();
    let engine = store.engine();
    // It has looked at the store.
    engine.newest_id().unwrap();
    fs::remove_file(&store.parquet_files()[1]).unwrap();
    fs::remove_dir_all(store.layout.journal()).unwrap();
    assert_eq!(ask(&engine, COUNT), "1 | 1");
}

#[test]
fn a_file_that_goes_while_it_is_read() {
    let store = TestStore::new();
    // More than are opened before the first rows are there.
    let events: Vec<_> = (0..20).map(|hour| event(hour * HOUR, "worker", "job.created", "j1")).collect();
    store.sealed(&events);
    let engine = store.engine();
    let message = block_on(async {
        let answer = engine.sql("select data from events").await.unwrap();
        store.parquet_files().iter().for_each(|file| fs::remove_file(file).unwrap());
        rows(answer).await.unwrap_err().to_string()
    });
    assert!(message.starts_with("the files of the store changed while they were read ("), "{message}");
    assert!(message.ends_with(".parquet is gone): ask again"), "{message}");
}

#[test]
fn files_that_are_replaced_while_the_store_is_open() {
    let store = TestStore::new();
    store.sealed(&[event(0, "worker", "job.created", "j1")]);
    store.sealed(&[event(1, "worker", "job.created", "j2")]);
    let engine = store.engine();
    // It has looked at the store.
    engine.newest_id().unwrap();
    let files = store.parquet_files();
    assert!(compact(&store.layout, i64::MAX, &mut BTreeSet::new(), &mut |_| ()).unwrap().is_empty());
    files.iter().for_each(|file| fs::remove_file(file).unwrap());
    assert_eq!(ask(&engine, "select job_id from events order by 1"), "j1\nj2");
}

#[test]
fn where_a_file_has_no_time_of_arrival_its_ids_tell_it() {
    let store = TestStore::new();
    store.sealed(&[event(0, "api", "job.created", "j1")]);
    let texts = |values: &[&str]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
    foreign(
        &store,
        "c9_1758981600001-0_1758981602000-7.parquet",
        vec![
            ("id", texts(&["1758981600001-0", "1758981602000-7"])),
            ("service", texts(&["worker", "worker"])),
            ("event_type", texts(&["job.claimed", "job.completed"])),
            ("job_id", texts(&["j1", "j1"])),
        ],
    );
    let asked = "select event_type, ingested_at, timestamp from events order by ingested_at";
    assert_snapshot!(store.ask(asked), @r"
    job.created | 2025-09-27T14:00:00Z | 2025-09-27T14:00:00Z
    job.claimed | 2025-09-27T14:00:00.001Z | null
    job.completed | 2025-09-27T14:00:02Z | null
    ");
    let late = "select service from events where ingested_at > timestamp '2025-09-27T14:00:01Z'";
    assert_snapshot!(store.ask(late), @"worker");
    assert_snapshot!(store.ask("select count(*), max(ingested_at) from events"), @"3 | 2025-09-27T14:00:02Z");
    assert_snapshot!(store.ask("select event_type, gap_ms from transitions where gap_ms >= 0"), @r"
    job.claimed | 1
    job.completed | 1999
    ");
}
