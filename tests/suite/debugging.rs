//! From a job to the reason: the commands that people type, on the sample store, and live.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::proxy::{self, Line};
use crate::support::{Ended, Lines, Persistence, Redis, Store, beside, emp_events, run, type_into};

const STUCK: &str = "job_n6kuhz4kghuv";
const RETRIED: &str = "job_ed79husvrxkm";
/// Of the same job.
const TRACE: &str = "af7becab784527f28521b597f25e32f5";

fn ask(columns: &str, words: &[&str]) -> Ended {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample");
    // By the environment, so that what is typed next need not name it.
    run(emp_events().env("EMP_EVENTS_STORE", sample).args(["--tz", "UTC"]).args(words).env("COLUMNS", columns))
}

#[track_caller]
fn screen(columns: &str, words: &[&str]) -> String {
    let ended = ask(columns, words);
    assert_eq!((ended.status, ended.said().as_str()), (0, ""), "{words:?}");
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
    let table = ["--format", "table"];
    let noon = ["--now", "2025-09-27T12:00Z"];
    let search = ["search", "--level", "error", "--limit", "6", "--oldest-first"];
    let last = ["--since", "2025-09-27T06:00Z", "--limit", "6"];
    let screens: [(&str, Vec<&str>); 14] = [
        ("diagnose", vec!["diagnose", STUCK]),
        ("diagnose_all", vec!["diagnose", "--all", "--last", "6h"]),
        ("correlate", vec!["correlate", RETRIED]),
        ("anomalies", vec!["anomalies", "--now", "2025-09-27T10:10Z"]),
        ("why_slow", vec!["why-slow", "--last", "12h"]),
        ("timeline", vec!["timeline", RETRIED]),
        ("timeline_of_trace", vec!["timeline", "--trace", TRACE]),
        ("compare", vec!["timeline", STUCK, "--compare", "typical"]),
        ("search", search.to_vec()),
        ("histogram", vec!["search", "--level", "error", "--histogram"]),
        ("perf", [&["perf", "--last", "6h", "--limit", "6"][..], &noon].concat()),
        ("gaps", [&["gaps"][..], &last].concat()),
        ("gap_classes", [&["gaps", "--by", "class"][..], &last].concat()),
        ("handoffs", [&["handoffs"][..], &last].concat()),
    ];
    for (name, words) in screens {
        let words = [&words[..], &table].concat();
        for columns in ["80", "140"] {
            let plain = screen(columns, &words);
            let coloured = screen(columns, &[&words[..], &["--color", "always"]].concat());
            assert_eq!(without_time(&without_colours(&coloured)), without_time(&plain), "{name} at {columns} columns");
            insta::assert_snapshot!(format!("{name}_{columns}"), without_time(&plain));
            if columns == "140" {
                insta::assert_snapshot!(format!("{name}_colour"), without_time(&coloured));
            }
        }
    }
}

/// How long an answer took is different each time.
fn without_time(shown: &str) -> String {
    let lines = shown.lines().map(|line| line.split_once(" rows in ").map_or(line, |(rows, _)| rows).trim_end());
    lines.collect::<Vec<_>>().join("\n")
}

fn without_colours(shown: &str) -> String {
    let mut is_escape = false;
    let mut plain = String::new();
    for c in shown.chars() {
        is_escape = is_escape || c == '\u{1b}';
        if !is_escape {
            plain.push(c);
        }
        is_escape = is_escape && c != 'm';
    }
    plain
}

#[test]
fn a_backtest_says_which_planted_incidents_were_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let (store, truth) = (folder.path().join("store"), folder.path().join("truth.json"));
    let simulate = |words: &[&str]| run(emp_events().arg("--store").arg(&store).arg("simulate").args(words));
    let into = store.to_str().unwrap();
    let healthy = ["--into", into, "--from", "2025-09-25T00:00Z", "--hours", "60", "--healthy", "--format", "json"];
    let planted = ["--incident", "silent-worker@2025-09-26T20:00Z", "--incident", "skewed-clock@2025-09-27T06:00Z"];
    let told = simulate(&[&healthy[..], &planted].concat());
    assert_eq!(told.status, 0, "{}", told.stderr);
    std::fs::write(&truth, &told.stdout).unwrap();
    let ask = |words: &[&str]| run(emp_events().arg("--store").arg(&store).args(words));
    let words = ["anomalies", "--backtest", "--last", "1d", "--every", "30m", "--truth", truth.to_str().unwrap()];
    let ended = ask(&[&words[..], &["--format", "json"]].concat());
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let said: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let compared = &said["compared"];
    let found: Vec<_> = compared["incidents"].as_array().unwrap().iter().map(|one| &one["told_as"]).collect();
    assert!(found[0] == "silence" && !found[1].is_null(), "{compared:#}");
    assert_eq!(compared["false_alarms"], 0, "{said:#}");
    let shown = ask(&[&words[..], &["--format", "table", "--tz", "UTC"]].concat()).stdout;
    assert!(shown.contains("2 of 2 known incidents were told of; 0 false alarms, 0.00 a day"), "{shown}");
    std::fs::write(&truth, "{}").unwrap();
    let ended = ask(&words);
    assert_eq!(ended.status, 1);
    assert!(ended.stderr.contains("truth.json does not tell what was wrong"), "{}", ended.stderr);
}

