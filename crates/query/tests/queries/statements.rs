//! Whatever is asked: what the store skips, counts from its catalog or reads ahead changes no answer, and nothing that is
//! typed makes it panic.

use std::sync::Arc;

use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use proptest::prelude::*;

use emp_query::Engine;

use crate::support::*;

/// Three sealed hours of two writers' clocks, and a journal, with ids that are missing and numbers that are texts.
fn store() -> TestStore {
    let store = TestStore::new();
    let types = ["job.created", "job.claimed", "connector.processing_completed", "job.failed"];
    let events: Vec<TestEvent> = (0..120)
        .map(|number: i64| {
            let job = if number % 7 == 0 { String::new() } else { format!("j{}", number % 11) };
            let told = event(number * 97_000, ["worker", "api"][number as usize % 2], types[number as usize % 4], &job);
            let told = told.seq(number as u64 % 3).ahead(if number % 13 == 0 { -3 * HOUR } else { number * 10 });
            told.data(&match number % 5 {
                0 => "{}".to_owned(),
                1 => r#"{"progress":"half","connectorType":"openai"}"#.to_owned(),
                _ => format!(r#"{{"progress":{number},"connectorType":"comfyui"}}"#),
            })
        })
        .collect();
    store.sealed(&events[..90]);
    store.journal(&events[90..]);
    store
}

/// The same events as rows in memory, with nothing of ours but the functions of JSON.
fn whole(engine: &Engine) -> SessionContext {
    let batches = block_on(async { engine.sql("select * from events").await.unwrap().batches().await.unwrap() });
    let table = MemTable::try_new(batches[0].schema(), vec![batches]).unwrap();
    let mut context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    datafusion_functions_json::register_all(&mut context).unwrap();
    context.register_table("events", Arc::new(table)).unwrap();
    context
}

fn value(column: &'static str) -> BoxedStrategy<String> {
    let of = |values: &'static [&'static str]| prop::sample::select(values).prop_map(str::to_owned).boxed();
    match column {
        "service" => of(&["'worker'", "'api'", "'nobody'", "''"]),
        "event_type" => of(&["'job.created'", "'job.failed'", "'job.'", "'zzz'"]),
        "job_id" => of(&["'j1'", "'j10'", "'j'", "''", "'k'"]),
        "id" => of(&["'1758981600000-0'", "'1758985286000-2'", "'9'", "''"]),
        "hour" => of(&["'14'", "'15'", "'16'", "'4'"]),
        "date" => of(&["'2025-09-27'", "'2025-09-26'"]),
        _ => of(&[
            "'2025-09-27T14:00:00Z'",
            "'2025-09-27T15:30:00Z'",
            "'2025-09-27T11:00:00Z'",
            "'2026-01-01T00:00:00Z'",
        ]),
    }
}

const COLUMNS: [&str; 8] = ["service", "event_type", "job_id", "id", "hour", "date", "timestamp", "ingested_at"];

/// A condition on one column.
fn comparison() -> impl Strategy<Value = String> {
    prop::sample::select(&COLUMNS[..]).prop_flat_map(|column| {
        let value = || value(column);
        let operator = prop::sample::select(&["=", "<>", "<", "<=", ">", ">="][..]);
        prop_oneof![
            4 => (operator, value()).prop_map(move |(operator, value)| format!("{column} {operator} {value}")),
            1 => (value(), value()).prop_map(move |(low, high)| format!("{column} between {low} and {high}")),
            1 => prop::collection::vec(value(), 1..4).prop_map(move |all| format!("{column} in ({})", all.join(", "))),
            1 => prop::collection::vec(value(), 1..3).prop_map(move |all| format!("{column} not in ({})", all.join(", "))),
            1 => any::<bool>().prop_map(move |is_not| format!("{column} is {}null", if is_not { "not " } else { "" })),
            1 => Just(format!("coalesce(cast({column} as varchar), 'none') <> 'none'")),
        ]
    })
}

fn condition() -> impl Strategy<Value = String> {
    let of_data = prop::sample::select(
        &[
            "(data->>'connectorType') = 'openai'",
            "(data->>'progress') is null",
            "data like '%half%'",
            "true",
            "null = 1",
        ][..],
    );
    let leaf = prop_oneof![6 => comparison(), 1 => of_data.prop_map(str::to_owned)];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} and {other})")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one} or {other})")),
            inner.prop_map(|one| format!("not ({one})")),
        ]
    })
}

