//! An error is what the column `level` says, whoever asks.

use serde_json::Value;

use crate::support::{Redis, Store};

const BASE_MS: i64 = 1_758_968_000_000;
const NOW: &str = "2025-09-27T10:30:00Z";

/// What services say that send no level, or their logger's own. The second column is what they send as level.
const SAID: [(&str, &str, bool); 12] = [
    ("job.created", "", false),
    ("connector.processing_failed", "", true),
    ("job.timed_out", "", true),
    ("api.error", "", true),
    ("payments.declined", "FATAL", true),
    ("payments.refund_delayed", "50", true),
    ("machine.crashed", "loud", true),
    ("job.failedover", "", false),
    ("error.shown", "", false),
    ("job.attempt_failed", "warning", false),
    ("webhook.delivery_failed", "40", false),
    ("job.failed", "", true),
];
const ERRORS: u64 = 7;

fn store_of(redis: &Redis, said: &[(&str, &str, bool)]) -> Store {
    let store = Store::of(redis);
    let mut pipe = redis::pipe();
    for ((event_type, level, _), at_ms) in said.iter().zip((BASE_MS..).step_by(1_000)) {
        let (id, timestamp) = (format!("{at_ms}-0"), at_ms.to_string());
        let fields = ["timestamp", &timestamp, "service", "billing", "eventType", event_type, "jobId", "order-7"];
        let add = pipe.cmd("XADD").arg("emp:events").arg(id).arg(&fields);
        if !level.is_empty() {
            add.arg("level").arg(level);
        }
        add.arg("data").arg(r#"{"error":"card 4711 was refused"}"#).ignore();
    }
    pipe.exec(&mut redis.connection()).unwrap();
    store.output(&["collect", "--once"]);
    store
}

/// How many errors each command that counts some counts.
fn counted(store: &Store) -> Vec<(&'static str, u64)> {
    let rows = |words: &[&str]| -> Vec<Value> {
        serde_json::from_str(&store.output(&[words, &["--format", "json", "--now", NOW]].concat())).unwrap()
    };
    let sum = |rows: &[Value], key: &str| rows.iter().map(|row| row[key].as_u64().unwrap()).sum::<u64>();
    let table = |words: &[&str]| store.output(&[words, &["--format", "table", "--tz", "UTC", "--now", NOW]].concat());
    let number = |text: &str, before: &str| -> u64 {
        let rest = text.split_once(before).unwrap_or_else(|| panic!("no `{before}` in {text}")).1;
        let digits: String =
            rest.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    };
    let report = store.output(&["report", "--format", "markdown", "-o", "-", "--last", "1h", "--now", NOW]);
    let timeline = table(&["timeline", "order-7"]);
    let summary = timeline.lines().find(|line| line.contains(" errors")).unwrap_or_else(|| panic!("{timeline}"));
    let correlated: Value =
        serde_json::from_str(&store.output(&["correlate", "order-7", "--format", "json", "--now", NOW])).unwrap();
    assert_eq!(correlated["job_id"], "order-7");
    vec![
        ("sql", store.number("select count(*) from events where level = 'error'")),
        ("perf", sum(&rows(&["perf", "--last", "1h"]), "errors")),
        ("perf by service", sum(&rows(&["perf", "--by", "service"]), "errors")),
        ("query perf", {
            let rows: Vec<Value> = serde_json::from_str(&store.output(&["query", "perf", "--format", "json"])).unwrap();
            sum(&rows, "errors")
        }),
        ("search --errors", rows(&["search", "--errors"]).len() as u64),
        ("search --level FATAL", rows(&["search", "--level", "FATAL"]).len() as u64),
        ("histogram", sum(&rows(&["search", "--histogram", "--last", "1h"]), "errors")),
        ("top", number(&table(&["top"]), "errors in the last hour: ")),
        ("report", number(&report, "| errors")),
        ("timeline", number(summary, "· ")),
    ]
}

#[test]
fn all_commands_count_the_same_errors_whatever_producers_say() {
    let redis = Redis::start();
    let store = store_of(&redis, &SAID);
    for (event_type, _, is_error) in SAID {
        let counted =
            store.number(&format!("select count(*) from events where event_type = '{event_type}' and level = 'error'"));
        assert_eq!(counted == 1, is_error, "{event_type}");
    }
    for (command, errors) in counted(&store) {
        assert_eq!(errors, ERRORS, "{command}");
    }
    assert_eq!(store.run(&["perf"]).stderr, "");
}

/// Earlier versions stored a missing level as `info`.
#[test]
fn failures_that_were_stored_without_a_level_are_told_of_once_and_not_counted() {
    let redis = Redis::start();
    let stored: Vec<(&str, &str, bool)> = SAID
        .into_iter()
        .map(|(event_type, level, _)| (event_type, if level.is_empty() { "info" } else { level }, false))
        .collect();
    let store = store_of(&redis, &stored);
    for (command, errors) in counted(&store) {
        assert_eq!(errors, 3, "{command}");
    }
    let note = "emp-events: 4 events tell of a failure (api.error, connector.processing_failed, job.failed, …) and have \
                the level info, as they were stored with: they are not counted as errors\n";
    for words in [&["perf"][..], &["search", "--errors"], &["search", "--histogram"], &["anomalies", "--now", NOW]] {
        // After what is said about the collector, which is none here.
        let said = store.run(words).stderr;
        assert!(said.ends_with(note) && said.matches("tell of a failure").count() == 1, "{words:?}: {said}");
    }
    let said = store.run(&["timeline", "order-7", "--format", "table"]).stderr;
    assert!(said.contains("emp-events: 4 events tell of a failure"), "{said}");
    let said = store.output(&["top", "--now", NOW]);
    assert!(said.contains("errors in the last hour: 3 and 4 failures without a level"), "{said}");
    let said = store.output(&["report", "--format", "markdown", "-o", "-", "--now", NOW]);
    assert_eq!(said.matches("4 events tell of a failure").count(), 1, "{said}");
    let ended = store.run(&["search", "--level", "info", "--event-type", "job.created"]);
    assert_eq!(ended.stderr, "", "where nobody asks for errors nothing is said of them");
}

#[test]
fn an_event_that_is_emitted_by_hand_has_the_level_of_its_type() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    store.output(&["emit", "invoice.export_failed", "--service", "billing"]);
    store.output(&["emit", "invoice.exported", "--service", "billing"]);
    store.output(&["emit", "invoice.export_failed", "--service", "billing", "--level", "warn"]);
    store.output(&["collect", "--once"]);
    let levels =
        store.output(&["sql", "--format", "csv", "select level from events order by ingested_at, length(id), id"]);
    assert_eq!(levels, "level\nerror\ninfo\nwarn\n");
}
