//! The questions, asked of the sample store by the commands that people type.

use std::fs;
use std::path::Path;

use crate::support::{Ended, emp_events, run};

fn ask_store(store: &Path, words: &[&str]) -> Ended {
    run(emp_events().arg("--store").arg(store).args(words).env("COLUMNS", "140"))
}

fn ask(words: &[&str]) -> Ended {
    ask_store(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample"), words)
}

#[track_caller]
fn table(words: &[&str]) -> String {
    let ended = ask(&[words, &["--format", "table"]].concat());
    assert_eq!((ended.status, ended.said().as_str()), (0, ""));
    // How long it took is different each time.
    ended
        .stdout
        .lines()
        .map(|line| line.split_once(" rows in ").map_or(line, |(rows, _)| rows))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_timeline_shows_a_retried_job() {
    insta::assert_snapshot!(table(&["timeline", "job_ed79husvrxkm"]));
}

#[test]
fn a_timeline_shows_a_stuck_job() {
    insta::assert_snapshot!(table(&["timeline", "job_n6kuhz4kghuv"]));
}

#[test]
fn gaps_handoffs_and_perf_look_back_over_both_days() {
    insta::assert_snapshot!("gaps", table(&["gaps", "--limit", "5"]));
    insta::assert_snapshot!("handoffs", table(&["handoffs"]));
    insta::assert_snapshot!("perf", table(&["perf", "--limit", "12"]));
}

#[test]
fn a_range_of_time_narrows_an_answer() {
    let whole = ask(&["perf", "--format", "csv"]).stdout;
    let hour = ask(&["perf", "--format", "csv", "--since", "2025-09-27T10:00Z", "--until", "2025-09-27T11:00Z"]).stdout;
    assert!(hour.lines().count() > 5 && hour != whole);
    let failed = "select count(*) as n from events where event_type = 'connector.processing_failed'
        and timestamp >= '2025-09-27T10:00:00Z' and timestamp < '2025-09-27T11:00:00Z'";
    let counted = ask(&["sql", "--format", "csv", failed]).stdout;
    let expected = format!("connector.processing_failed,{},", counted.lines().nth(1).unwrap());
    assert!(hour.contains(&expected), "{expected} in {hour}");
}

#[test]
fn an_unknown_job_is_answered_with_those_that_are_near() {
    let ended = ask(&["timeline", "job_ed79husvrxkx"]);
    let expected = "emp-events: the store has no events of job `job_ed79husvrxkx`; did you mean job_ed79husvrxkm?\n";
    assert_eq!((ended.status, ended.stderr.as_str()), (1, expected));
}

#[test]
fn an_empty_answer_says_what_may_have_been_meant() {
    let said = |words: &[&str]| {
        let ended = ask(words);
        assert_eq!((ended.status, ended.stdout.trim()), (0, ""), "{words:?}");
        ended.stderr
    };
    insta::assert_snapshot!(said(&["search", "--service", "webhok"]), @"emp-events: no event matches: there is no service `webhok`; did you mean `webhook-service`?");
    insta::assert_snapshot!(said(&["search", "--service", "web"]), @"emp-events: no event matches: there is no service `web`; did you mean `webhook-service`?");
    insta::assert_snapshot!(said(&["search", "-f", "connectorTyp=openai"]), @"emp-events: no event matches: there is no column and no key of data `connectorTyp`; did you mean `connectorType`?");
    insta::assert_snapshot!(said(&["perf", "--by", "connector"]), @"emp-events: there is no column and no key of data `connector`; did you mean `connectorType`?");
    insta::assert_snapshot!(said(&["perf", "--by", "nothing_like_it"]), @"emp-events: there is no column and no key of data `nothing_like_it`");
    insta::assert_snapshot!(said(&["perf", "--by", "worker_id", "--since", "2020-01-01", "--until", "2020-01-02"]), @"emp-events: no event of that time has a worker_id");
    let histogram = ask(&["search", "--histogram", "--service", "webhok", "--format", "json"]);
    assert_eq!((histogram.status, histogram.stdout.as_str()), (0, "[]\n"));
    assert_eq!(histogram.stderr, said(&["search", "--service", "webhok"]));
}

#[test]
fn a_piece_of_an_id_leads_to_its_job_and_one_that_is_not_there_yet_is_said() {
    let piece = ask(&["diagnose", "d79husv"]);
    assert!(piece.status == 1 && piece.stderr.contains("did you mean job_ed79husvrxkm?"), "{}", piece.stderr);
    let pattern = ask(&["diagnose", "job_ed79husv*"]);
    assert!(pattern.status == 0 && pattern.stderr.contains("is taken for job_ed79husvrxkm"), "{}", pattern.stderr);
    let early = ask(&["diagnose", "job_ed79husvrxkm", "--now", "2025-09-26T01:00:00Z"]);
    let expected =
        "emp-events: job `job_ed79husvrxkm` has no event before 2025-09-27T10:00:00Z: set --now to a later time\n";
    assert_eq!((early.status, early.stderr.as_str()), (1, expected));
}

#[test]
fn the_job_of_gaps_and_handoffs_has_to_be_there() {
    for command in ["gaps", "handoffs"] {
        let unknown = ask(&[command, "--job-id", "job_ed79husvrxkx"]);
        assert_eq!((unknown.status, unknown.stdout.as_str()), (1, ""));
        assert!(unknown.stderr.contains("did you mean job_ed79husvrxkm?"), "{}", unknown.stderr);
        let short = ask(&[command, "--job-id", "job_ed79husvr"]);
        assert_eq!(short.stdout, ask(&[command, "--job-id", "job_ed79husvrxkm"]).stdout);
        assert!(short.stderr.contains("job_ed79husvr is taken for job_ed79husvrxkm"), "{}", short.stderr);
    }
}

#[test]
fn mistakes_in_sql_are_answered_in_one_clear_line() {
    let said = |query: &str| {
        let ended = ask(&["sql", query]);
        assert_eq!((ended.status, ended.stdout.as_str()), (1, ""), "{query}");
        ended.stderr
    };
    insta::assert_snapshot!(said("select jobid from events"), @"emp-events: there is no column `jobid`; did you mean `job_id`?");
    insta::assert_snapshot!(said("select * form events"), @r"
    emp-events: syntax error: expected end of statement, found form
      select * form events
               ^
    ");
    insta::assert_snapshot!(said("delete from events"), @"emp-events: `DELETE FROM` is refused: a store is only read (SELECT, EXPLAIN, SHOW, DESCRIBE)");
    insta::assert_snapshot!(said("copy events to '/tmp/x.csv'"), @"emp-events: `COPY` is refused: a store is only read (SELECT, EXPLAIN, SHOW, DESCRIBE)");
    insta::assert_snapshot!(said("select worker from events"), @"emp-events: there is no column `worker`; did you mean `worker_id`?");
    insta::assert_snapshot!(said("select percentile(duration_ms, 0.5) from events"), @"emp-events: there is no function `percentile`; did you mean `percentile_cont`?");
    insta::assert_snapshot!(said("select data->>'progress' + 1 from events"), @"emp-events: a text takes no part in arithmetic: write try_cast(data->>'progress' as double)");
    insta::assert_snapshot!(said("select data.userId from events"), @"emp-events: `data` is JSON in a text and has no field `userId`: write data->>'userId'");
    insta::assert_snapshot!(said("select cast(data->>'jobType' as int) from events"), @"emp-events: `image_generation` is no int: try_cast(… as int) makes a null of it");
    insta::assert_snapshot!(said("select * from '/etc/passwd'"), @"emp-events: `/etc/passwd` is refused: a query reads the store's own tables (events, transitions, files, losses, quarantine, dead_letters), not files");
}

#[test]
fn a_parameter_that_a_query_lacks_is_answered_with_those_that_it_has() {
    let ended = ask(&["query", "perf", "--param", "window=1h"]);
    assert_eq!(ended.status, 2);
    insta::assert_snapshot!(ended.stderr, @"emp-events: `perf` has no parameter `window`; it takes since, until, limit");
}

/// What producers write is shown, and never obeyed, wherever it comes.
#[test]
fn no_control_character_reaches_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("s 1");
    let lines = folder.path().join("events.ndjson");
    let event = |at: i64, event_type: &str, job: &str, more: &str| {
        format!(r#"{{"timestamp":{at},"service":"s\u001b[1m","eventType":"{event_type}","jobId":"{job}"{more}}}"#)
    };
    let job = r"a\u001b[2J'\n\u009b";
    let error = r#","workerId":"w\u001b[3m","traceId":"t\u0007","data":{"error":"cut\u0007 \u202e off\r"}"#;
    let written = [
        event(1_758_981_600_000, "job.created", job, ""),
        event(1_758_981_601_000, "job.failed", job, error),
        event(1_758_981_602_000, "job.failed", "-x --all", error),
    ];
    fs::write(&lines, written.join("\n")).unwrap();
    run(emp_events().arg("--store").arg(&store).arg("import").arg(&lines));
    let job: String = serde_json::from_str(&format!("\"{job}\"")).unwrap();
    let words: [&[&str]; 14] = [
        &["diagnose", &job],
        &["diagnose", "--all"],
        &["diagnose", "a"],
        &["timeline", &job],
        &["timeline", "a", "--compare", "typical"],
        &["correlate", &job],
        &["correlate", "--", "-x --all"],
        &["search"],
        &["perf", "--by", "job_id"],
        &["gaps"],
        &["anomalies"],
        &["workers"],
        &["top"],
        &["timeline", "\u{1b}[2J"],
    ];
    let mut next = Vec::new();
    for words in words {
        let ended = ask_store(&store, &[&["--format", "table", "--redis", "redis://127.0.0.1:1"], words].concat());
        let shown = ended.stdout + &ended.stderr;
        assert!(!shown.is_empty() && !shown.contains(|c: char| c.is_control() && c != '\n'), "{words:?}: {shown:?}");
        assert!(!shown.contains('\u{202e}'), "{words:?}: {shown:?}");
        let typed = shown.lines().filter_map(|line| Some(line[line.find("emp-events ")?..].to_owned()));
        next.extend(typed.filter(|line| line.contains("--store")));
    }
    // And what is to be typed is what a shell understands.
    let binary = Path::new(env!("CARGO_BIN_EXE_emp-events"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    assert!(
        next.iter().any(|line| line.contains("$'a\\x1b")) && next.iter().any(|line| line.ends_with("-- '-x --all'"))
    );
    for command in next {
        let mut bash = std::process::Command::new("bash");
        crate::support::without_settings(&mut bash);
        let ended = run(bash.args(["-c", &command]).env("PATH", &path).current_dir(folder.path()));
        assert_eq!(ended.status, 0, "{command}: {}", ended.stderr);
    }
}

#[test]
fn a_torn_and_a_foreign_file_are_named_and_the_rest_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample/date=2025-09-26/hour=03");
    let hour = store.join("date=2025-09-26/hour=03");
    fs::create_dir_all(&hour).unwrap();
    let file = fs::read_dir(sample).unwrap().next().unwrap().unwrap();
    fs::copy(file.path(), hour.join(file.file_name())).unwrap();
    let whole = ask_store(store, &["sql", "select count(*) from events"]);
    let bytes = fs::read(file.path()).unwrap();
    fs::write(hour.join("w1_1758855600001-0_1758855600002-0.parquet"), &bytes[..bytes.len() / 2]).unwrap();
    fs::write(hour.join("notes.txt"), "mine").unwrap();
    let ended = ask_store(store, &["sql", "select count(*) from events"]);
    assert_eq!((ended.status, &ended.stdout), (0, &whole.stdout));
    let mut lines: Vec<&str> = ended.stderr.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("notes.txt")) && lines.iter().any(|line| line.contains("w1_17588")));
}

#[test]
fn the_same_fault_of_many_files_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    for hour in 0..20 {
        let hour = folder.path().join(format!("date=2025-09-26/hour={hour:02}"));
        fs::create_dir_all(&hour).unwrap();
        fs::write(hour.join("notes.txt"), "mine").unwrap();
        fs::write(hour.join("w1_1758855600001-0_1758855600002-0.parquet"), "torn").unwrap();
    }
    let ended = ask_store(folder.path(), &["sql", "select count(*) from events"]);
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!((ended.status, lines.len()), (0, 2), "{lines:#?}");
    assert!(lines.iter().all(|line| line.contains("skipped 20 files, such as ")), "{lines:#?}");
}

#[test]
fn a_users_own_queries_are_found_beside_ours() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("by-service.sql"),
        "-- How many events each service sent.\n--\n-- parameters:\n--   service text required who\n\n\
         select count(*) as n from events where service = $service",
    )
    .unwrap();
    let mut list = emp_events();
    let listed = run(list.env("EMP_EVENTS_SQL", folder.path()).args(["query", "--list"]));
    for name in ["by-service", "gaps", "handoffs", "perf", "timeline"] {
        assert!(listed.stdout.contains(&format!("{name}\n    ")), "{}", listed.stdout);
    }
    let mut command = emp_events();
    command.env("EMP_EVENTS_SQL", folder.path()).args(["--store", concat!(env!("CARGO_MANIFEST_DIR"), "/data/sample")]);
    let hostile = run(command.args(["--format", "csv", "query", "by-service", "--param", "service=x' or '1'='1"]));
    assert_eq!(hostile.stdout, "n\n0\n", "a value is a value, never SQL");
}

#[test]
fn a_store_that_is_not_there_is_named() {
    let ended = ask_store(Path::new("nowhere"), &["perf"]);
    let expected = "emp-events: there is no store at nowhere: start `emp-events collect`, or pass --store\n";
    assert_eq!((ended.status, ended.stderr.as_str()), (1, expected));
}
