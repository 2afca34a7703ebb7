//! Every command answers in the form that was asked for, or says that it has none.

use crate::support::{Ended, emp_events, file, run};

const JOB: &str = "job_ed79husvrxkm";
const QUESTIONS: [&[&str]; 25] = [
    &["sql", "select event_type, data from events where level = 'error' limit 3"],
    &["sql", "select * from events where false"],
    &["query", "perf"],
    &["query", "--list"],
    &["diagnose", JOB],
    &["diagnose", JOB, "job_dusxqtkwu3q9"],
    &["diagnose", "--all"],
    &["anomalies"],
    &["anomalies", "--backtest", "--last", "2h", "--every", "1h"],
    &["search", "--errors", "--limit", "3"],
    &["search", "--errors", "--histogram"],
    &["search", "--service", "nobody"],
    &["search", "--service", "nobody", "--histogram"],
    &["timeline", JOB],
    &["timeline", JOB, "--compare", "typical"],
    &["gaps", "--limit", "3"],
    &["gaps", "--by", "class"],
    &["handoffs"],
    &["correlate", JOB],
    &["perf", "--last", "2h"],
    &["changes"],
    &["why-slow", "--last", "6h"],
    &["workers"],
    &["check-names"],
    &["top"],
];
const UPKEEP: [&[&str]; 3] = [&["health"], &["verify"], &["retain", "--age", "10000d", "--dry-run"]];

fn ask(words: &[&str], format: &str) -> Ended {
    let mut command = emp_events();
    command.arg("--store").arg(file("data/sample")).args(words).args(["--format", format]);
    run(command.args(["--redis", "redis://127.0.0.1:1"]))
}

/// Is that text of that form?
fn is_of_form(text: &str, format: &str) -> bool {
    let is_json = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
    match format {
        "json" => is_json(text),
        "ndjson" => text.lines().all(is_json),
        // Every record has as many fields as there are names; a quoted field may hold anything.
        "csv" => {
            let quoted = regex::Regex::new(r#""([^"]|"")*""#).unwrap();
            let plain = quoted.replace_all(text, "quoted");
            let mut fields = plain.lines().map(|line| line.split(',').count());
            let names = fields.next();
            names.is_some() && fields.all(|count| Some(count) == names)
        }
        "markdown" => text.lines().all(|line| line.starts_with('|') && line.ends_with('|')),
        _ => true,
    }
}

#[test]
fn every_answer_has_the_form_that_was_asked_for_or_is_refused() {
    let refused = |ended: &Ended| {
        ended.status == 2 && ended.stdout.is_empty() && ended.stderr.contains("this answer has no form as")
    };
    for words in QUESTIONS.iter().chain(&UPKEEP) {
        for format in ["table", "json", "ndjson", "csv", "markdown"] {
            let ended = ask(words, format);
            let is_answered = ended.status < 2 && is_of_form(&ended.stdout, format);
            assert!(is_answered || refused(&ended), "{words:?} as {format}: {}{}", ended.stdout, ended.stderr);
            // What a person sees is never refused.
            assert!(is_answered || format != "table", "{words:?} as {format}: {}", ended.stderr);
        }
    }
}

#[test]
fn a_list_is_an_array_and_a_line_for_each() {
    for words in QUESTIONS {
        let (json, lines) = (ask(words, "json"), ask(words, "ndjson"));
        if json.status == 2 {
            continue;
        }
        let whole: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
        if let Some(items) = whole.as_array() {
            assert_eq!(items.len(), lines.stdout.lines().count(), "{words:?}");
        }
    }
}

#[test]
fn times_are_rfc_3339_and_data_is_an_object_wherever_events_are() {
    let of_utc = regex::Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$").unwrap();
    fn walk(value: &serde_json::Value, check: &mut impl FnMut(&str, &serde_json::Value)) {
        match value {
            serde_json::Value::Array(items) => items.iter().for_each(|item| walk(item, check)),
            serde_json::Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                check(name, value);
                walk(value, check);
            }),
            _ => {}
        }
    }
    for words in QUESTIONS {
        let json = ask(words, "json");
        if json.status == 2 {
            continue;
        }
        let whole: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
        walk(&whole, &mut |name, value| match (name, value) {
            (
                "timestamp" | "since" | "ingested_at" | "from" | "until" | "first_seen" | "last_seen" | "last_heard",
                value,
            ) => {
                let is_time = value.as_str().is_none_or(|text| of_utc.is_match(text));
                assert!(is_time && !value.is_number(), "{words:?}: {name} is {value}");
            }
            ("data", value) => assert!(value.is_object() || value.is_null(), "{words:?}: data is {value}"),
            ("time", value) => panic!("{words:?}: a time is called `time`: {value}"),
            _ => {}
        });
    }
}
