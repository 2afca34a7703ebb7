//! Questions are counted by kind and way, for this user on this machine alone, unless that is switched off.

use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::serve::scene::Server;
use crate::support::{emp_events, file, run};

const JOB: &str = "job_n6kuhz4kghuv";

/// A command over the sample of a user who is new here.
fn of_user(home: &TempDir) -> Command {
    let mut command = emp_events();
    command.env_remove("EMP_EVENTS_USAGE").env_remove("XDG_STATE_HOME").env("HOME", home.path());
    command.arg("--store").arg(file("data/sample")).args(["--redis", "redis://127.0.0.1:1"]);
    command
}

/// What `health` says of it; nothing where it does not.
fn usage(command: &mut Command) -> Option<Value> {
    let ended = run(command.args(["health", "--format", "json"]));
    let checks: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap();
    checks.into_iter().find(|check| check["check"] == "usage")
}

#[test]
fn questions_are_counted_by_kind_and_way() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(usage(&mut of_user(&home)), None, "nothing was asked yet");
    for words in [&["diagnose", JOB][..], &["timeline", JOB], &["timeline", JOB], &["perf"], &["diagnose", "--all"]] {
        assert_eq!(run(of_user(&home).args(words)).status, 0, "{words:?}");
    }
    let server = Server::start(of_user(&home), &[]);
    assert_eq!(server.get("/api/v1/perf").status, 200);
    assert_eq!(server.get("/api/v1/meta").status, 200);
    drop(server);
    let said = usage(&mut of_user(&home)).unwrap();
    let count = |name: &str| said["counts"][name].as_u64().unwrap();
    assert_eq!(
        (count("questions"), count("cli"), count("api"), count("page"), count("mcp")),
        (6, 5, 1, 0, 0),
        "{said}"
    );
    assert_eq!((count("timelines"), count("diagnoses")), (2, 1));
    assert!(said["detail"].as_str().unwrap().contains("2 of 3 about one job asked for its timeline"), "{said}");
    let kept = std::fs::read_to_string(home.path().join(".local/state/emp-events/usage.json")).unwrap();
    assert!(!kept.contains(JOB), "what was asked about is not kept: {kept}");
}

#[test]
fn nothing_is_counted_where_that_is_switched_off() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(run(of_user(&home).env("EMP_EVENTS_USAGE", "off").arg("perf")).status, 0);
    assert_eq!(usage(&mut of_user(&home)), None);
    assert!(!home.path().join(".local/state").exists());
}