/// Snapshots of the sample's screens cover the rest: here is what no sample holds.
#[test]
fn hard_jobs_are_answered_in_clear_sentences() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let base = 1_758_968_000_000_i64;
    let mut pipe = redis::pipe();
    let mut add = |job: &str, at_ms: i64, event_type: &str, service: &str, data: &str| {
        let (id, timestamp) = (format!("{}-*", base + at_ms), (base + at_ms).to_string());
        let fields = ["timestamp", &timestamp, "service", service, "eventType", event_type, "jobId", job];
        pipe.cmd("XADD").arg("emp:events").arg(id).arg(&fields).arg(&["workerId", "worker-1", "data", data]).ignore();
    };
    // A job of very many events; one that ends thrice; one whose producers' clocks are hours apart; one whose
    // beginning nobody has.
    add("job_long", 0, "job.created", "api-server", "{}");
    add("job_twice", 0, "job.created", "api-server", "{}");
    for progress in 0..100_000 {
        let (event_type, data) = match progress {
            50_000 => ("job.progress_failed", r#"{"error":"one among many"}"#),
            _ => ("job.progress_updated", "{}"),
        };
        add("job_long", 10 + progress * 3, event_type, "worker", data);
    }
    for (at_ms, event_type) in [(300_100, "job.completed"), (300_200, "job.failed"), (300_300, "job.completed")] {
        add("job_twice", at_ms, event_type, "worker", "{}");
    }
    add("job_skewed", 300_400, "job.created", "api-server", "{}");
    add("job_headless", 300_410, "job.progress_updated", "worker", "{}");
    add("job_headless", 300_420, "job.completed", "worker", "{}");
    let far = base + 300_500;
    for (ahead_ms, event_type) in [(7_200_000, "job.claimed"), (7_201_000, "job.completed")] {
        let (id, timestamp) = (format!("{far}-*"), (far + ahead_ms).to_string());
        let fields = ["timestamp", &timestamp, "service", "worker", "eventType", event_type, "jobId", "job_skewed"];
        pipe.cmd("XADD").arg("emp:events").arg(id).arg(&fields).arg(&["workerId", "worker-1"]).ignore();
    }
    pipe.exec(&mut redis.connection()).unwrap();
    assert_eq!(store.run(&["collect", "--once"]).status, 0);
    let table = |words: &[&str]| store.output(&[words, &["--format", "table", "--tz", "UTC"]].concat());
    let verdict = |job: &str| -> serde_json::Value {
        serde_json::from_str(&store.output(&["diagnose", job, "--format", "json"])).unwrap()
    };

    let long = table(&["timeline", "job_long"]);
    assert!(long.lines().count() < 200, "{} lines", long.lines().count());
    assert!(long.contains("×50,000") && long.contains("one among many"), "{long}");
    assert_eq!(verdict("job_long")["last_event"]["event_type"], "job.progress_updated");

    let twice = verdict("job_twice");
    assert_eq!(twice["verdict"], "done", "{twice:#}");
    assert!(twice["completeness"]["notes"].to_string().contains("2 more events that end the job"), "{twice:#}");

    let skewed = verdict("job_skewed");
    let shares: f64 = skewed["budget"].as_array().unwrap().iter().map(|part| part["share"].as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 1e-6, "{skewed:#}");
    assert!(skewed.to_string().contains("ahead"), "{skewed:#}");

    let headless = verdict("job_headless");
    assert!(headless["completeness"]["complete"] == false, "{headless:#}");
    assert!(headless["completeness"]["notes"].to_string().contains("first events"), "{headless:#}");
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
    let expected =
        ["kind", "severity", "subject", "value", "baseline", "unit", "n", "p", "q", "since", "until", "window"];
    assert_eq!(keys, [&expected[..], &["message"]].concat());
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

/// The ids that a tail shows, until there are so many. What it says beside them comes line by line.
fn tailed(store: &Store, words: &[&str], count: usize, meanwhile: impl FnOnce(Lines)) -> Vec<String> {
    let mut tail = store.command(&[&["tail", "--format", "ndjson", "--last", "10"], words].concat());
    let mut tail = tail.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (shown, said) = (Lines::of(tail.stdout.take().unwrap()), Lines::of(tail.stderr.take().unwrap()));
    let id = || {
        let line: serde_json::Value = serde_json::from_str(&shown.next().unwrap()).unwrap();
        line["id"].as_str().unwrap().to_owned()
    };
    let mut ids: Vec<String> = (0..10).map(|_| id()).collect();
    meanwhile(said);
    ids.extend((10..count).map(|_| id()));
    tail.kill().unwrap();
    tail.wait().unwrap();
    ids
}

#[test]
fn a_tail_of_redis_misses_and_doubles_nothing() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(50, 5_000);
    let ids = tailed(&store, &["--from", "redis"], 210, |_| redis.add(200, 5_000));
    let all = redis.ids();
    assert_eq!(ids, all[40..], "the last ten, then all that came");
}

