//! What help, documents and answers tell people to type can be typed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::command_line::commands;
use crate::support::{emp_events, file, run};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/sample");

/// The words that the program would be given, where a text is a command of ours: what a shell takes away – variables
/// before it, comments, pipes, redirections – is gone.
fn words_of(text: &str) -> Option<Vec<String>> {
    let at = text.find("emp-events ")?;
    let begins_with_variables = text[..at].split_whitespace().all(|word| word.contains('=') || word == "$");
    if !begins_with_variables {
        return None;
    }
    // A comment stands apart from the command by more than one space.
    let text = text[at..].split("  ").next().unwrap_or_default();
    let mut words = Vec::new();
    for word in shlex::split(text)?.into_iter().skip(1) {
        if matches!(word.as_str(), "|" | ">" | "<" | "&&" | "&") || word.starts_with('#') {
            break;
        }
        words.push(word.trim_end_matches(')').to_owned());
    }
    (!words.is_empty()).then_some(words)
}

/// Is it understood? Help at its end says so, after all before it was read, and nothing is run.
fn complaint_about(words: &[String]) -> Option<String> {
    // A program that was built without workers knows nothing of them.
    let is_of_workers = |word: &String| word == "worker" || word == "--workers" || word.starts_with("--worker-");
    if cfg!(not(feature = "workers")) && words.iter().any(is_of_workers) {
        return None;
    }
    let ended = run(emp_events().args(words).arg("--help"));
    (ended.status != 0)
        .then(|| format!("emp-events {}: {}", words.join(" "), ended.stderr.lines().next().unwrap_or("")))
}

fn check_all(from: &str, commands: impl IntoIterator<Item = Vec<String>>, at_least: usize) {
    let commands: BTreeSet<Vec<String>> = commands.into_iter().collect();
    let complaints: Vec<String> = commands.iter().filter_map(|words| complaint_about(words)).collect();
    assert!(complaints.is_empty(), "{from}:\n{}", complaints.join("\n"));
    // And the types of events that they name are of the vocabulary.
    let vocabulary = std::fs::read_to_string(file("crates/job/vocabulary.toml")).unwrap();
    for words in &commands {
        let named =
            words.iter().position(|word| word == "--event-type" || word == "emit").and_then(|at| words.get(at + 1));
        let is_known = |name: &String| name.starts_with('-') || vocabulary.contains(name.trim_end_matches('*'));
        assert!(named.is_none_or(is_known), "{from}: {words:?}");
    }
    assert!(commands.len() >= at_least, "{from}: only {} commands were found", commands.len());
}

/// The lines of code of a Markdown document, and what stands between backticks; a line that ends with a backslash, or
/// within quotes, goes on in the next one.
fn code_in(markdown: &str) -> Vec<String> {
    let mut code: Vec<String> = Vec::new();
    let mut is_fenced = false;
    let mut is_open = false;
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
        } else if is_open {
            let last = code.last_mut().unwrap();
            *last = format!("{} {}", last.trim_end_matches('\\'), line.trim());
        } else if is_fenced || line.starts_with("    ") {
            code.push(line.trim().to_owned());
        } else {
            code.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
            continue;
        }
        is_open = code.last().is_some_and(|line| line.ends_with('\\') || line.matches('"').count() % 2 == 1);
    }
    code
}

fn documents() -> Vec<PathBuf> {
    let folder = |path: &str| std::fs::read_dir(file(path)).unwrap().map(|entry| entry.unwrap().path());
    let all = folder("docs").chain(["README.md", "CHANGELOG.md", "data/README.md"].map(file));
    all.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The commands of ours in all documents.
pub fn commands_in_documents() -> BTreeSet<Vec<String>> {
    let in_document = |path: PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        // What stands for something else in a sentence: `emp-events …`, `COMMAND`.
        let is_whole = |code: &String| !code.contains('…') && !code.contains("COMMAND") && !code.contains('[');
        code_in(&text).into_iter().filter(is_whole).filter_map(|code| words_of(&code)).collect::<Vec<_>>()
    };
    documents().into_iter().flat_map(in_document).collect()
}

#[test]
fn what_the_documents_say_is_understood() {
    check_all("documents", commands_in_documents(), 80);
}

#[test]
fn the_examples_of_every_command_are_understood() {
    let commands = commands().into_iter().flat_map(|name| {
        let help = run(emp_events().args([&name, "--help"])).stdout;
        let (_, examples) = help.split_once("Examples:\n").unwrap();
        let joined = Regex::new(r"\s*\\\n\s*").unwrap().replace_all(examples, " ").into_owned();
        joined.lines().filter_map(|line| words_of(line.trim())).collect::<Vec<_>>()
    });
    check_all("--help", commands.collect::<Vec<_>>(), 60);
}

/// The files of source below a folder.
pub fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| match path.is_dir() {
        true if path.ends_with("tests") || path.ends_with("target") => Vec::new(),
        true => sources(&path),
        false => vec![path],
    });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

