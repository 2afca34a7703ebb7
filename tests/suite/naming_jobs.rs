//! Jobs as people name them: several at once, from a pipe, by the beginnings of their ids.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Ended, emp_events, file, run};

/// When the sample is looked at.
const NOW: &str = "2025-09-27T10:10:00Z";

fn ask(words: &[&str]) -> Command {
    let mut command = emp_events();
    command.arg("--store").arg(file("data/sample")).args(words).args(["--now", NOW]);
    command
}

/// What the sample answers as of [`NOW`].
pub fn said(words: &[&str]) -> Ended {
    run(&mut ask(words))
}

/// A job of the hour before, of which that is told.
fn job(condition: &str) -> String {
    let before = "ingested_at between '2025-09-27T09:00:00Z' and '2025-09-27T10:00:00Z'";
    let sql = format!("select min(job_id) as job_id from events where {condition} and {before}");
    let mut command = emp_events();
    command.arg("--store").arg(file("data/sample")).args(["sql", &sql, "--format", "json"]);
    let rows: Value = serde_json::from_str(&run(&mut command).stdout).unwrap();
    rows[0]["job_id"].as_str().unwrap().to_owned()
}

/// A job that failed.
pub fn failed() -> String {
    job("event_type = 'job.failed'")
}

fn delivered() -> String {
    job(
        "event_type = 'webhook.delivered' and job_id not in (select job_id from events where level = 'error' and job_id is not null)",
    )
}

#[test]
fn several_jobs_are_diagnosed_one_after_the_other() {
    let (failed, well) = (failed(), delivered());
    let ended = said(&["diagnose", &failed, &well, "--format", "json"]);
    let list: Value = serde_json::from_str(&ended.stdout).unwrap();
    let ids: Vec<&str> = list.as_array().unwrap().iter().map(|one| one["job_id"].as_str().unwrap()).collect();
    assert_eq!((ended.status, ids), (0, vec![failed.as_str(), well.as_str()]));
    let screen = said(&["diagnose", &failed, &well]).stdout;
    assert!(screen.contains(&failed) && screen.contains(&well) && screen.contains("\n\n"), "{screen}");
    let lines = said(&["diagnose", &failed, &well, "--format", "ndjson"]).stdout;
    assert_eq!(lines.lines().count(), 2, "{lines}");
}

#[test]
fn ids_are_read_from_a_pipe() {
    let (failed, well) = (failed(), delivered());
    for words in [&["diagnose", "-", "--format", "ndjson"][..], &["diagnose", "--format", "ndjson"]] {
        let mut command = ask(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        write!(stdin, "{failed}\n\n{well}\n{failed}\n").unwrap();
        drop(stdin);
        let ended = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&ended.stdout).lines().count(), 2, "each once");
    }
    let none = said(&["diagnose"]);
    assert!(none.status == 2 && none.stderr.contains("name a job"), "{}", none.stderr);
}

#[test]
fn a_beginning_that_only_one_job_has_is_taken_for_it_and_said() {
    let failed = failed();
    let beginning = &failed[..failed.len() - 2];
    for words in [&["diagnose"][..], &["timeline"], &["timeline", "--format", "json"], &["correlate"]] {
        let ended = said(&[&words[..1], &[beginning], &words[1..]].concat());
        let told = format!("{beginning} is taken for {failed}");
        assert!(ended.status == 0 && ended.stderr.contains(&told), "{words:?}: {}", ended.stderr);
    }
    let found = said(&["search", "--job-id", beginning, "--format", "json"]);
    assert_eq!(found.stdout, said(&["search", "--job-id", &failed, "--format", "json"]).stdout);
    assert!(found.stderr.contains(&format!("{beginning} is taken for {failed}")), "{}", found.stderr);
    // What is told is told of the job, whatever was typed.
    let whole: Value = serde_json::from_str(&said(&["timeline", beginning, "--format", "json"]).stdout).unwrap();
    assert_eq!(whole["job_id"], failed.as_str());
    let beside = said(&["timeline", beginning, "--compare", &delivered(), "--format", "table"]).stdout;
    assert!(beside.contains(&format!("{failed} (left)")), "{beside}");
    let unclear = said(&["diagnose", "job_"]);
    assert!(unclear.status == 1 && unclear.stderr.contains("no events of job"), "{}", unclear.stderr);
}

#[test]
fn the_exit_code_tells_scripts_whether_something_is_wrong() {
    let (failed, well) = (failed(), delivered());
    let code = |words: &[&str]| said(words).status;
    assert_eq!((code(&["diagnose", &failed]), code(&["diagnose", &failed, "--exit-code"])), (0, 1));
    assert_eq!((code(&["diagnose", &well, "--exit-code"]), code(&["diagnose", &well, &failed, "--exit-code"])), (0, 1));
    assert_eq!((code(&["diagnose", "--all", "--exit-code"]), code(&["anomalies", "--exit-code"])), (1, 1));
    assert_eq!(code(&["anomalies"]), 0);
}

/// An empty table would say that all is well.
#[test]
fn what_is_not_there_is_said_in_every_form() {
    let failed = failed();
    for command in ["gaps", "handoffs"] {
        let ended = said(&[command, "--job-id", "nobody", "--format", "ndjson"]);
        assert!(ended.status == 1 && ended.stderr.contains("no events of job `nobody`"), "{}", ended.stderr);
        let ended = said(&[command, "--job-id", &failed[..failed.len() - 2], "--format", "json"]);
        assert!(ended.status == 0 && ended.stderr.contains(&format!("is taken for {failed}")), "{}", ended.stderr);
    }
    let ended = said(&["perf", "--by", "nothing", "--format", "json"]);
    assert!(ended.stderr.contains("there is no column and no key of data `nothing`"), "{}", ended.stderr);
    let ended = said(&["search", "--service", "workr", "--format", "ndjson"]);
    assert!(ended.stdout.is_empty() && ended.stderr.contains("did you mean `worker`?"), "{}", ended.stderr);
    // Before its first event.
    let mut command = emp_events();
    command.arg("--store").arg(file("data/sample")).args(["diagnose", &failed, "--format", "json"]);
    let ended = run(command.args(["--now", "2025-09-20T00:00Z"]));
    let early: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((ended.status, &early["verdict"]), (1, &"not_found".into()));
    assert!(early["reason"].as_str().unwrap().contains("has no event before 2025-"), "{early:#}");
}