#[test]
fn a_tail_of_redis_shows_nothing_again_where_its_newest_entry_was_deleted() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(50, 5_000);
    let all = redis.ids();
    let ids = tailed(&store, &["--from", "redis"], 12, |_| {
        redis.command::<()>(&format!("XDEL emp:events {}", all[49]));
        // Each time that nothing has come, it looks whether the stream is still the same.
        let looks = || redis.calls("xinfo|stream");
        let before = looks();
        crate::support::eventually("it has looked", || looks() >= before + 2);
        redis.add(2, 5_000);
    });
    assert_eq!(ids, [&all[40..], &redis.ids()[49..]].concat());
}

#[test]
fn a_tail_of_the_store_misses_and_doubles_nothing() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let collector = store.collect(&[]);
    redis.add(50, 5_000);
    crate::support::eventually("they are stored", || store.events() == 50);
    let ids = tailed(&store, &[], 210, |_| redis.add(200, 5_000));
    assert_eq!(ids, redis.ids()[40..], "the last ten, then all that came");
    assert_eq!(collector.stop(), 0);
}

#[test]
fn a_tail_of_the_store_shows_what_an_import_stores_beside_the_collector() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let collector = store.collect(&[]);
    redis.add(50, 5_000);
    crate::support::eventually("they are stored", || store.events() == 50);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("older.ndjson");
    let line =
        |second: u32| format!(r#"{{"timestamp":17589708{second:02}000,"service":"worker","eventType":"job.created"}}"#);
    std::fs::write(&file, (10..30).map(|second| line(second) + "\n").collect::<String>()).unwrap();
    let ids = tailed(&store, &["--from", "store"], 40, |_| {
        let imported = store.run(&["import", file.to_str().unwrap()]);
        assert_eq!(imported.status, 0, "{}", imported.stderr);
        redis.add(10, 5_000);
    });
    let (older, newer): (Vec<&String>, Vec<&String>) = ids[10..].iter().partition(|id| id.starts_with("1758970"));
    assert_eq!((older.len(), newer.len()), (20, 10), "{ids:?}");
    assert_eq!(collector.stop(), 0);
}

#[test]
fn a_tail_of_the_store_says_where_an_import_added_among_what_was_there() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let folder = tempfile::tempdir().unwrap();
    let import = |seconds: std::ops::Range<u32>| {
        let file = folder.path().join("lines.ndjson");
        let line = |second: u32| {
            format!("{{\"timestamp\":17589708{second:02}000,\"service\":\"worker\",\"eventType\":\"job.created\"}}\n")
        };
        std::fs::write(&file, seconds.map(line).collect::<String>()).unwrap();
        store.output(&["import", file.to_str().unwrap()]);
    };
    import(10..30);
    let ids = tailed(&store, &["--from", "store"], 12, |said| {
        import(5..8);
        while !said.next().expect("it says so").contains("an import put 3 events among earlier ones") {}
        // In place of the file that was there, whose name says the same.
        import(8..9);
        while !said.next().expect("it says so").contains("an import put 1 event among earlier ones") {}
        import(40..42);
    });
    let seconds: Vec<&str> = ids.iter().map(|id| &id[8..10]).collect();
    assert_eq!(seconds[10..], ["40", "41"], "{ids:?}");
}

/// Counts the bytes to the client.
struct Counted(Arc<AtomicUsize>);

impl Line for Counted {
    fn to_client(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.0.fetch_add(bytes.len(), Relaxed);
        bytes
    }
}