#[test]
fn what_messages_advise_is_understood() {
    let advice = Regex::new(r#"`emp-events ([a-z][^`]*)`|"emp-events ([a-z][^"\n]*)""#).unwrap();
    let put_in = Regex::new(r"\{[^}]*\}").unwrap();
    let files = [sources(&file("src")), sources(&file("crates"))].concat();
    let goes_on = Regex::new(r"\\\n\s*").unwrap();
    let mut checked = 0;
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let told = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        let told = goes_on.replace_all(&told, "").replace("\\\"", "'");
        let found = advice.captures_iter(&told).filter_map(|found| found.get(1).or(found.get(2)));
        for text in found.map(|found| found.as_str()).filter(|text| !text.contains('…')) {
            // What is put in is a value, a range of time, or a bucket.
            let filled = ["1h", "--last 1h", "s3://bucket/prefix"]
                .map(|value| format!("emp-events {}", put_in.replace_all(text, value)));
            let complaints = filled.iter().filter_map(|text| complaint_about(&words_of(text)?));
            let complaints: Vec<String> = complaints.collect();
            assert!(complaints.len() < filled.len(), "{}: {complaints:?}", path.display());
            checked += 1;
        }
    }
    assert!(checked >= 10, "only {checked} commands were found");
}

/// The commands that an answer ends with, to be typed next.
fn next_in(answer: &str) -> Vec<Vec<String>> {
    let (_, next) = answer.split_once("Next\n").unwrap_or_default();
    next.lines().take_while(|line| !line.is_empty()).filter_map(|line| words_of(line.trim())).collect()
}

#[test]
fn what_answers_say_to_type_next_has_an_answer() {
    let ask =
        |words: &[String]| run(emp_events().args(words).args(["--format", "table", "--redis", "redis://127.0.0.1:1"]));
    let as_words = |words: &[&str]| -> Vec<String> { words.iter().map(|word| (*word).to_owned()).collect() };
    let of_sample = |words: &[&str], now: &str| as_words(&[&["--store", SAMPLE], words, &["--now", now]].concat());
    let jobs = ["job_dusxqtkwu3q9", "job_n6kuhz4kghuv", "job_ed79husvrxkm", "job_hnbbby0v95li"];
    let mut questions = Vec::new();
    for now in ["2025-09-27T12:00:00Z", "2025-09-27T23:59:59Z", "2025-09-26T20:00:00Z"] {
        for words in [&["diagnose", "--all"][..], &["anomalies"], &["changes"], &["why-slow", "--last", "6h"]] {
            questions.push(of_sample(words, now));
        }
        for job in jobs {
            questions.extend([of_sample(&["diagnose", job], now), of_sample(&["correlate", job], now)]);
        }
    }
    let mut next: BTreeSet<Vec<String>> = BTreeSet::new();
    for question in &questions {
        next.extend(next_in(&ask(question).stdout));
    }
    assert!(next.len() > 10, "{next:?}");
    for words in &next {
        // What asks Redis fails where there is none.
        let asks_redis = words.iter().any(|word| word == "health");
        let ended = ask(words);
        let has_answer = !ended.stdout.trim().is_empty() && !ended.stdout.contains("no event matches");
        assert!(asks_redis || (ended.status == 0 && has_answer), "{words:?}: {}{}", ended.stdout, ended.stderr);
        // It is asked of the same store.
        assert!(words.iter().any(|word| word == SAMPLE), "{words:?}");
    }
}

/// The options that have a variable, in the help of every command: the option, and the variable.
fn options_with_variables() -> BTreeSet<(String, String)> {
    let option = Regex::new(r"(?m)^ +(?:-\w, )?(--[a-z][a-z-]*)").unwrap();
    let variable = Regex::new(r"\[env: ([A-Z0-9_]+)=").unwrap();
    let mut all = BTreeSet::new();
    for command in ["collect", "forward", "sql", "health"] {
        let help = run(emp_events().args([command, "--help"])).stdout;
        let options: Vec<(usize, String)> =
            option.captures_iter(&help).map(|found| (found.get(1).unwrap().start(), found[1].to_owned())).collect();
        for found in variable.captures_iter(&help) {
            let at = found.get(0).unwrap().start();
            let (_, of) = options.iter().rfind(|(begin, _)| *begin < at).unwrap();
            all.insert((of.clone(), found[1].to_owned()));
        }
    }
    all
}

#[test]
fn every_variable_is_documented_beside_its_option() {
    let documents = ["README.md", "docs/dash0.md"].map(|path| std::fs::read_to_string(file(path)).unwrap());
    let lines: Vec<&str> = documents.iter().flat_map(|text| text.lines()).collect();
    let known = options_with_variables();
    assert!(known.len() > 15, "{known:?}");
    for (option, variable) in &known {
        let is_there =
            lines.iter().any(|line| line.contains(option.as_str()) && line.contains(&format!("`{variable}`")));
        assert!(is_there, "{option} has {variable}, which no table says");
    }
    // And none that the program does not read.
    let read = [sources(&file("src")), sources(&file("crates"))].concat();
    let read: String = read.into_iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    for found in Regex::new(r"`((?:EMP_EVENTS|DASH0)_[A-Z0-9_]+)`").unwrap().captures_iter(&documents.concat()) {
        assert!(read.contains(&found[1]), "{} is read by nothing", &found[1]);
    }
}
