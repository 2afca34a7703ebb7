//! Bad addresses, passwords, keys and folders: one clear line each.

use std::fs;
use std::process::Command;

use crate::support::{Ended, Redis, Store, emp_events, run};

/// The one line of an error, behind the program's name.
#[track_caller]
fn complaint(ended: &Ended, status: i32) -> String {
    assert_eq!(ended.status, status, "{}", ended.stderr);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    let lines: Vec<&str> = ended.stderr.lines().filter_map(|line| line.strip_prefix("emp-events: ")).collect();
    assert_eq!(lines.len(), 1, "{}", ended.stderr);
    lines[0].to_owned()
}

#[test]
fn without_redis_once_says_so_and_fails() {
    let mut redis = Redis::start();
    let store = Store::of(&redis);
    redis.stop();
    let said = complaint(&store.run(&["collect", "--once"]), 1);
    assert!(said.starts_with("cannot reach Redis at 127.0.0.1:"), "{said}");
    assert!(said.ends_with("; start it, or set --redis"), "{said}");
}

#[test]
fn a_key_that_is_no_stream_is_refused() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.command::<()>("SET emp:events 1");
    let expected = "the key `emp:events` is not a stream; set --stream, or remove the key";
    assert_eq!(complaint(&store.run(&["collect"]), 1), expected);
    assert_eq!(complaint(&store.run(&["emit", "a.b", "--service", "s"]), 1), expected);
}

#[test]
fn a_wrong_password_is_refused_and_never_shown() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.command::<()>("CONFIG SET requirepass right");
    let said = complaint(&store.run(&["collect"]), 1);
    assert!(said.contains("refuses us"), "{said}");
    let wrong = redis.url().replace("redis://", "redis://:wrong-secret@");
    let ended = run(emp_events().args(["--redis", &wrong, "emit", "a.b", "--service", "s"]));
    let said = complaint(&ended, 1);
    assert!(said.contains("refuses us") && !said.contains("wrong-secret"), "{said}");
}

#[test]
fn what_is_no_address_is_wrong_usage() {
    let ended = run(emp_events().args(["--redis", "localhost", "health"]));
    let said = complaint(&ended, 2);
    assert!(said.starts_with("`localhost` is no Redis address"), "{said}");
}

#[test]
fn a_store_that_cannot_be_written_is_named() {
    let redis = Redis::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let mut command: Command = emp_events();
    command.arg("--redis").arg(redis.url()).arg("--store").arg(file.join("store")).args(["collect", "--once"]);
    let said = complaint(&run(&mut command), 1);
    assert!(said.starts_with("cannot create the folder") && said.contains("file/store"), "{said}");
}

#[test]
fn a_consumer_that_cannot_name_files_is_refused() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let said = complaint(&store.run(&["collect", "--consumer", "my_host"]), 1);
    assert!(said.starts_with("`my_host` cannot name a writer"), "{said}");
}

#[test]
fn emit_refuses_what_the_collector_would_quarantine() {
    let ended = run(emp_events().args(["emit", "a.b", "--service", "s", "--data", "{]"]));
    let said = complaint(&ended, 2);
    assert!(said.starts_with("this is no event: the field `data` is not a JSON object"), "{said}");
}