#[test]
fn a_tail_of_redis_reads_no_more_than_it_shows_and_as_far_back_as_its_filter_needs() {
    let redis = Redis::start();
    redis.add(20, 100_000);
    redis.command::<String>("XADD emp:events * service worker eventType job.rare jobId old");
    redis.add(20_000, 100_000);
    let carried = Arc::new(AtomicUsize::new(0));
    let store = Store::at(proxy::before(redis.port(), Counted(Arc::clone(&carried))));
    let ids = tailed(&store, &["--from", "redis"], 15, |_| redis.add(5, 100_000));
    let all = redis.ids();
    assert_eq!(ids, all[all.len() - 15..]);
    assert!(carried.load(Relaxed) < 100_000, "{} bytes", carried.load(Relaxed));
    let rare = ["--from", "redis", "--event-type", "job.rare"];
    redis.command::<String>("XADD emp:events * service worker eventType job.rare jobId new");
    let mut tail = store.command(&[&["tail", "--format", "ndjson", "--last", "2"][..], &rare].concat());
    let mut tail = tail.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let shown = Lines::of(tail.stdout.take().unwrap());
    let jobs = ["old", "new"].map(|job| shown.next().unwrap().contains(&format!("\"job_id\":\"{job}\"")));
    tail.kill().unwrap();
    tail.wait().unwrap();
    assert_eq!(jobs, [true, true]);
}

#[test]
fn a_tail_goes_on_where_redis_was_gone() {
    let mut redis = Redis::start_with(Persistence::Full);
    let store = Store::of(&redis);
    redis.add(50, 5_000);
    let ids = tailed(&store, &["--from", "redis"], 110, |said| {
        redis.add(50, 5_000);
        redis.stop();
        while !said.next().expect("it goes on").contains("trying again") {}
        redis.start_again();
        redis.add(50, 5_000);
    });
    assert_eq!(ids, redis.ids()[40..], "the last ten, then all that came before and after");
}

#[test]
fn a_key_stops_a_tail_and_nothing_is_missing_afterwards() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(3, 5_000);
    let ended = beside(
        Duration::from_millis(50),
        || redis.add(1, 1_000_000),
        || {
            let (url, path) = (redis.url(), store.path());
            let words =
                ["--redis", &url, "--store", path.to_str().unwrap(), "tail", "--from", "redis", "--format", "ndjson"];
            let steps = [("\"id\"", " "), ("held back", " "), ("\"id\"", "\u{3}")];
            run(&mut type_into(&words, &steps))
        },
    );
    assert_eq!(ended.status, 0, "{}{}", ended.stdout, ended.stderr);
    let seen: Vec<&str> = ended.stdout.split("\"id\":\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let all = redis.ids();
    let first = all.iter().position(|id| id == seen[0]).unwrap();
    assert!(seen.len() > 3, "{seen:?}");
    assert_eq!(seen, all[first..first + seen.len()], "each one once, in order");
}

#[test]
fn whatever_ends_a_command_leaves_the_terminal_as_it_was() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample");
    let sample = sample.to_str().unwrap();
    let tail = ["--store", sample, "tail", "--from", "store"];
    let top = ["--store", sample, "top", "--now", "2025-09-27T12:00Z"];
    for (words, seen) in [(&tail[..], "──"), (&top[..], "need a look")] {
        for signal in ["SIGTERM", "SIGHUP", "SIGINT"] {
            let ended = run(&mut type_into(words, &[(seen, signal)]));
            assert_eq!(ended.status, 0, "{words:?} {signal}: {}{}", ended.stdout, ended.stderr);
            assert!(
                ended.stderr.contains("left with echo yes, line by line yes"),
                "{words:?} {signal}: {}",
                ended.stderr
            );
        }
    }
}

#[test]
fn keys_of_the_dashboard_lead_to_a_timeline_on_a_real_terminal() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample");
    let words = ["--store", sample.to_str().unwrap(), "--tz", "UTC", "top", "--now", "2025-09-27T12:00Z"];
    let steps = [("need a look", "\r"), ("Where the time went", "d"), ("likely", "q"), ("need a look", "q")];
    let ended = run(&mut type_into(&words, &steps));
    assert_eq!(ended.status, 0, "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("job_dusxqtkwu3q9"), "{}", ended.stdout);
}

#[test]
fn all_times_of_a_screen_are_of_one_zone() {
    for words in
        [&["diagnose", STUCK][..], &["anomalies", "--now", "2025-09-27T10:10Z"], &["diagnose", "--all", "--last", "6h"]]
    {
        let words = [words, &["--format", "table", "--tz", "Asia/Tokyo"]].concat();
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample");
        let ended = run(emp_events().env("EMP_EVENTS_STORE", sample).args(&words).env("COLUMNS", "300"));
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        let is_utc = |word: &str| word.contains(':') && word.trim_end_matches([':', ',', ';', '.']).ends_with('Z');
        let is_typed = |line: &&str| line.trim_start().starts_with("emp-events");
        let said = ended.stdout.lines().filter(|line| !is_typed(line)).flat_map(str::split_whitespace);
        assert_eq!(said.filter(|word| is_utc(word)).collect::<Vec<_>>(), [""; 0], "{}", ended.stdout);
        assert!(ended.stdout.contains("2025-09-2"), "{}", ended.stdout);
    }
}
