//! `import` takes each line of a file into the store once, whatever happens meanwhile.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Redis, Store, emp_events, eventually, run};

const SPOOL: &str = "00ff00ff12345678";
/// 2025-09-27 14:00:00 UTC.
const HOUR_14: i64 = 1_758_981_600_000;

/// Line `number` of a spool, written down in that millisecond.
fn line(spool: &str, number: u64, ms: i64) -> String {
    let line = json!({
        "uid": format!("{spool}:{number}"), "spooledAt": ms, "timestamp": ms - 5, "service": "worker",
        "eventType": "job.claimed", "jobId": format!("job_{number}"), "level": "info", "data": {"claimTimeMs": number},
    });
    format!("{line}\n")
}

/// Lines of the hours after 14:00, a hundred an hour.
fn lines(spool: &str, numbers: std::ops::RangeInclusive<u64>) -> String {
    numbers.map(|number| line(spool, number, HOUR_14 + number as i64 * 36_000)).collect()
}

fn store() -> (tempfile::TempDir, Store) {
    // No server is asked: events come from files alone.
    (tempfile::tempdir().unwrap(), Store::at("redis://127.0.0.1:1".to_owned()))
}

fn file(folder: &tempfile::TempDir, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

/// Imports a file: events, lines that were there already, lines in quarantine, incomplete ones.
#[track_caller]
fn import(store: &Store, path: &Path) -> [u64; 4] {
    let said = store.output(&["import", "--format", "json", path.to_str().unwrap()]);
    let said: Value = serde_json::from_str(&said).unwrap();
    ["events", "already_there", "quarantined", "incomplete"].map(|name| said[name].as_u64().unwrap())
}

#[track_caller]
fn assert_sound(store: &Store) {
    // Without Redis' address: it is not asked.
    let ended = run(emp_events().arg("--store").arg(store.path()).arg("verify"));
    assert!(ended.status == 0 && ended.stdout.contains("all is sound"), "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn a_spool_is_taken_once_also_while_it_grows() {
    let (folder, store) = store();
    let half_a_line = line(SPOOL, 251, HOUR_14).split_at(40).0.to_owned();
    let path = file(&folder, "spool.ndjson", lines(SPOOL, 1..=250) + &half_a_line);
    assert_eq!(import(&store, &path), [250, 0, 0, 1]);
    assert_eq!(import(&store, &path), [0, 250, 0, 1]);
    fs::write(&path, lines(SPOOL, 1..=320)).unwrap();
    assert_eq!(import(&store, &path), [70, 250, 0, 0]);
    assert_eq!(store.events(), 320);
    assert_eq!(store.number("select count(distinct id) from events"), 320);
    assert_eq!(store.number("select count(distinct hour) from events"), 4, "the hours in which they were spooled");
    assert_eq!(store.number("select count(*) from events where data like '%spooledAt%' or data like '%uid%'"), 0);
    let row = "select count(*) from events where job_id = 'job_7' and duration_ms = 7
               and cast(ingested_at as bigint) - cast(timestamp as bigint) = 5";
    assert_eq!(store.number(row), 1);
    let order = "select count(*) from (select cast(substr(job_id, 5) as bigint) as n,
                 row_number() over (order by ingested_at, length(id), id) as place from events) where n <> place";
    assert_eq!(store.number(order), 0, "the order of IDs is that of the lines");
    assert_sound(&store);
}

#[test]
fn spools_of_the_same_milliseconds_stay_apart() {
    let (folder, store) = store();
    let other = "00ff00fe12345678";
    let first = file(&folder, "first.ndjson", lines(SPOOL, 1..=50));
    let both = file(&folder, "both.ndjson", lines(SPOOL, 1..=60) + &lines(other, 1..=50));
    assert_eq!(import(&store, &first), [50, 0, 0, 0]);
    assert_eq!(import(&store, &both), [60, 50, 0, 0]);
    assert_eq!((store.events(), store.number("select count(distinct id) from events")), (110, 110));
}

#[test]
fn lines_that_are_no_events_are_kept_once_with_the_reason() {
    let (folder, store) = store();
    let mut text = lines(SPOOL, 1..=3).into_bytes();
    text.extend(b"{\"uid\":\"00ff00ff12345678:4\",\"spooledAt\":1758981600000,\"eventType\":\"job.lost\"}\n");
    text.extend(b"{\"uid\":\"00ff00ff12345678:5\",\"spoo{\"uid\"\n\xff\xfe\n\n");
    text.extend(line(SPOOL, 6, HOUR_14).bytes());
    let path = file(&folder, "spool.ndjson", &text);
    assert_eq!(import(&store, &path), [4, 0, 3, 0]);
    assert_eq!(import(&store, &path), [0, 7, 0, 0]);
    text.extend(b"[]\n");
    fs::write(&path, &text).unwrap();
    assert_eq!(import(&store, &path), [0, 7, 1, 0]);
    let said = store.output(&["sql", "--format", "csv", "select reason from quarantine order by reason"]);
    assert!(said.contains("the field `service` is missing"), "{said}");
    assert!(said.contains("the line is not UTF-8"), "{said}");
    assert!(said.contains("the line is not a JSON object"), "{said}");
    assert_eq!((store.events(), store.number("select count(*) from quarantine")), (4, 4));
    let kept = "select count(*) from quarantine where entry like '%job.lost%' or entry like '%base64%'";
    assert_eq!(store.number(kept), 2);
    assert_sound(&store);
}

#[test]
fn any_lines_in_the_wires_names_are_taken_from_a_pipe_too() {
    let (_folder, store) = store();
    let text = r#"{"timestamp":1758981600000,"service":"api-server","eventType":"job.created","jobId":"j1"}
{"timestamp":"1758981500000","service":"worker","eventType":"job.claimed","data":{"jobId":"j1"},"attempt":2}
{"service":"worker","eventType":"job.completed"}
"#;
    for expected in ["imported 3 events from 1 file\n", "imported 0 events from 1 file; 3 lines were there already\n"] {
        let mut process = store.command(&["import", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = process.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    }
    assert_eq!(store.number("select count(*) from events where job_id = 'j1'"), 2);
    assert_eq!(store.number("select count(*) from events where data->>'attempt' = '2'"), 1);
    let clock = "select count(*) from events where timestamp = to_timestamp_millis(1758981500000)
                 and ingested_at = to_timestamp_millis(1758981600000)";
    assert_eq!(store.number(clock), 1, "arrivals never fall within a file, whatever the producers' clocks");
}

#[test]
fn beside_a_collector_the_law_holds_and_health_is_good() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "spool.ndjson", lines(SPOOL, 1..=200) + "no event\n");
    let collector = store.collect(&[]);
    redis.add(20, 100);
    eventually("they are stored", || store.events() == 20);
    assert_eq!(import(&store, &path), [200, 0, 1, 0]);
    redis.add(10, 100);
    eventually("all are there", || store.events() == 230);
    assert_eq!(import(&store, &path), [0, 201, 0, 0]);
    let said = store.output(&["verify", "--law"]);
    assert!(said.contains("230 events: all is sound"), "{said}");
    assert!(said.contains("30  stored"), "{said}");
    assert!(said.contains("the law holds"), "{said}");
    eventually("health is good", || store.run(&["health"]).status == 0);
    assert_eq!(collector.stop(), 0);
    // A collector that begins anew is not misled by the IDs of imported events.
    redis.add(5, 100);
    store.output(&["collect", "--once"]);
    assert_eq!(store.events(), 235);
    assert!(store.output(&["verify", "--law"]).contains("the law holds"));
}

#[test]
fn compaction_and_retention_bring_nothing_back() {
    let (folder, store) = store();
    let path = file(&folder, "spool.ndjson", "");
    for upto in [10, 20, 150, 320] {
        fs::write(&path, lines(SPOOL, 1..=upto)).unwrap();
        import(&store, &path);
    }
    let said = store.output(&["compact"]);
    assert!(said.starts_with("5 files with 199 events became 2"), "{said}");
    assert_eq!((store.events(), import(&store, &path)), (320, [0, 320, 0, 0]));
    store.output(&["retain", "--age", "1d", "--even-if-odd"]);
    assert_eq!((store.events(), import(&store, &path)), (0, [0, 320, 0, 0]));
    fs::write(&path, lines(SPOOL, 1..=330)).unwrap();
    assert_eq!((import(&store, &path), store.events()), ([10, 320, 0, 0], 10));
    assert_sound(&store);
}

#[test]
fn two_imports_at_once_take_each_line_once() {
    let (folder, store) = store();
    let path = file(&folder, "spool.ndjson", lines(SPOOL, 1..=5_000));
    let start = || {
        let mut command = store.command(&["import", "--format", "json", path.to_str().unwrap()]);
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    let outputs = [start(), start(), start()].map(|process| process.wait_with_output().unwrap());
    let said = outputs.map(|output| serde_json::from_slice::<Value>(&output.stdout).unwrap());
    assert_eq!(said.iter().map(|said| said["events"].as_u64().unwrap()).sum::<u64>(), 5_000);
    assert_eq!((store.events(), store.number("select count(distinct id) from events")), (5_000, 5_000));
    let left = fs::read_dir(store.path().join("_journal")).unwrap().count();
    assert!(left <= 1, "locks go with their holders: {left} files");
}

#[test]
fn an_import_that_is_killed_is_made_up_for() {
    let (folder, store) = store();
    let path = file(&folder, "spool.ndjson", lines(SPOOL, 1..=40_000));
    for pause_ms in [5, 20, 60, 120] {
        let mut process = store.command(&["import", path.to_str().unwrap()]).stdout(Stdio::null()).spawn().unwrap();
        // Some are killed in the middle, and some may have done it all by then.
        eventually("it has begun", || store.path().exists());
        std::thread::sleep(std::time::Duration::from_millis(pause_ms));
        process.kill().unwrap();
        process.wait().unwrap();
    }
    let [events, already_there, ..] = import(&store, &path);
    assert_eq!(events + already_there, 40_000);
    assert_eq!((store.events(), store.number("select count(distinct id) from events")), (40_000, 40_000));
    assert_sound(&store);
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_the_others_are_taken() {
    let (folder, store) = store();
    let path = file(&folder, "spool.ndjson", lines(SPOOL, 1..=3));
    let missing = folder.path().join("missing.ndjson");
    let ended = store.run(&["import", missing.to_str().unwrap(), path.to_str().unwrap()]);
    assert_eq!((ended.status, ended.stdout.as_str()), (1, "imported 3 events from 1 file\n"));
    assert!(ended.stderr.contains("missing.ndjson: cannot open it: No such file"), "{}", ended.stderr);
    assert_eq!(store.run(&["import"]).status, 2);
}
