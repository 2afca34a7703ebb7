//! From a job to the reason: the commands that people type, on the sample store, and live.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use crate::support::{Ended, Redis, Store, emp_events, run};

const STUCK: &str = "job_n6kuhz4kghuv";
const RETRIED: &str = "job_ed79husvrxkm";

fn ask(columns: &str, words: &[&str]) -> Ended {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample");
    run(emp_events().arg("--store").arg(sample).args(["--tz", "UTC"]).args(words).env("COLUMNS", columns))
}

#[track_caller]
fn screen(columns: &str, words: &[&str]) -> String {
    let ended = ask(columns, words);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{words:?}");
    let widest = ended.stdout.lines().filter(|line| !line.trim_start().starts_with("emp-events")).map(width).max();
    assert!(widest.unwrap_or(0) <= columns.parse().unwrap(), "{words:?} is {widest:?} wide");
    ended.stdout
}

/// Places on a terminal, escape sequences left out.
fn width(line: &str) -> usize {
    let mut places = 0;
    let mut is_escape = false;
    for c in line.chars() {
        is_escape = is_escape || c == '\u{1b}';
        places += usize::from(!is_escape);
        is_escape = is_escape && c != 'm';
    }
    places
}

#[test]
fn screens_fit_narrow_and_wide_terminals() {
    let (stuck, table) = (["diagnose", STUCK], ["--format", "table"]);
    insta::assert_snapshot!("diagnose_80", screen("80", &stuck));
    insta::assert_snapshot!("diagnose_140", screen("140", &stuck));
    insta::assert_snapshot!("diagnose_colour", screen("140", &["diagnose", STUCK, "--color", "always"]));
    insta::assert_snapshot!("diagnose_all_80", screen("80", &["diagnose", "--all", "--last", "6h"]));
    insta::assert_snapshot!("correlate_80", screen("80", &["correlate", RETRIED]));
    insta::assert_snapshot!("correlate_140", screen("140", &["correlate", RETRIED]));
    insta::assert_snapshot!("anomalies_80", screen("80", &["anomalies", "--now", "2025-09-27T10:10Z"]));
    insta::assert_snapshot!("why_slow_80", screen("80", &["why-slow", "--last", "12h"]));
    insta::assert_snapshot!("timeline_80", screen("80", &[&["timeline", RETRIED][..], &table].concat()));
    let beside = ["timeline", STUCK, "--compare", "typical"];
    insta::assert_snapshot!("compare_80", screen("80", &[&beside[..], &table].concat()));
    let search = ["search", "--level", "error", "--limit", "6", "--oldest-first"];
    insta::assert_snapshot!("search_80", screen("80", &[&search[..], &table].concat()));
    insta::assert_snapshot!("search_140", screen("140", &[&search[..], &table].concat()));
    let histogram = ["search", "--level", "error", "--histogram"];
    insta::assert_snapshot!("histogram_80", screen("80", &[&histogram[..], &table].concat()));
}

#[test]
fn the_dashboard_is_a_screen_of_text_in_a_pipe() {
    let shown = screen("120", &["top", "--now", "2025-09-27T12:00Z"]);
    assert!(shown.contains("2 of 58 jobs need a look") && shown.contains("3 alerts"), "{shown}");
    let ended = ask("80", &["top", "--every", "1ms"]);
    assert_eq!((ended.status, ended.stderr.as_str()), (2, "emp-events: --every 1ms is too short: 100ms at least\n"));
}

#[test]
fn a_diagnosis_has_the_form_that_programs_rely_on() {
    let ended = ask("80", &["diagnose", STUCK, "--format", "json"]);
    assert_eq!(ended.status, 0);
    let said: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let keys: Vec<&str> = said.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "job_id",
        "verdict",
        "confidence",
        "reason",
        "culprit",
        "since",
        "last_event",
        "budget",
        "evidence",
        "same_cause",
        "ruled_out",
        "completeness",
        "next",
    ];
    assert_eq!(keys, expected);
    assert_eq!((said["verdict"].as_str(), said["culprit"]["kind"].as_str()), (Some("stuck"), Some("job")));
    assert_eq!(said["last_event"]["event_type"], "job.progress_updated");
    let share: f64 = said["budget"].as_array().unwrap().iter().map(|part| part["share"].as_f64().unwrap()).sum();
    assert!((share - 1.0).abs() < 1e-9, "{share}");
    let unknown = ask("80", &["diagnose", "job_n6kuhz4kghux", "--format", "json"]);
    let said: serde_json::Value = serde_json::from_str(&unknown.stdout).unwrap();
    assert_eq!((unknown.status, said["verdict"].as_str()), (1, Some("not_found")));
    assert!(said["reason"].as_str().unwrap().contains(STUCK));
}