/// A statement whose answer is the same in any order of reading.
fn statement() -> impl Strategy<Value = String> {
    let grouping = prop::sample::select(
        &["service", "date", "hour", "date, hour", "event_type, service", "rollup(date, hour)", "cube(service, hour)"]
            [..],
    );
    let aggregate = prop::sample::select(
        &["count(*)", "count(job_id)", "count(distinct job_id)", "min(timestamp)", "max(id)", "max(ingested_at)"][..],
    );
    let from = |condition: &str| format!("from events where {condition}");
    let columns = prop::sample::select(&["id", "id, job_id, data", "timestamp, id", "*", "distinct service, hour"][..]);
    prop_oneof![
        (columns.clone(), condition()).prop_map(move |(columns, of)| format!("select {columns} {}", from(&of))),
        (aggregate.clone(), condition()).prop_map(move |(what, of)| format!("select {what} {}", from(&of))),
        (aggregate.clone(), aggregate).prop_map(|(one, other)| format!("select {one} as a, {other} as b from events")),
        (grouping, condition())
            .prop_map(move |(by, of)| format!("select count(*) as n, max(id) as newest {} group by {by}", from(&of))),
        (condition(), 0_usize..20, any::<bool>(), prop::sample::select(&["timestamp", "ingested_at", "id"][..]))
            .prop_map(move |(of, limit, is_descending, by)| {
                let direction = if is_descending { "desc" } else { "asc" };
                format!("select id, job_id {} order by {by} {direction}, id, data limit {limit}", from(&of))
            }),
        (condition(), condition()).prop_map(move |(one, other)| {
            let jobs = format!("select job_id {} and job_id is not null", from(&one));
            format!("select count(*) {} and job_id in ({jobs})", from(&other))
        }),
    ]
}

/// The rows, sorted unless the statement says in which order they come.
fn sorted(sql: &str, rows: &str) -> Vec<String> {
    let mut rows: Vec<String> = rows.lines().map(str::to_owned).collect();
    if !sql.contains("order by") {
        rows.sort_unstable();
    }
    rows
}

fn config(cases: u32) -> ProptestConfig {
    let times: u32 = std::env::var("EMP_EVENTS_RANDOM_RUNS_TIMES").map_or(1, |times| times.parse().unwrap());
    ProptestConfig { cases: cases * times, failure_persistence: None, ..Default::default() }
}

#[test]
fn whatever_is_asked_the_answer_is_that_of_a_full_scan() {
    let store = store();
    let engine = store.engine();
    let whole = whole(&engine);
    proptest!(config(300), |(sql in statement())| {
        let expected = block_on(async { whole.sql(&sql).await.unwrap().collect().await.unwrap() });
        let expected = expected.iter().flat_map(lines).collect::<Vec<_>>().join("\n");
        prop_assert_eq!(sorted(&sql, &ask(&engine, &sql)), sorted(&sql, &expected), "{}", sql);
    });
}

#[test]
fn whatever_is_typed_has_an_answer_or_an_error_in_words() {
    let store = store();
    let engine = store.engine();
    let words = prop::sample::select(
        &[
            "select",
            "from",
            "events",
            "where",
            "group by",
            "order by",
            "limit",
            "(",
            ")",
            "*",
            ",",
            "'",
            "\"",
            "job_id",
            "timestamp",
            "count",
            "count(*)",
            "cube",
            "rollup",
            "grouping sets",
            "distinct",
            "data",
            "->>",
            "->",
            "'x'",
            "1",
            "-1",
            "0",
            "null",
            "case",
            "when",
            "end",
            "union all",
            "with",
            "as",
            "over",
            "partition by",
            "interval",
            "'1 day'",
            "since('1h')",
            "since(",
            "quantile_cont(",
            "gap_ms()",
            "files",
            "losses",
            "--",
            "/*",
            ";",
            "$1",
            "explain",
            "describe",
            "show",
            "in",
            "between",
            "and",
            "not",
            "like",
            "::",
            "int",
            "9999999999999999999",
            "1e400",
            "\u{0}",
            "ü",
        ][..],
    );
    proptest!(config(400), |(words in prop::collection::vec(words, 1..14))| {
        let sql = words.join(" ");
        let said = block_on(async {
            match engine.sql(&sql).await {
                Ok(answer) => answer.batches().await.err().map(|error| error.to_string()),
                Err(error) => Some(error.to_string()),
            }
        });
        prop_assert!(said.is_none_or(|said| !said.trim().is_empty()), "{}", sql);
    });
}
