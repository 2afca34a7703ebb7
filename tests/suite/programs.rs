//! Answers as programs and shells take them.

use std::process::Command;

use serde_json::Value;

use crate::naming_jobs::{failed, said};
use crate::support::run;

/// What is named to be typed next asks the same store, as of the same moment.
#[test]
fn each_command_to_type_next_runs_and_is_about_the_same() {
    let failed = failed();
    for words in [&["diagnose", &failed][..], &["diagnose", "--all"], &["correlate", &failed]] {
        let list: Value = serde_json::from_str(&said(&[words, &["--format", "json"]].concat()).stdout).unwrap();
        let said: Vec<String> = match list["next"].as_array() {
            Some(next) => next.iter().map(|command| command.as_str().unwrap().to_owned()).collect(),
            None => list["unhealthy"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|one| one["next"][0].as_str())
                .map(str::to_owned)
                .collect(),
        };
        assert!(!said.is_empty(), "{words:?}");
        for command in said {
            let typed = command.strip_prefix("emp-events ").unwrap();
            assert!(typed.starts_with("health") || typed.ends_with("--now 2025-09-27T10:10:00Z"), "{command}");
            let program = env!("CARGO_BIN_EXE_emp-events");
            let ended = run(Command::new("sh").arg("-c").arg(format!("{program} {typed}")));
            assert!(typed.starts_with("health") || ended.status == 0, "{command}: {}", ended.stderr);
        }
    }
}

/// A format that an answer does not have is refused: what is shown in its place would pass for it.
#[test]
fn each_command_answers_in_the_format_that_was_asked_for_or_refuses_it() {
    let failed = failed();
    let one: [&[&str]; 8] = [
        &["diagnose", &failed],
        &["diagnose", "--all"],
        &["anomalies"],
        &["correlate", &failed],
        &["why-slow"],
        &["timeline", &failed, "--compare", "typical"],
        &["search", "--errors", "--histogram"],
        &["query", "--list"],
    ];
    for words in one {
        for format in ["csv", "markdown"] {
            let ended = said(&[words, &["--format", format]].concat());
            let refusal = format!("this answer has no form as {format}; it has table, json, ndjson");
            assert!(ended.status == 2 && ended.stderr.contains(&refusal), "{words:?}: {}", ended.stderr);
            assert_eq!(ended.stdout, "", "{words:?}");
        }
        let ended = said(&[words, &["--format", "json"]].concat());
        assert!(serde_json::from_str::<Value>(&ended.stdout).is_ok(), "{words:?}: {}{}", ended.stdout, ended.stderr);
        let lines = said(&[words, &["--format", "ndjson"]].concat()).stdout;
        assert!(lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{words:?}: {lines}");
    }
    let rows: [&[&str]; 5] =
        [&["search", "--errors"], &["perf"], &["gaps"], &["sql", "select 1 as one"], &["timeline", &failed]];
    for words in rows {
        for format in ["json", "ndjson", "csv", "markdown", "table"] {
            assert_eq!(said(&[words, &["--format", format]].concat()).status, 0, "{words:?} {format}");
        }
    }
    let top = said(&["top", "--format", "json"]);
    assert!(top.status == 2 && top.stderr.contains("it has table"), "{}", top.stderr);
}
