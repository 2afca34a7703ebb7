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
                 and ingested_at = to_timestamp_millis(1758981500000)";
    assert_eq!(store.number(clock), 2, "a line came when it says, and one that says nothing with the line before");
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

/// An event without a uid, as any program may write it.
fn event(number: u64) -> String {
    let ms = HOUR_14 + number as i64 * 36_000;
    format!(r#"{{"timestamp":{ms},"service":"worker","eventType":"job.claimed","jobId":"job_{number}"}}"#)
}

fn events(numbers: std::ops::RangeInclusive<u64>) -> String {
    numbers.map(|number| event(number) + "\n").collect()
}

#[track_caller]
fn assert_each_once(store: &Store, count: u64) {
    assert_eq!(store.events(), count);
    assert_eq!(store.number("select count(distinct job_id) from events"), count);
    assert_eq!(store.number("select count(distinct id) from events"), count);
    assert_sound(store);
}

#[test]
fn files_that_begin_with_the_same_line_are_two_files() {
    let (folder, store) = store();
    let first = r#"{"service":"worker","eventType":"worker.started"}"#;
    let a = file(&folder, "a.ndjson", format!("{first}\n{}", events(1..=3)));
    let b = file(&folder, "b.ndjson", format!("{first}\n{}", events(4..=9)));
    let said = store.output(&["import", "--format", "json", a.to_str().unwrap(), b.to_str().unwrap()]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["events"], &said["already_there"]), (&json!(10), &json!(1)));
    assert_eq!(store.number("select count(*) from events where job_id is not null"), 9);
    assert_eq!((import(&store, &a), import(&store, &b)), ([0, 4, 0, 0], [0, 7, 0, 0]));
}

#[test]
fn grown_rotated_renamed_and_overlapping_files_give_each_line_once() {
    let (folder, store) = store();
    let path = file(&folder, "app.log", events(1..=120));
    assert_eq!(import(&store, &path), [120, 0, 0, 0]);
    fs::write(&path, events(1..=150)).unwrap();
    assert_eq!(import(&store, &path), [30, 120, 0, 0]);
    fs::copy(&path, folder.path().join("app.log.1")).unwrap();
    fs::write(&path, events(151..=180)).unwrap();
    assert_eq!(import(&store, &folder.path().join("app.log.1")), [0, 150, 0, 0]);
    assert_eq!(import(&store, &path), [30, 0, 0, 0]);
    // From the middle, backwards, and with what lies between hours that are there already.
    let middle = file(&folder, "middle.log", events(100..=260));
    assert_eq!(import(&store, &middle), [80, 81, 0, 0]);
    let backwards: String = (0..=300).rev().map(|number| event(number) + "\n").collect();
    assert_eq!(import(&store, &file(&folder, "backwards.log", backwards)), [41, 260, 0, 0]);
    assert_each_once(&store, 301);
    let order = "select count(*) from (select cast(substr(job_id, 5) as bigint) as n,
                 row_number() over (order by ingested_at) - 1 as place from events) where n <> place";
    assert_eq!(store.number(order), 0);
}

#[test]
fn equal_lines_of_a_file_are_several_events() {
    let (folder, store) = store();
    let beat = r#"{"service":"worker","eventType":"worker.heartbeat"}"#;
    let text = format!("{}\n{}\n{beat}\n{}\n{beat}\n{beat}\n{}\n", event(1), event(1), event(2), event(1));
    let path = file(&folder, "app.log", &text);
    assert_eq!(import(&store, &path), [7, 0, 0, 0]);
    assert_eq!(import(&store, &path), [0, 7, 0, 0]);
    assert_eq!(store.number("select count(*) from events where job_id = 'job_1'"), 3);
    assert_eq!(store.number("select count(*) from events where event_type = 'worker.heartbeat'"), 3);
}