#[test]
fn anomalies_have_the_form_that_programs_rely_on() {
    let ended = ask("80", &["anomalies", "--format", "json", "--now", "2025-09-27T10:10Z"]);
    let said: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let first = said.as_array().unwrap().first().expect("the planted storm is unusual");
    let keys: Vec<&str> = first.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["kind", "severity", "subject", "value", "baseline", "n", "p", "q", "window", "message"]);
    assert_eq!((first["severity"].as_str(), first["window"].as_array().unwrap().len()), (Some("alert"), 2));
}

#[test]
fn bad_times_and_filters_are_answered_in_one_clear_line() {
    let said = |words: &[&str]| {
        let ended = ask("80", words);
        assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{words:?}");
        ended.stderr
    };
    insta::assert_snapshot!(said(&["search", "-f", "nonsense"]), @"emp-events: `nonsense` is no filter: write key=value, key!=value, key~=part or key~~=regex");
    insta::assert_snapshot!(said(&["search", "-f", "error~~=("]), @"emp-events: `error~~=(` has no regular expression after ~~=: error: unclosed group");
    insta::assert_snapshot!(said(&["search", "--since", "2025-09-27", "--until", "2025-09-26"]), @"emp-events: --since is not before --until: no time lies between them");
    assert!(said(&["diagnose", STUCK, "--now", "never"]).contains("`never` is not a time"));
    assert!(said(&["anomalies", "--backtest", "--every", "0"]).contains("too short"));
    let unknown = ask("80", &["search", "--service", "workr", "--format", "table"]);
    assert_eq!(
        (unknown.status, unknown.stdout.as_str()),
        (0, "no event matches: there is no service `workr`; did you mean `worker`?\n")
    );
}

#[test]
fn an_empty_store_has_clear_answers() {
    let folder = tempfile::tempdir().unwrap();
    let ask = |words: &[&str]| run(emp_events().arg("--store").arg(folder.path()).args(words).env("COLUMNS", "80"));
    let diagnosed = ask(&["diagnose", "job_1"]);
    assert_eq!(
        (diagnosed.status, diagnosed.stderr.as_str()),
        (1, "emp-events: the store has no events of job `job_1`\n")
    );
    for words in [&["diagnose", "--all"][..], &["anomalies"], &["why-slow"], &["search", "--histogram"]] {
        let ended = ask(words);
        assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{words:?}");
        assert!(!ended.stdout.is_empty(), "{words:?}");
    }
}

#[test]
fn filters_find_what_sql_finds() {
    let rows = |words: &[&str]| ask("80", words).stdout.lines().count();
    let counted = |condition: &str| {
        let ended = ask("80", &["sql", "--format", "csv", &format!("select count(*) from events where {condition}")]);
        ended.stdout.lines().nth(1).unwrap().parse::<usize>().unwrap()
    };
    for (filter, condition) in [
        ("connectorType=comfyui", "data->>'connectorType' = 'comfyui'"),
        ("service!=worker", "service <> 'worker'"),
        ("error~=ECONN", "strpos(data->>'error', 'ECONN') > 0"),
        ("eventType~~=^job\\.(failed|completed)$", "event_type in ('job.failed', 'job.completed')"),
    ] {
        assert_eq!(rows(&["search", "-f", filter]), counted(condition), "{filter}");
        assert!(counted(condition) > 0, "{filter}");
    }
    let several = rows(&["search", "--event-type", "connector.*,job.failed", "--level", "error"]);
    assert_eq!(several, counted("level = 'error' and (event_type like 'connector.%' or event_type = 'job.failed')"));
}

/// The ids that a tail shows, until there are so many.
fn tailed(store: &Store, words: &[&str], count: usize, meanwhile: impl FnOnce()) -> Vec<String> {
    let mut tail = store.command(&[&["tail", "--format", "ndjson", "--last", "10"], words].concat());
    let mut tail = tail.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let id =
        |line: String| serde_json::from_str::<serde_json::Value>(&line).unwrap()["id"].as_str().unwrap().to_owned();
    let mut ids: Vec<String> = lines.by_ref().take(10).map(|line| id(line.unwrap())).collect();
    meanwhile();
    ids.extend(lines.take(count - 10).map(|line| id(line.unwrap())));
    tail.kill().unwrap();
    tail.wait().unwrap();
    ids
}

#[test]
fn a_tail_of_redis_misses_and_doubles_nothing() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(50, 5_000);
    let ids = tailed(&store, &["--from", "redis"], 210, || redis.add(200, 5_000));
    let all = redis.ids();
    assert_eq!(ids, all[40..], "the last ten, then all that came");
}

#[test]
fn a_tail_of_the_store_misses_and_doubles_nothing() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let collector = store.collect(&[]);
    redis.add(50, 5_000);
    crate::support::eventually("they are stored", || {
        store.run(&["sql", "--format", "csv", "select count(*) from events"]).stdout.lines().nth(1) == Some("50")
    });
    let ids = tailed(&store, &[], 210, || redis.add(200, 5_000));
    assert_eq!(ids, redis.ids()[40..], "the last ten, then all that came");
    assert_eq!(collector.stop(), 0);
}
