//! What events say beside their columns, in SQL.

use insta::assert_snapshot;

use super::support::{TestStore, ask, block_on, event};

/// A store with that data, of one event each.
fn store(data: &[&str]) -> TestStore {
    let store = TestStore::new();
    let events: Vec<_> = (0..).zip(data).map(|(at, data)| event(at, "w", "job.told", "j").stored_as(data)).collect();
    let (sealed, journal) = events.split_at(events.len() / 2);
    store.sealed(sealed);
    store.journal(journal);
    store
}

#[test]
fn a_value_beside_a_number_is_a_number_or_does_not_match() {
    let store = store(&[
        r#"{"n":1,"p":50}"#,
        r#"{"n":2,"p":33.5}"#,
        r#"{"n":3,"p":"half"}"#,
        r#"{"n":4,"p":"60"}"#,
        r#"{"n":5,"p":null}"#,
        r#"{"n":6,"p":-7}"#,
        r#"{"n":7}"#,
    ]);
    let found = |condition: &str| {
        store.ask(&format!("select data->>'n' from events where {condition} order by id")).replace('\n', " ")
    };
    assert_eq!(found("data->>'p' >= 50"), "1 4");
    assert_eq!(found("50 <= data->>'p'"), "1 4");
    assert_eq!(found("data->>'p' = 33.5"), "2");
    assert_eq!(found("data->>'p' <> 50"), "2 4 6");
    assert_eq!(found("data->>'p' < -1"), "6");
    assert_eq!(found("data->>'p' between 30 and 50"), "1 2");
    assert_eq!(found("data->>'p' not between 30 and 50"), "4 6");
    assert_eq!(found("data->>'p' in (50, 60)"), "1 4");
    assert_eq!(found("data->>'p' < data->>'n'"), "6", "texts are compared as texts");
    assert_eq!(found("json_get_str(data, 'p') > 1"), "4", "texts of JSON alone");
    assert_eq!(found("data->>'p' > length(service) * 40"), "1 4");
    assert_eq!(found("data->>'p' = 'half'"), "3");
}

/// The engine's own type for such a value is none that JSON, CSV and Parquet know.
#[test]
fn a_value_of_json_comes_as_its_text() {
    let store = store(&[r#"{"a":"x\"y","b":{"c":[1,2]}}"#, r#"{"a":1.5,"b":null}"#, r#"{"a":true}"#, r#"{"a":12}"#]);
    assert_snapshot!(store.ask("select data->'a' as a, data->'b' as b, data->'b'->'c' as c from events order by id"), @r#"
    "x\"y" | {"c":[1,2]} | [1,2]
    1.5 | null | null
    true | null | null
    12 | null | null
    "#);
    let engine = store.engine();
    let schema = block_on(async { engine.sql("select data->'a' as a from events where false").await.unwrap().schema });
    assert_eq!(schema.field(0).data_type(), &arrow::datatypes::DataType::Utf8);
}

#[test]
fn the_last_of_equal_keys_counts_and_what_no_reader_takes_hides_nothing() {
    let store = store(&[
        r#"{"error":"x","error":"y"}"#,
        r#"{"error":"x","\u0065rror":"z"}"#,
        r#"{"note":"error","error":{"code":1,"code":2}}"#,
        r#"{"prompt":"cut \ud83d","error":"boom"}"#,
        r#"{"big":1e999,"error":"large"}"#,
        r#"{"error":"x", "error" : "spaced"}"#,
    ]);
    let engine = store.engine();
    let errors = "select data->>'error' from events order by id";
    assert_snapshot!(ask(&engine, errors), @r#"
    y
    z
    {"code":2}
    boom
    large
    spaced
    "#);
    assert_eq!(ask(&engine, "select count(*) from events where data->>'error' = 'x'"), "0");
    assert_eq!(ask(&engine, "select data->'error'->>'code' from events where data->'error'->>'code' is not null"), "2");
    assert_eq!(ask(&engine, "select json_length(data) from events where data->>'error' = 'y'"), "1");
    assert_eq!(ask(&engine, "select json_as_text('{\"a\":1,\"a\":2}', 'a')"), "2");
    assert_eq!(ask(&engine, "select error_text(data) from events where data->>'error' = 'boom'"), "boom");
}

#[test]
fn a_filter_knows_levels_and_durations_as_they_are_called() {
    let store = TestStore::new();
    let level = |at, level, data: &str| event(at, "w", &format!("e.n{at}"), "j").level(level).data(data);
    store.sealed(&[
        level(0, emp_event::Level::Error, r#"{"durationMs":7}"#),
        level(1, emp_event::Level::Warn, r#"{"durationMs":7.5}"#),
        level(2, emp_event::Level::Info, "{}"),
    ]);
    let engine = store.engine();
    let all = block_on(async {
        let sql = format!("select {} from events", emp_query::EVENT_COLUMNS);
        emp_query::read_events(&engine.sql(&sql).await.unwrap().batches().await.unwrap()).unwrap()
    });
    let found = |filter: &emp_query::Filter| {
        let stored = ask(&engine, &format!("select event_type from events where {} order by id", filter.sql()));
        let coming = all.iter().filter(|event| filter.holds(event)).map(|event| &*event.event_type);
        assert_eq!(stored, coming.collect::<Vec<_>>().join("\n"));
        stored.replace("e.n", "").replace('\n', " ")
    };
    let by = |text: &str| {
        let mut filter = emp_query::Filter::default();
        filter.add(text).unwrap();
        found(&filter)
    };
    assert_eq!((by("level=FATAL"), by("level=Warning"), by("level!=50")), ("0".into(), "1".into(), "1 2".into()));
    assert_eq!(
        (by("duration_ms=7"), by("duration_ms=7.50"), by("duration_ms!=7")),
        ("0".into(), "1".into(), "1 2".into())
    );
    let mut filter = emp_query::Filter::default();
    filter.is("level", "WRN, critical");
    assert_eq!(found(&filter), "0 1");
}