#[test]
fn packed_files_arrays_marks_and_ends_of_lines_change_no_line() {
    use std::io::Read as _;
    let (folder, store) = store();
    let plain = events(1..=40);
    let mut gzip = Vec::new();
    // Two parts, as `cat a.gz b.gz` makes them.
    for part in [events(1..=10), events(11..=20)] {
        let mut packed = flate2::read::GzEncoder::new(part.as_bytes(), flate2::Compression::fast());
        packed.read_to_end(&mut gzip).unwrap();
    }
    assert_eq!(import(&store, &file(&folder, "a.log.gz", gzip)), [20, 0, 0, 0]);
    let marked = format!("\u{feff}{}", plain.replace('\n', "\r\n"));
    assert_eq!(import(&store, &file(&folder, "windows.log", marked)), [20, 20, 0, 0]);
    let array = format!("[\n  {}\n]\n", plain.trim_end().replace('\n', ",\n  "));
    assert_eq!(import(&store, &file(&folder, "array.json", array)), [0, 40, 0, 0]);
    let without_end = events(1..=41);
    assert_eq!(import(&store, &file(&folder, "end.log", without_end.trim_end())), [1, 40, 0, 0]);
    let zstd = include_bytes!("import/events-41-45.ndjson.zst");
    assert_eq!(import(&store, &file(&folder, "a.log.zst", zstd)), [4, 1, 0, 0]);
    assert_each_once(&store, 45);
}

#[test]
fn a_file_of_which_nothing_is_understood_is_an_error_and_leaves_nothing() {
    let (folder, store) = store();
    let garbage: Vec<u8> = (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 | 1).collect();
    let files: [(&str, Vec<u8>, &str); 7] = [
        ("text.log", b"starting\ndone\n".to_vec(), "line 1: the line is not a JSON object"),
        (
            "pino.log",
            include_bytes!("import/pino.ndjson").to_vec(),
            "it looks like pino or bunyan: try `--from pino --preview`",
        ),
        ("array.json", b"[1, 2, {}]".to_vec(), "the line is not a JSON object"),
        ("garbage.bin", garbage, "no event was found"),
        ("long.log", vec![b'x'; 40 << 20], "the line has 41943040 bytes, more than 16777216"),
        ("a.xz", b"\xfd7zXZ\0\0\0".to_vec(), "unpack it first"),
        ("utf16.log", b"\xff\xfe{\0}\0".to_vec(), "iconv"),
    ];
    for (name, bytes, said) in files {
        let path = file(&folder, name, bytes);
        let ended = store.run(&["import", path.to_str().unwrap()]);
        assert_eq!(ended.status, 1, "{name}: {}", ended.stdout);
        assert!(ended.stderr.contains(said), "{name}: {}", ended.stderr);
        assert!(ended.stdout.starts_with("imported 0 events from 0 files"), "{name}: {}", ended.stdout);
    }
    let left = ["_quarantine", "_journal"].map(|name| fs::read_dir(store.path().join(name)).map_or(0, Iterator::count));
    assert_eq!(left, [0, 0]);
    // One event makes the rest of a file worth being kept.
    let path = file(&folder, "mixed.log", format!("starting\n{}\n{}\n", event(1), "y".repeat(17 << 20)));
    assert_eq!(import(&store, &path), [1, 0, 2, 0]);
    assert_eq!(import(&store, &path), [0, 3, 0, 0]);
    assert_eq!(store.number("select count(*) from quarantine where reason like 'the line has 17825792 bytes%'"), 1);
}

#[test]
fn lines_without_a_uid_survive_kills_rivals_compaction_and_retention() {
    let (folder, store) = store();
    let path = file(&folder, "app.log", events(1..=20_000));
    let start = || {
        let mut command = store.command(&["import", "--format", "json", path.to_str().unwrap()]);
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    };
    let partitions = || fs::read_dir(store.path()).map_or(0, Iterator::count);
    let mut killed = start();
    eventually("it has begun to store", || partitions() > 2 || killed.try_wait().unwrap().is_some());
    let _ = killed.kill();
    killed.wait().unwrap();
    let outputs = [start(), start(), start()].map(|process| process.wait_with_output().unwrap());
    assert!(outputs.iter().all(|output| output.status.success()));
    assert_each_once(&store, 20_000);
    store.output(&["compact"]);
    assert_eq!(import(&store, &path), [0, 20_000, 0, 0]);
    store.output(&["retain", "--age", "1d", "--even-if-odd"]);
    assert_eq!((import(&store, &path), store.events()), ([0, 20_000, 0, 0], 0));
    let said = store.output(&["import", path.to_str().unwrap()]);
    assert!(said.contains("(20000 of hours that retention has taken out)"), "{said}");
}

