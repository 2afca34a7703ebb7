//! What the four tables hold, and that each event is in `events` exactly once.

use insta::assert_snapshot;

use emp_event::EntryId;
use emp_store::{Batch, Item, Loss, Quarantined, StoreWriter};

use crate::support::*;

fn three() -> [TestEvent; 3] {
    [
        event(0, "api-server", "job.created", "j1"),
        event(1_500, "worker", "job.claimed", "j1").data(r#"{"claimTimeMs": 12.5, "connectorType": "comfy"}"#),
        event(2_000, "worker", "job.completed", "j1"),
    ]
}

const COUNT: &str = "select count(*), count(distinct id) from events";

#[test]
fn the_journal_alone_is_a_store() {
    let store = TestStore::new();
    store.journal(&three());
    assert_eq!(store.ask(COUNT), "3 | 3");
    assert_eq!(store.ask("select distinct date, hour from events"), "2025-09-27 | 14");
}

#[test]
fn sealed_files_alone_are_a_store() {
    let store = TestStore::new();
    store.sealed(&three());
    std::fs::remove_dir_all(store.layout.journal()).unwrap();
    assert_eq!(store.ask(COUNT), "3 | 3");
    assert_eq!(store.ask("select distinct date, hour from events"), "2025-09-27 | 14");
}

#[test]
fn a_segment_beside_its_parquet_file_counts_once() {
    let store = TestStore::new();
    store.sealed(&three());
    assert_eq!(store.ask("select kind, rows from files"), "parquet | 3");
    assert_eq!(store.ask(COUNT), "3 | 3");
}

#[test]
fn sealed_and_journal_are_read_together() {
    let store = TestStore::new();
    store.sealed(&three());
    store.journal(&[event(HOUR, "worker", "job.created", "j2"), event(HOUR + 1, "worker", "job.claimed", "j2")]);
    assert_eq!(store.ask(COUNT), "5 | 5");
    assert_snapshot!(store.ask("select hour, count(*), min(timestamp), max(timestamp) from events group by 1 order by 1"), @r"
    14 | 3 | 2025-09-27T14:00:00Z | 2025-09-27T14:00:02Z
    15 | 2 | 2025-09-27T15:00:00Z | 2025-09-27T15:00:00.001Z
    ");
    assert_eq!(
        store.ask("select min(timestamp), max(timestamp) from events"),
        "2025-09-27T14:00:00Z | 2025-09-27T15:00:00.001Z"
    );
    assert_eq!(store.ask("select service from events where job_id = 'j2' limit 1"), "worker");
    assert_eq!(store.ask("select count(*) from events where service = 'worker' and hour = '15'"), "2");
}

#[test]
fn an_empty_store_has_empty_tables() {
    let store = TestStore::new();
    assert_eq!(store.ask(COUNT), "0 | 0");
    assert_eq!(store.ask("select count(*) from losses"), "0");
    assert_eq!(store.ask("select * from files"), "");
}

#[test]
fn the_columns_are_those_of_the_contract() {
    let store = TestStore::new();
    assert_snapshot!(store.ask("select column_name, data_type from information_schema.columns where table_name = 'events' order by ordinal_position"), @r#"
    id | Utf8
    timestamp | Timestamp(ms, "UTC")
    ingested_at | Timestamp(ms, "UTC")
    service | Utf8
    event_type | Utf8
    level | Utf8
    trace_id | Utf8
    job_id | Utf8
    worker_id | Utf8
    machine_id | Utf8
    user_id | Utf8
    duration_ms | Float64
    data | Utf8
    date | Utf8
    hour | Utf8
    "#);
    assert_snapshot!(store.ask("show columns from losses"), @r#"
    store | public | losses | writer | Utf8 | NO
    store | public | losses | from_id | Utf8 | NO
    store | public | losses | to_id | Utf8 | NO
    store | public | losses | lost | Int64 | NO
    store | public | losses | noticed_at | Timestamp(ms, "UTC") | NO
    "#);
    assert_snapshot!(store.ask("describe quarantine"), @r#"
    id | Utf8 | NO
    reason | Utf8 | NO
    entry | Utf8 | NO
    noticed_at | Timestamp(ms, "UTC") | NO
    "#);
    assert_snapshot!(store.ask("select column_name, data_type from information_schema.columns where table_name = 'files' order by ordinal_position"), @r#"
    path | Utf8
    kind | Utf8
    writer | Utf8
    first_id | Utf8
    last_id | Utf8
    rows | Int64
    bytes | Int64
    min_timestamp | Timestamp(ms, "UTC")
    max_timestamp | Timestamp(ms, "UTC")
    "#);
    assert_snapshot!(store.ask("select table_name from information_schema.tables where table_schema = 'public' order by 1"), @r"
    dead_letters
    events
    files
    losses
    quarantine
    raw_transitions
    transitions
    ");
    assert!(store.ask("show tables").contains("store | public | events"));
}

#[test]
fn data_is_read_with_json_operators() {
    let store = TestStore::new();
    store.journal(&three());
    assert_snapshot!(
        store.ask("select data->>'connectorType', json_get_float(data, 'claimTimeMs'), duration_ms from events where event_type = 'job.claimed'"),
        @"comfy | 12.5 | 12.5"
    );
    assert_snapshot!(store.ask("select count(*) from events where data->>'connectorType' = 'comfy'"), @"1");
    assert_eq!(
        store.ask("select data->>'claimTimeMs'::double * 2 from events where data->>'claimTimeMs' is not null"),
        "25.0"
    );
    assert_snapshot!(store.ask("select json_get_int(data, 'claimTimeMs') from events where id like '%1500-0'"), @"null");
}

#[test]
fn files_losses_and_quarantine_say_what_the_store_keeps() {
    let store = TestStore::new();
    store.sealed(&three());
    let loss =
        Loss { from: EntryId::ZERO, to: EntryId::new(BASE as u64 + 9_000, 1), lost: 17, noticed_at: BASE + 9_500 };
    store.quarantined(EntryId::new(BASE as u64 + 9_000, 1), loss);
    assert_snapshot!(store.ask("select * from losses"), @"c0 | 0-0 | 1758981609000-1 | 17 | 2025-09-27T14:00:09.500Z");
    assert_snapshot!(store.ask("select * from quarantine"), @"1758981609000-1 | no service | {} | 2025-09-27T14:00:00Z");
    let files =
        "select path, kind, writer, first_id, last_id, rows, bytes > 100, min_timestamp, max_timestamp from files";
    assert_snapshot!(store.hide_path(&store.ask(files)), @"STORE/date=2025-09-27/hour=14/c0_1758981600000-0_1758981602000-0.parquet | parquet | c0 | 1758981600000-0 | 1758981602000-0 | 3 | true | 2025-09-27T14:00:00Z | 2025-09-27T14:00:02Z");
    store.journal(&[event(10_000, "worker", "job.created", "j2").ahead(5)]);
    let journal =
        "select kind, writer, first_id, last_id, rows, bytes > 100, min_timestamp from files where kind = 'journal'";
    assert_snapshot!(store.ask(journal), @"journal | c0 | 1758981610000-0 | 1758981610000-0 | 1 | true | 2025-09-27T14:00:10.005Z");
}

#[test]
fn a_new_engine_sees_new_events() {
    let store = TestStore::new();
    store.journal(&three()[..1]);
    let engine = store.engine();
    store.journal(&three()[1..]);
    assert_eq!(ask(&engine, COUNT), "1 | 1");
    assert_eq!(store.ask(COUNT), "3 | 3");
}

#[test]
fn statements_about_plans_are_answered() {
    let store = TestStore::new();
    store.sealed(&three());
    assert!(store.ask("explain select * from events").contains("DataSourceExec"));
    assert!(store.ask("explain analyze select * from events").contains("output_rows=3"));
}

#[test]
fn common_table_expressions_and_functions_that_make_rows_are_tables() {
    let store = TestStore::new();
    store.journal(&three());
    assert_eq!(store.ask("with w as (select * from events where service = 'worker') select count(*) from w"), "2");
    assert_eq!(store.ask("select sum(value) from generate_series(1, 3)"), "6");
    assert_eq!(store.ask("select count(*) from store.public.events e join public.events f on e.id = f.id"), "3");
}

#[test]
fn answers_come_in_batches() {
    let store = TestStore::new();
    store.sealed(&three());
    block_on(async {
        let mut answer = store.engine().sql("select id from events").await.unwrap();
        assert_eq!(answer.schema.field(0).name(), "id");
        assert_eq!(answer.next().await.unwrap().unwrap().num_rows(), 3);
        assert!(answer.next().await.unwrap().is_none());
        assert_eq!(answer.new_warnings(), Vec::<String>::new());
    });
}

#[test]
fn a_damaged_record_is_told_of_where_records_are_asked_for() {
    let store = TestStore::new();
    let id = |seq| EntryId::new(BASE as u64 + 9_000, seq);
    for seq in 1..=3 {
        store.quarantined(id(seq), Loss { from: EntryId::ZERO, to: id(seq), lost: 1, noticed_at: BASE });
    }
    store.sealed(&[]);
    let folder = store.layout.quarantine();
    let sidecar = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&sidecar).unwrap().replacen("no service", "no servicE", 1);
    std::fs::write(&sidecar, text).unwrap();
    let engine = store.engine();
    let ask = |sql: &str| {
        block_on(async {
            let mut answer = engine.sql(sql).await.unwrap();
            let warnings = answer.new_warnings();
            (rows(answer).await.unwrap(), warnings)
        })
    };
    let (events, warnings) = ask("select count(*) from losses");
    assert_eq!((events.as_str(), warnings.len()), ("3", 0), "{warnings:?}");
    let (events, warnings) = ask("select count(*) from quarantine");
    assert_eq!(events, "2");
    assert!(warnings.len() == 1 && warnings[0].ends_with("its checksum does not hold"), "{warnings:?}");
}

#[test]
fn a_record_that_is_damaged_far_behind_is_told_of_once_it_was_met() {
    let store = TestStore::new();
    let id = |seq| EntryId::new(BASE as u64 + 9_000, seq);
    let entry =
        |seq| Quarantined { id: id(seq), reason: "no service".to_owned(), entry: "{}".to_owned(), noticed_at: BASE };
    let items: Vec<Item<'_>> = (1..=3_000).map(|seq| Item::Quarantined(entry(seq))).collect();
    let mut writer = StoreWriter::open(&store.layout, "c0").unwrap();
    writer.commit(&Batch { items: &items, position: 0, loss: None }).unwrap();
    drop(writer);
    store.sealed(&[]);
    let sidecar = std::fs::read_dir(store.layout.quarantine()).unwrap().next().unwrap().unwrap().path();
    let mut lines: Vec<String> = std::fs::read_to_string(&sidecar).unwrap().lines().map(str::to_owned).collect();
    let last = lines.last_mut().unwrap();
    *last = last.replace("no service", "no servicE");
    std::fs::write(&sidecar, lines.join("\n") + "\n").unwrap();
    block_on(async {
        let mut answer = store.engine().sql("select id from quarantine").await.unwrap();
        assert_eq!(answer.new_warnings(), Vec::<String>::new());
        let rows: usize = answer.rest().await.unwrap().iter().map(arrow::array::RecordBatch::num_rows).sum();
        assert_eq!(rows, 2_999);
        let warnings = answer.new_warnings();
        assert!(warnings.len() == 1 && warnings[0].ends_with("its checksum does not hold"), "{warnings:?}");
        assert_eq!(answer.new_warnings(), Vec::<String>::new(), "each is told once");
    });
}
