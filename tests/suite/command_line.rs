//! The command line itself: help, exit statuses, pipes.

use std::process::Stdio;

use crate::support::{emp_events, run};

fn sample() -> std::process::Command {
    let mut command = emp_events();
    command.args(["--store", concat!(env!("CARGO_MANIFEST_DIR"), "/data/sample")]);
    command
}

#[test]
fn every_command_explains_itself_with_examples() {
    let commands = ["collect", "sql", "query", "timeline", "gaps", "handoffs", "perf", "health", "emit", "simulate"];
    for command in commands {
        let help = run(emp_events().args([command, "--help"]));
        assert_eq!(help.status, 0);
        assert!(help.stdout.contains("Examples:\n  emp-events "), "{command}: {}", help.stdout);
    }
}

#[test]
fn wrong_usage_is_told_apart_from_failure() {
    for words in [
        vec!["timelin", "job_1"],
        vec!["timeline"],
        vec!["perf", "--since", "soon"],
        vec!["gaps", "--limit", "many"],
        vec!["query", "gap"],
        vec!["query", "gaps", "--param", "min_gap"],
        vec!["sql", "--tz", "Mars/Olympus", "select 1"],
        vec!["collect", "--seal-every", "0s"],
    ] {
        let ended = run(sample().args(&words));
        assert_eq!(ended.status, 2, "{words:?}: {}", ended.stderr);
        assert!(ended.stdout.is_empty(), "{words:?}");
    }
    let unknown = run(sample().args(["timelin", "job_1"]));
    assert!(unknown.stderr.contains("'timeline'"), "{}", unknown.stderr);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut all =
        sample().args(["sql", "select * from events"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(all.stdout.take());
    let ended = all.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), String::from_utf8(ended.stderr).unwrap()), (Some(0), String::new()));
}

#[test]
fn options_stand_before_or_after_the_command() {
    let before = run(sample().args(["--format", "csv", "sql", "select 1 as one"]));
    let after = run(sample().args(["sql", "select 1 as one", "--format", "csv"]));
    assert_eq!((before.stdout.as_str(), before.stdout == after.stdout), ("one\n1\n", true));
}

#[test]
fn a_query_may_come_from_stdin() {
    let mut command = sample();
    command.args(["sql", "--format", "csv"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut asked = command.spawn().unwrap();
    std::io::Write::write_all(&mut asked.stdin.take().unwrap(), b"select 2 as two").unwrap();
    assert_eq!(asked.wait_with_output().unwrap().stdout, b"two\n2\n");
}

#[test]
fn colour_only_where_it_is_wanted() {
    let colored = |words: &[&str], no_color: bool| {
        let mut command = sample();
        if no_color {
            command.env("NO_COLOR", "1");
        }
        run(command.args(words)).stdout.contains('\u{1b}')
    };
    assert!(!colored(&["perf", "--format", "table"], false), "a pipe has no colours");
    assert!(colored(&["perf", "--format", "table", "--color", "always"], true), "asked for by name");
    assert!(!colored(&["health", "--color", "never"], false));
}