#[test]
fn a_copy_of_the_store_knows_its_lines_and_goes_on_by_itself() {
    let (folder, store) = store();
    let path = file(&folder, "app.log", events(1..=150));
    assert_eq!(import(&store, &path), [150, 0, 0, 0]);
    let copy = Store::at("redis://127.0.0.1:1".to_owned());
    run(std::process::Command::new("cp").args(["-r", "--", store.path().join(".").to_str().unwrap()]).arg(copy.path()));
    fs::write(&path, events(1..=250)).unwrap();
    assert_eq!((import(&copy, &path), import(&store, &path)), ([100, 150, 0, 0], [100, 150, 0, 0]));
    assert_each_once(&copy, 250);
}

#[test]
fn two_imports_of_merged_spools_in_opposite_order_do_not_wait_for_each_other() {
    let (folder, store) = store();
    let other = "ffffff0012345678";
    let forwards = file(&folder, "forwards.ndjson", lines(SPOOL, 1..=3_000) + &lines(other, 1..=3_000));
    let backwards = file(&folder, "backwards.ndjson", lines(other, 1..=3_000) + &lines(SPOOL, 1..=3_000));
    let start = |path: &Path| {
        let mut command = store.command(&["import", "--format", "json", path.to_str().unwrap()]);
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    for process in [start(&forwards), start(&backwards), start(&forwards), start(&backwards)] {
        assert!(process.wait_with_output().unwrap().status.success());
    }
    assert_eq!((store.events(), store.number("select count(distinct id) from events")), (6_000, 6_000));
}

#[test]
fn logs_of_other_libraries_become_events() {
    for library in ["pino", "winston", "bunyan"] {
        let (_folder, store) = store();
        let path =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/suite/import").join(format!("{library}.ndjson"));
        let arguments = ["import", "--from", library, path.to_str().unwrap()];
        assert_eq!(store.output(&arguments), "imported 6 events from 1 file\n", "{library}");
        assert!(store.output(&arguments).contains("6 lines were there already"), "{library}");
        let told = "select count(*) from events where service = 'worker' and job_id = 'job_1'";
        assert_eq!(store.number(told), 5, "{library}");
        for (count, filter) in [
            (
                1,
                "event_type = 'log.error' and level = 'error' and data->>'error' = 'out of memory' and job_id = 'job_1'",
            ),
            (1, "event_type = 'log.warn' and duration_ms = 412.5 and data->>'message' = 'the connector is slow'"),
            (1, "event_type = 'job.retry_scheduled' and data->>'attempt' = '2'"),
            (1, "worker_id = 'w1' and level = 'debug'"),
            (0, "data like '%_bad%'"),
            (0, "timestamp <> ingested_at"),
        ] {
            assert_eq!(
                store.number(&format!("select count(*) from events where {filter}")),
                count,
                "{library}: {filter}"
            );
        }
    }
}

#[test]
fn a_preview_shows_what_would_be_taken_and_takes_nothing() {
    let (folder, store) = store();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/suite/import/bunyan.ndjson");
    let path = path.to_str().unwrap();
    let said = store.output(&["import", "--from", "bunyan", "--preview", "--tz", "UTC", path]);
    assert!(said.contains("6 events in 6 lines"), "{said}");
    assert!(said.contains("error  worker  log.error  job job_1  job failed"), "{said}");
    assert!(said.contains("next: emp-events import --from bunyan "), "{said}");
    let json = store.output(&["import", "--from", "bunyan", "--preview", "--format", "json", path]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["events"], &json["first"][0]["job_id"]), (&json!(6), &json!("job_1")));
    let ended = store.run(&["import", "--preview", path]);
    assert_eq!(ended.status, 1);
    assert!(ended.stdout.contains("it looks like pino or bunyan"), "{}", ended.stdout);
    let mapping = file(&folder, "mine.toml", "time = ['time']\nmessage = ['msg']\nservice = ['hostname']\n");
    let said = store.output(&["import", "--from", mapping.to_str().unwrap(), "--preview", path]);
    assert!(said.contains("host1  log.info"), "{said}");
    assert_eq!(store.run(&["import", "--from", "log4j", path]).status, 2);
    assert!(fs::read_dir(store.path()).map_or(0, Iterator::count) == 0);
}

