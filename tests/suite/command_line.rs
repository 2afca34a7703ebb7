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
    let overview = run(emp_events().arg("--help")).stdout;
    let (_, commands) = overview.split_once("Commands:\n").unwrap();
    let commands = commands.lines().take_while(|line| !line.is_empty());
    let commands: Vec<&str> = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    assert!(commands.len() > 20, "{overview}");
    for command in commands.into_iter().filter(|command| !command.is_empty() && *command != "help") {
        let help = run(emp_events().args([command, "--help"]));
        assert_eq!(help.status, 0);
        let (_, examples) =
            help.stdout.split_once("Examples:\n").unwrap_or_else(|| panic!("{command}: {}", help.stdout));
        assert!(examples.contains(&format!(" emp-events {command}")), "{examples}");
    }
}

/// The commands of a document's indented lines; a question in quotes may go over several.
fn commands_in(document: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    for line in document.lines().filter_map(|line| line.strip_prefix("    ")) {
        match commands.last_mut().filter(|command| command.matches('"').count() % 2 == 1) {
            Some(command) => *command += line,
            None => commands.push(line.to_owned()),
        }
    }
    commands.retain(|command| command.starts_with("emp-events "));
    commands
}

#[test]
fn the_first_half_hour_goes_as_it_is_written() {
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/onboarding.md")).unwrap();
    let commands = commands_in(&document);
    let commands: Vec<&String> = commands.iter().filter(|command| !command.contains("--redis")).collect();
    assert!(commands.len() > 10, "{commands:?}");
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_emp-events"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    for command in commands {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", command]).env("PATH", &path).stdin(Stdio::null());
        shell.env("EMP_EVENTS_STORE", concat!(env!("CARGO_MANIFEST_DIR"), "/data/sample")).env("EMP_EVENTS_TZ", "UTC");
        let ended = run(&mut shell);
        assert_eq!((ended.status, ended.said().as_str()), (0, ""), "{command}");
        assert!(!ended.stdout.is_empty(), "{command}");
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
