//! What documents tell people to ask has an answer: of the sample store, each command as it stands there.

use std::os::unix::fs::symlink;
use std::path::Path;

use crate::advice::commands_in_documents;
use crate::support::{emp_events, file, run};

/// The commands that ask a store, and need nothing else.
const ASKING: [&str; 16] = [
    "anomalies",
    "changes",
    "check-names",
    "correlate",
    "diagnose",
    "gaps",
    "handoffs",
    "perf",
    "query",
    "report",
    "search",
    "sql",
    "timeline",
    "verify",
    "why-slow",
    "workers",
];
/// Jobs that stand for the reader's own, and two of the sample.
const STAND_INS: [(&str, &str); 2] = [("job_123", "job_n6kuhz4kghuv"), ("job_456", "job_dusxqtkwu3q9")];
const STORES: [&str; 2] = ["data/events", "data/sample"];

/// Does a reader who types this ask a store that is there?
fn can_run(words: &[String]) -> bool {
    let asks = words.iter().any(|word| ASKING.contains(&word.as_str()));
    let store = words.iter().position(|word| word == "--store").and_then(|at| words.get(at + 1));
    let asks_redis = words.iter().any(|word| word == "--law");
    // One word is the mention of a command, one in capitals stands for a file.
    let is_whole = words.len() > 1 && !words.iter().any(|word| word == "FILE");
    asks && is_whole && !asks_redis && store.is_none_or(|store| STORES.contains(&store.as_str()))
}

/// A folder as a reader's own: with a store, the sample, and queries.
fn readers_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let beside = |name: &str| folder.path().join(name);
    std::fs::create_dir(beside("data")).unwrap();
    copy(&file("data/sample"), &beside("data/sample"));
    symlink("sample", beside("data/events")).unwrap();
    symlink(file("sql"), beside("sql")).unwrap();
    folder
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn what_the_documents_ask_has_an_answer() {
    let folder = readers_folder();
    let mut asked = 0;
    let mut complaints = Vec::new();
    for words in commands_in_documents().into_iter().filter(|words| can_run(words)) {
        let real =
            |word: &String| STAND_INS.iter().fold(word.clone(), |word, (stand_in, job)| word.replace(stand_in, job));
        let words: Vec<String> = words.iter().map(real).collect();
        let ended = run(emp_events().args(&words).current_dir(&folder));
        // What is asked for its exit status ends with 1 where something was found.
        let is_answer = ended.status == 0 || ended.status == 1 && words.iter().any(|word| word == "--exit-code");
        if !is_answer {
            complaints.push(format!("emp-events {}: {} {}", words.join(" "), ended.status, ended.stderr.trim()));
        }
        asked += 1;
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(asked >= 40, "only {asked} commands were found");
}
