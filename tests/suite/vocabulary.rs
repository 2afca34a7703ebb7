//! The vocabulary: as documents list it, and as a team adds to it.

use std::collections::BTreeSet;
use std::path::Path;

use emp_job::{Meaning, Vocabulary};
use serde_json::Value;

use crate::support::{Redis, Store};

fn text_of(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// What stands between two marks, wherever that is.
fn between(text: &str, mark: char) -> BTreeSet<&str> {
    text.split(mark).skip(1).step_by(2).collect()
}

#[test]
fn the_page_about_the_vocabulary_lists_what_is_compiled_in() {
    let (page, plain) = (text_of("docs/vocabulary.md"), Vocabulary::plain().unwrap());
    for (section, key, meaning) in Meaning::ALL {
        let beginning = format!("| `{section}.{key}` | ");
        let row =
            page.lines().find(|line| line.starts_with(&beginning)).unwrap_or_else(|| panic!("no row {beginning}"));
        let types: Vec<String> = plain.own_types(meaning).iter().map(|name| format!("`{name}`")).collect();
        assert!(row.ends_with(&format!("| {} |", types.join(", "))), "{row}\nshould list {types:?}");
    }
    for (_, key, meaning) in Meaning::ALL {
        let own = plain.own_types(meaning);
        for other in plain.types(meaning).into_iter().filter(|name| !own.contains(name)) {
            let is_listed = |line: &str| line.contains(&format!("| `{key}` |")) && line.contains(&format!("`{other}`"));
            assert!(page.lines().any(is_listed), "{other} means {key}");
        }
    }
}

#[test]
fn typescript_services_have_the_same_names_as_a_type() {
    let (source, plain) = (text_of("clients/typescript/src/vocabulary.ts"), Vocabulary::plain().unwrap());
    let known: BTreeSet<&str> = Meaning::ALL.into_iter().flat_map(|(_, _, meaning)| plain.own_types(meaning)).collect();
    assert_eq!(between(&source, '\''), known);
}

#[test]
fn a_team_says_what_its_own_types_mean_for_one_store_or_for_one_command() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    for (event_type, worker) in [("render.ordered", ""), ("render.picked", "w1"), ("render.shipped", "w1")] {
        let words = ["emit", event_type, "--service", "studio", "--job-id", "r1"];
        let worker = ["--worker-id", worker];
        store.output(&[&words[..], if worker[1].is_empty() { &[] } else { &worker }].concat());
    }
    store.output(&["collect", "--once"]);
    let verdict = |words: &[&str]| -> String {
        let said = store.output(&[&["diagnose", "r1", "--format", "json"], words].concat());
        serde_json::from_str::<Value>(&said).unwrap()["verdict"].as_str().unwrap().to_owned()
    };
    assert_eq!(verdict(&[]), "running");
    let file = store.path().with_file_name("words.toml");
    let words = "[job]\nsubmitted = ['render.ordered']\nclaimed = ['render.picked']\ncompleted = ['render.shipped']\n";
    std::fs::write(&file, words).unwrap();
    assert_eq!(verdict(&["--vocabulary", file.to_str().unwrap()]), "done");
    let mut with_variable = store.command(&["diagnose", "r1", "--format", "json"]);
    let said = with_variable.env("EMP_EVENTS_VOCABULARY", &file).output().unwrap().stdout;
    assert!(String::from_utf8(said).unwrap().contains(r#""verdict": "done""#));
    assert_eq!(verdict(&[]), "running");
    std::fs::copy(&file, store.path().join("vocabulary.toml")).unwrap();
    assert_eq!(verdict(&[]), "done");
    assert_eq!(store.run(&["verify"]).status, 0, "it is no damage");

    std::fs::write(&file, "[job]\ngrabbed = ['render.grabbed']\n").unwrap();
    let ended = store.run(&["diagnose", "r1", "--vocabulary", file.to_str().unwrap()]);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
    assert!(
        ended.stderr.contains("words.toml cannot be used: [job] has no `grabbed`; it has created,"),
        "{}",
        ended.stderr
    );
    let ended = store.run(&["diagnose", "r1", "--vocabulary", "/nowhere.toml"]);
    assert_eq!(ended.status, 2, "{}", ended.stderr);
}
