use std::sync::Arc;

use arrow::array::{ArrayRef, DurationMillisecondArray, RecordBatch};
use insta::assert_snapshot;

use super::fixtures::*;
use crate::{Format, Screen, grid};

fn table(screen: &Screen, batches: &[RecordBatch]) -> String {
    answer(Format::Table, screen, batches)
}

/// The answer of a query like `perf`: a name and numbers.
fn perf() -> RecordBatch {
    batch(vec![
        ("service", texts(&["worker", "api-server", "connector"])),
        ("event_type", texts(&["job.completed", "job.created", "connector.processing_failed"])),
        ("count", integers([12_345, 980, 7])),
        ("avg_ms", floats(&[Some(1_234.567_89), Some(3.0), None])),
        ("error_share", floats(&[Some(0.0), Some(0.000_2), Some(1.0)])),
    ])
}

#[test]
fn numbers_stand_to_the_right_and_nulls_are_seen() {
    assert_snapshot!(table(&screen(80, false), &[perf()]), @"
service     event_type                   count    avg_ms  error_share
──────────  ───────────────────────────  ─────  ────────  ───────────
worker      job.completed                12345  1234.568            0
api-server  job.created                    980         3         2e-4
connector   connector.processing_failed      7         ·            1
3 rows in 12 ms
");
}

#[test]
fn spans_of_time_read_as_people_say_them() {
    let skew: ArrayRef = Arc::new(DurationMillisecondArray::from(vec![Some(-6_799), Some(42_100), None]));
    let workers = batch(vec![("worker_id", texts(&["w1", "w2", "w3"])), ("skew", skew)]);
    assert_snapshot!(table(&screen(80, false), &[workers]), @"
worker_id    skew
─────────  ──────
w1         −6.8 s
w2         42.1 s
w3              ·
3 rows in 12 ms
");
}

#[test]
fn colours_for_services_failures_and_nulls() {
    assert_snapshot!(table(&screen(80, true), &[perf()]), @"
␛[1mservice   ␛[0m  ␛[1mevent_type                 ␛[0m  ␛[1mcount␛[0m  ␛[1m  avg_ms␛[0m  ␛[1merror_share␛[0m
␛[2m──────────  ───────────────────────────  ─────  ────────  ───────────␛[0m
␛[35mworker    ␛[0m  job.completed                12345  1234.568            0
␛[36mapi-server␛[0m  job.created                    980         3         2e-4
␛[32mconnector ␛[0m  ␛[31mconnector.processing_failed␛[0m      7  ␛[2m       ·␛[0m            1
␛[2m3 rows in 12 ms␛[0m
");
}

#[test]
fn events_at_80_columns() {
    assert_snapshot!(table(&screen(80, false), &[events()]), @"
timestamp                service     event_type                   level  job_id
───────────────────────  ──────────  ───────────────────────────  ─────  ───────
2025-09-27 14:03:05.120  api-server  job.created                  info   job_123
2025-09-27 14:03:05.161  worker      job.claimed                  warn   job_123
2025-09-27 14:03:47.283  connector   connector.processing_failed  error  job_123
3 rows in 12 ms
--format json shows 10 hidden columns: id, ingested_at, trace_id, worker_id, ma…
");
}

#[test]
fn events_at_140_columns() {
    assert_snapshot!(table(&screen(140, false), &[events()]), @r#"
id               timestamp                service     event_type                   level  job_id   machine_id  duration_ms  data
───────────────  ───────────────────────  ──────────  ───────────────────────────  ─────  ───────  ──────────  ───────────  ────────────────
1758974585121-0  2025-09-27 14:03:05.120  api-server  job.created                  info   job_123  ·                     ·  {"jobType":"ima…
1758974585164-0  2025-09-27 14:03:05.161  worker      job.claimed                  warn   job_123  machine-1            38  {"claimTimeMs":…
1758974627290-3  2025-09-27 14:03:47.283  connector   connector.processing_failed  error  job_123  machine-1     42121.062  {"error":"conne…
3 rows in 12 ms
--format json shows 6 hidden columns: ingested_at, trace_id, worker_id, user_id, date, hour
"#);
}

#[test]
fn events_at_140_columns_in_colour() {
    assert_snapshot!(table(&screen(140, true), &[events()]), @r#"
␛[1mid             ␛[0m  ␛[1mtimestamp              ␛[0m  ␛[1mservice   ␛[0m  ␛[1mevent_type                 ␛[0m  ␛[1mlevel␛[0m  ␛[1mjob_id ␛[0m  ␛[1mmachine_id␛[0m  ␛[1mduration_ms␛[0m  ␛[1mdata␛[0m
␛[2m───────────────  ───────────────────────  ──────────  ───────────────────────────  ─────  ───────  ──────────  ───────────  ────────────────␛[0m
1758974585121-0  2025-09-27 14:03:05.120  ␛[36mapi-server␛[0m  job.created                  info   job_123  ␛[2m·         ␛[0m  ␛[2m          ·␛[0m  {"jobType":"ima…
1758974585164-0  2025-09-27 14:03:05.161  ␛[35mworker    ␛[0m  job.claimed                  ␛[33mwarn ␛[0m  job_123  machine-1            38  {"claimTimeMs":…
1758974627290-3  2025-09-27 14:03:47.283  ␛[32mconnector ␛[0m  ␛[31mconnector.processing_failed␛[0m  ␛[31merror␛[0m  job_123  machine-1     42121.062  {"error":"conne…
␛[2m3 rows in 12 ms␛[0m
␛[2m--format json shows 6 hidden columns: ingested_at, trace_id, worker_id, user_id, date, hour␛[0m
"#);
}

#[test]
fn without_a_width_nothing_is_cut() {
    assert_snapshot!(table(&Screen::plain(), &[events()]), @r#"
id               timestamp                ingested_at              service     event_type                   level  trace_id  job_id   worker_id  machine_id  user_id  duration_ms  data                                                                                                      date        hour
───────────────  ───────────────────────  ───────────────────────  ──────────  ───────────────────────────  ─────  ────────  ───────  ─────────  ──────────  ───────  ───────────  ────────────────────────────────────────────────────────────────────────────────────────────────────────  ──────────  ────
1758974585121-0  2025-09-27 12:03:05.120  2025-09-27 12:03:05.121  api-server  job.created                  info   ·         job_123  ·          ·           ·                  ·  {"jobType":"image.resize","priority":5}                                                                   2025-09-27  12
1758974585164-0  2025-09-27 12:03:05.161  2025-09-27 12:03:05.164  worker      job.claimed                  warn   ·         job_123  worker-3   machine-1   ·                 38  {"claimTimeMs":38,"queue":"default"}                                                                      2025-09-27  12
1758974627290-3  2025-09-27 12:03:47.283  2025-09-27 12:03:47.290  connector   connector.processing_failed  error  ·         job_123  worker-3   machine-1   ·          42121.062  {"error":"connection reset by peer","processingTimeMs":42121.0625,"connectorType":"comfyui","attempt":1}  2025-09-27  12
3 rows in 12 ms
"#);
}

#[test]
fn long_answers_show_their_first_and_last_rows() {
    let screen = Screen { rows_max: Some(5), ..screen(80, false) };
    let batches: Vec<RecordBatch> =
        (0..5).map(|part| batch(vec![("n", integers(part * 300..(part + 1) * 300))])).collect();
    assert_snapshot!(table(&screen, &batches), @"
   n
────
   0
   1
   2
   ⋮
1498
1499
1,500 rows in 12 ms, 5 shown
");
}

#[test]
fn an_answer_of_just_the_rows_that_fit_skips_none() {
    let screen = Screen { rows_max: Some(4), ..screen(80, false) };
    let whole = table(&screen, &[batch(vec![("n", integers(0..4))])]);
    assert!(!whole.contains('⋮') && !whole.contains("shown"), "{whole}");
    let parts: Vec<RecordBatch> = (0..4).map(|n| batch(vec![("n", integers(n..n + 1))])).collect();
    assert_eq!(table(&screen, &parts), whole);
}

#[test]
fn hostile_text_stays_in_its_cell() {
    let hostile = batch(vec![
        ("na\u{1b}[31mme", texts(&["\u{1b}]0;owned\u{7}", "line\nbreak", "right\u{202e}to left"])),
        ("n", integers([1, 2, 3])),
    ]);
    let shown = table(&screen(80, true), std::slice::from_ref(&hostile));
    // The only escape characters are those of the room's own colours.
    assert!(!shown.contains("␛]") && !shown.contains("␛[31mme"), "{shown}");
    assert_snapshot!(table(&screen(80, false), &[hostile]), @r"
na\u{1b}[31mme        n
────────────────────  ─
\u{1b}]0;owned\u{7}   1
line\nbreak           2
right\u{202e}to left  3
3 rows in 12 ms
");
}

#[test]
fn wide_characters_keep_the_columns_aligned() {
    let wide = batch(vec![
        ("text", texts(&["日本語テキスト", "🚀 launched", "e\u{301}te\u{301}", "plain"])),
        ("n", integers([1, 2, 3, 4])),
    ]);
    assert_snapshot!(table(&screen(80, false), std::slice::from_ref(&wide)), @"
text            n
──────────────  ─
日本語テキスト  1
🚀 launched     2
été             3
plain           4
4 rows in 12 ms
");
    assert_snapshot!(table(&screen(14, false), &[wide]), @"
text
──────────────
日本語テキスト
🚀 launched
été
plain
4 rows in 12 …
--format json…
");
}

#[test]
fn no_line_is_wider_than_the_screen() {
    for width in [5, 12, 20, 33, 60, 80, 100, 140, 200] {
        for batch in [events(), perf()] {
            for line in table(&screen(width, false), &[batch]).lines() {
                assert!(grid::width_of(line) <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn a_very_long_text_is_cut_quickly() {
    let long = "x\u{1b}".repeat(3_000_000);
    let shown = table(&screen(80, false), &[batch(vec![("data", texts(&[&long])), ("n", integers([1]))])]);
    assert!(shown.contains('…'), "{shown}");
}
