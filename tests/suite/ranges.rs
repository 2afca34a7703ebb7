//! One range for every question: it ends at `--until`, else at `--now`, and `--last` counts from there.

use serde_json::Value;

use crate::support::{emp_events, file, run};

fn rows(words: &[&str]) -> Vec<Value> {
    let mut command = emp_events();
    command.arg("--store").arg(file("data/sample")).args(["--format", "json"]).args(words);
    let ended = run(&mut command);
    assert_eq!(ended.status, 0, "{words:?}: {}", ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap()
}

const NOW: &str = "2025-09-27T10:10:00.000Z";
const SINCE: &str = "2025-09-27T09:40:00.000Z";
/// The event of `NOW` itself belongs to a range that ends now.
const UNTIL: &str = "2025-09-27T10:10:00.001Z";

#[test]
fn the_last_minutes_before_now_are_the_same_in_every_command() {
    for command in [&["perf"][..], &["search", "--oldest-first"], &["gaps"], &["gaps", "--by", "class"], &["handoffs"]]
    {
        let last = rows(&[command, &["--last", "30m", "--now", NOW]].concat());
        let range = rows(&[command, &["--since", SINCE, "--until", UNTIL]].concat());
        let keys = |rows: &[Value]| -> Vec<String> {
            // What is compared with what came before looks back from another moment.
            let text = |row: &Value, key: &str| row.get(key).map(Value::to_string).unwrap_or_default();
            let keys = ["id", "event_type", "count", "job_id", "gap_ms", "from_event", "gaps", "handoffs", "p50_ms"];
            rows.iter().map(|row| keys.map(|key| text(row, key)).join(" ")).collect()
        };
        assert!(!last.is_empty(), "{command:?}");
        assert_eq!(keys(&last), keys(&range), "{command:?}");
    }
}

#[test]
fn whatever_judges_a_range_judges_it_as_of_its_end() {
    let told = |words: &[&str]| {
        let mut command = emp_events();
        command.arg("--store").arg(file("data/sample")).args(["--format", "json"]).args(words);
        let ended = run(&mut command);
        assert_eq!(ended.status, 0, "{words:?}: {}", ended.stderr);
        serde_json::from_str::<Value>(&ended.stdout).unwrap()
    };
    for command in [&["diagnose", "--all"][..], &["why-slow"], &["query", "perf"]] {
        let last = told(&[command, &["--last", "30m", "--now", NOW]].concat());
        // A query of rows ends before `--until`; what is judged has it for its last moment.
        let until = if command[0] == "query" { UNTIL } else { NOW };
        assert_eq!(last, told(&[command, &["--since", SINCE, "--until", until]].concat()), "{command:?}");
        assert_ne!(last, told(command), "{command:?}");
    }
    let refused = run(emp_events().args(["diagnose", "job_1", "--since", "1h"]));
    assert!(refused.status == 2 && refused.stderr.contains("go with --all"), "{}", refused.stderr);
    let takes_none = run(emp_events().args(["--store", "data/sample", "query", "timeline", "--last", "1h"]));
    assert!(takes_none.status == 2 && takes_none.stderr.contains("since"), "{}", takes_none.stderr);
}

#[test]
fn a_time_without_a_zone_is_of_the_one_that_is_asked_for() {
    let of =
        |zone: &str| rows(&["sql", "select since('2025-09-27 14:00') as moment", "--tz", zone])[0]["moment"].clone();
    assert_eq!(of("UTC"), "2025-09-27T14:00:00.000Z");
    assert_eq!(of("Asia/Tokyo"), "2025-09-27T05:00:00.000Z");
}

#[test]
fn sql_and_canned_queries_go_by_the_same_clock() {
    let counted = |words: &[&str]| rows(words)[0]["events"].clone();
    let by_now =
        "select count(*) as events from events where timestamp >= now() - interval '30 minutes' and timestamp <= now()";
    let by_hand =
        format!("select count(*) as events from events where timestamp >= '{SINCE}' and timestamp <= '{NOW}'");
    assert_eq!(counted(&["sql", by_now, "--now", NOW]), counted(&["sql", &by_hand]));
    let by_since = "select count(*) as events from events where timestamp >= since('30m') and timestamp <= now()";
    assert_eq!(counted(&["sql", by_since, "--now", NOW]), counted(&["sql", &by_hand]));
    // Where no collector writes, now is just after the newest event.
    assert_ne!(counted(&["sql", "select count(*) as events from events where timestamp >= since('1h')"]), 0);
    assert_eq!(
        rows(&["query", "gaps", "--param", "since=30m", "--param", &format!("until={UNTIL}"), "--now", NOW]).len(),
        rows(&["gaps", "--last", "30m", "--now", NOW]).len()
    );
}

#[test]
fn a_screen_has_one_time_zone() {
    let of_utc = regex::Regex::new(r" \d\d:\d\d:\d\d(\.\d+)?Z").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.md");
    let report_of = ["report", "--last", "6h", "-o", report.to_str().unwrap()];
    for words in [
        &["diagnose", "job_dusxqtkwu3q9"][..],
        &["diagnose", "--all"],
        &["anomalies"],
        &["correlate", "job_dusxqtkwu3q9"],
        &["why-slow", "--last", "6h"],
        &["top"],
        &["health", "--redis", "redis://127.0.0.1:1"],
        &report_of,
    ] {
        let mut command = emp_events();
        command.arg("--store").arg(file("data/sample")).args(words).args(["--now", "2025-09-27T12:00:00Z"]);
        command.args(["--tz", "Europe/Berlin"]).env("COLUMNS", "200");
        let ended = run(&mut command);
        let shown = if words[0] == "report" { std::fs::read_to_string(&report).unwrap() } else { ended.stdout };
        assert!(
            shown.contains("12:47:34") || ["why-slow", "health"].contains(&words[0]),
            "{words:?}: {}{shown}",
            ended.stderr
        );
        let others: Vec<&str> = shown.lines().filter(|line| of_utc.is_match(line)).collect();
        assert!(others.is_empty(), "{words:?}: {others:?}");
    }
}