#[test]
fn a_parquet_file_of_the_tables_columns_is_taken_once() {
    let (folder, first) = store();
    let lines = file(&folder, "spool.ndjson", lines(SPOOL, 1..=250));
    assert_eq!(import(&first, &lines), [250, 0, 0, 0]);
    let exported = |name: &str, condition: &str| {
        let path = folder.path().join(name);
        first.output(&["sql", "-o", path.to_str().unwrap(), &format!("select * from events where {condition}")]);
        path
    };
    let (_second_folder, second) = store();
    assert_eq!(import(&second, &exported("some.parquet", "duration_ms <= 100")), [100, 0, 0, 0]);
    let all = exported("all.parquet", "true");
    assert_eq!(import(&second, &all), [150, 100, 0, 0]);
    assert_eq!(import(&second, &all), [0, 250, 0, 0]);
    assert_sound(&second);
    let events =
        "select timestamp, service, event_type, level, job_id, duration_ms, data from events order by timestamp";
    assert_eq!(second.output(&["sql", "--format", "csv", events]), first.output(&["sql", "--format", "csv", events]));

    let piped = second.command(&["import", "-"]).stdin(fs::File::open(&all).unwrap()).output().unwrap();
    let said = String::from_utf8_lossy(&piped.stderr);
    assert!(piped.status.code() == Some(1) && said.contains("name the file"), "{said}");
    let torn = file(&folder, "torn.parquet", &fs::read(&all).unwrap()[..2_000]);
    let torn = second.run(&["import", torn.to_str().unwrap()]);
    assert!(torn.status == 1 && torn.stderr.contains("cannot read it as Parquet"), "{}", torn.stderr);
    assert_eq!(second.number("select count(*) from events"), 250);
}

/// Another engine packs as it likes, and has other types and columns.
#[test]
fn a_parquet_file_of_another_engine_is_read_by_the_names_of_its_columns() {
    let (folder, store) = store();
    let path = folder.path().join("theirs.parquet");
    let program = "import duckdb, sys\nduckdb.sql(sys.argv[1])";
    let copy = format!(
        "copy (select timestamp '2025-09-27 14:00:00' + to_milliseconds(n) as timestamp, 'worker' as service, \
         'job.' || case when n % 10 = 0 then 'failed' else 'completed' end as event_type, 'job_' || n as job_id, \
         {{'queue': 'q' || n % 3, 'tries': [1, n]}} as data, n * 2 as duration_ms, n / 2.0 as gpu_load \
         from range(1000) as t(n)) to '{}' (format parquet, codec snappy)",
        path.display()
    );
    let ended = run(std::process::Command::new("python3").args(["-c", program, &copy]));
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let shown = store.output(&["import", "--preview", path.to_str().unwrap()]);
    assert!(shown.contains("1000 events in 1000 lines"), "{shown}");
    assert_eq!(import(&store, &path), [1_000, 0, 0, 0]);
    let number = |sql: &str| store.number(&format!("select count(*) from events where {sql}"));
    assert_eq!(number("level = 'error' and event_type = 'job.failed'"), 100);
    assert_eq!(
        number("timestamp >= timestamp '2025-09-27T14:00:00Z' and timestamp < timestamp '2025-09-27T14:00:01Z'"),
        1_000
    );
    assert_eq!(number("data->>'queue' = 'q1' and cast(data->>'gpu_load' as double) >= 0"), 333);
}
