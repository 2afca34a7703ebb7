//! The command line itself: help, exit statuses, pipes.

use std::process::Stdio;

use crate::advice::sources;
use crate::support::{emp_events, eventually, file, run};

fn sample() -> std::process::Command {
    let mut command = emp_events();
    command.args(["--store", concat!(env!("CARGO_MANIFEST_DIR"), "/data/sample")]);
    command
}

/// The commands, as the overview lists them.
pub fn commands() -> Vec<String> {
    let overview = run(emp_events().arg("--help")).stdout;
    let (_, commands) = overview.split_once("Commands:\n").unwrap();
    let commands = commands.lines().take_while(|line| !line.is_empty());
    let commands = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let commands: Vec<String> = commands.filter(|it| !it.is_empty() && *it != "help").map(str::to_owned).collect();
    assert!(commands.len() > 20, "{overview}");
    commands
}

/// What a reader without the project's files cannot follow.
#[test]
fn no_help_and_no_message_refers_to_a_document() {
    let told = commands().into_iter().map(|command| run(emp_events().args([&command, "--help"])).stdout);
    for help in told.chain([run(emp_events().arg("--help")).stdout, run(emp_events().arg("man")).stdout]) {
        assert_eq!(help.lines().find(|line| line.contains("docs/") || line.contains("README")), None);
    }
    // What is said in the course of things stands in the sources.
    let text = regex::Regex::new(r#""[^"\n]*docs/[^"\n]*""#).unwrap();
    for path in [sources(&file("src")), sources(&file("crates"))].concat() {
        let code = std::fs::read_to_string(&path).unwrap();
        let told = code.lines().filter(|line| !line.trim_start().starts_with("//") && !line.contains("reason ="));
        let referring: Vec<&str> = told.filter(|line| text.is_match(line)).collect();
        assert!(referring.is_empty(), "{}: {referring:?}", path.display());
    }
}

#[test]
fn the_overview_says_what_each_command_does() {
    let overview = run(emp_events().arg("--help").env("COLUMNS", "100")).stdout;
    let (_, commands) = overview.split_once("Commands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    // One that is only there where it was asked for.
    let commands: Vec<&str> = commands.lines().filter(|line| !line.starts_with("  worker ")).collect();
    insta::assert_snapshot!(commands.join("\n"));
}

#[test]
fn every_command_explains_itself_with_examples() {
    for command in commands() {
        let help = run(emp_events().args([&command, "--help"]));
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
        vec!["diagnose", "job_1", "--last", "1h"],
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
fn a_query_may_begin_with_a_comment() {
    for query in ["-- why\nselect 2 as two", "--why\nselect 2 as two", "-- a=b\nselect 2 as two"] {
        let ended = run(sample().args(["sql", "--format", "csv", query]));
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("two\n2\n", ""), "{query}");
    }
    let alone = run(sample().args(["sql", "-- nothing to ask"]));
    assert!(alone.stderr.contains("there is no statement"), "{}", alone.stderr);
    let slip = run(sample().args(["sql", "--warp", "select 1"]));
    assert!(slip.status == 2 && slip.stderr.contains("'--wrap'"), "{}", slip.stderr);
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

#[test]
fn an_empty_variable_is_not_set() {
    let names = ["STORE", "STREAM", "TZ", "MEMORY", "VOCABULARY", "CONSUMER", "LOG", "RETAIN", "SQL"];
    let mut command = emp_events();
    command.args(["sql", "select 1 as one", "--format", "csv", "--store", "data/sample"]);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    for name in names {
        command.env(format!("EMP_EVENTS_{name}"), "");
    }
    let ended = run(&mut command);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("one\n1\n", ""));
}

#[test]
fn a_variable_that_is_not_understood_is_named() {
    let said = |name: &str, value: &str| {
        let ended = run(emp_events().args(["collect", "--once"]).env_remove("REDIS_URL").env(name, value));
        assert_eq!(ended.status, 2, "{}", ended.stderr);
        ended.stderr
    };
    for (name, value) in [
        ("DASH0_ENABLED", "perhaps"),
        ("EMP_EVENTS_RETAIN", "for long"),
        ("EMP_EVENTS_STREAM_WARN", "much"),
        ("REDIS_PORT", "tcp://10.0.0.1:many"),
        ("REDIS_PORT", "99999"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_HOST", "a b"),
        ("EMP_EVENTS_TZ", "Mars/Olympus"),
        ("EMP_EVENTS_MEMORY", "lots"),
    ] {
        let said = said(name, value);
        assert!(said.contains(name) && said.contains(value), "{name}={value}: {said}");
    }
}

#[test]
fn a_switch_is_on_in_many_words() {
    for value in ["1", "TRUE", "yes", "On"] {
        let ended = run(emp_events().args(["collect", "--once"]).env("DASH0_ENABLED", value));
        assert!(ended.status == 2 && ended.stderr.contains("no endpoint to forward to"), "{value}: {}", ended.stderr);
    }
}

#[test]
fn a_time_may_begin_with_a_minus() {
    let lines = |words: &[&str]| {
        let ended = run(sample().args(words));
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        ended.stdout.lines().count()
    };
    assert_eq!(lines(&["search", "--since", "-3h"]), lines(&["search", "--since", "3h"]));
    assert_eq!(lines(&["perf", "--last=-3h"]), lines(&["perf", "--last", "3h"]));
    // An option is none.
    let ended = run(sample().args(["search", "--since", "--errors"]));
    assert!(ended.status == 2 && ended.stderr.contains("--errors"), "{}", ended.stderr);
    // A month has no length of its own.
    for last in ["1M", "1mo"] {
        assert_eq!(run(sample().args(["perf", "--last", last])).status, 2);
    }
}

/// What bash offers for a line, as its user's own completion would.
fn completed_in_bash(line: &[&str]) -> Vec<String> {
    let script = "source <(emp-events completions bash)
        COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMP_TYPE=9
        _clap_complete_emp_events emp-events \"${COMP_WORDS[COMP_CWORD]}\" 2>/dev/null
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_emp-events"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut bash = std::process::Command::new("bash");
    bash.args(["-c", script, "bash", "emp-events"]).args(line).env("PATH", path).env_remove("EMP_EVENTS_STORE");
    run(bash.current_dir(env!("CARGO_MANIFEST_DIR"))).stdout.lines().map(|word| word.trim().to_owned()).collect()
}

#[test]
fn a_shell_completes_commands_options_and_what_the_store_has() {
    assert_eq!(completed_in_bash(&["timel"]), ["timeline"]);
    assert_eq!(completed_in_bash(&["search", "--histo"]), ["--histogram"]);
    assert_eq!(completed_in_bash(&["query", "gap-"]), ["gap-classes"]);
    // What the store has is offered where it is known in half a second, which a busy machine may need more than one try for.
    let offers = |line: &[&str], word: &str| eventually(word, || completed_in_bash(line) == [word]);
    offers(&["--store", "data/sample", "timeline", "job_ed79husvrxk"], "job_ed79husvrxkm");
    offers(&["search", "--store", "data/sample", "--service", "web"], "webhook-service");
    // Of a store that is not there nothing is known, and nothing is said.
    assert_eq!(completed_in_bash(&["--store", "/nowhere", "timeline", "job_"]), [""]);
    for shell in ["zsh", "fish"] {
        let script = run(emp_events().args(["completions", shell]));
        assert!(script.status == 0 && script.stdout.contains("EMP_EVENTS_COMPLETE"), "{shell}: {}", script.stdout);
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    assert_eq!(run(emp_events().arg("man").arg(&pages)).status, 0);
    for command in commands() {
        let page = std::fs::read_to_string(pages.join(format!("emp-events-{command}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS") && page.contains("Examples"), "{command}: {page}");
    }
    assert!(run(emp_events().arg("man")).stdout.contains(".TH emp-events 1"));
}

/// Programs go by the first two words.
#[test]
fn the_version_comes_first_and_then_the_commit() {
    let version = concat!("emp-events ", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(emp_events().arg("-V")).stdout.trim(), version);
    let long = run(emp_events().arg("--version")).stdout;
    let commit = regex::Regex::new(r"^( \([0-9a-f]{7,40}( and changes)?\))?$").unwrap();
    assert!(long.trim().strip_prefix(version).is_some_and(|rest| commit.is_match(rest)), "{long}");
    // Git is asked, where it answers.
    let mut git = std::process::Command::new("git");
    let is_known = git.args(["rev-parse", "HEAD"]).current_dir(file("")).output().is_ok_and(|it| it.status.success());
    assert_eq!(long.contains('('), is_known, "{long}");
}
