//! What the prompt understands of what is typed.

use emp_query::Engine;
use emp_store::Layout;

use super::command::{Command, parse};
use super::highlight;
use super::statement::{is_incomplete, split};
use super::{complete, history_file};

#[test]
fn a_statement_ends_at_a_semicolon_outside_of_texts_and_comments() {
    for whole in ["select 1;", "select ';';  ", "select 1; -- done", "select 1 /* ; */ ;", "", "-- nothing"] {
        assert!(!is_incomplete(whole), "{whole}");
    }
    for begun in ["select 1", "select ';", "select 1 -- ;", "select 1 /* ;", "select \"a;", "select 'it''s;"] {
        assert!(is_incomplete(begun), "{begun}");
    }
    assert_eq!(split("select 1; select ';' ;-- and\n;"), ["select 1", " select ';' "]);
    assert_eq!(split("select 1"), ["select 1"]);
}

#[test]
fn commands_are_understood_or_told_the_nearest() {
    let command = |line| parse(line).unwrap();
    assert_eq!(parse("select 1"), None);
    assert_eq!(command("\\q"), Ok(Command::Quit));
    assert_eq!(command("\\d events;"), Ok(Command::Describe("events".to_owned())));
    assert_eq!(command("\\x on"), Ok(Command::Tall(Some(true))));
    assert_eq!(command("\\timing"), Ok(Command::Timing(None)));
    assert_eq!(command("\\timng").unwrap_err(), "there is no command \\timng; did you mean \\timing?");
    assert_eq!(command("\\x maybe").unwrap_err(), "expected on or off, not `maybe`");
    assert_eq!(
        command("\\format xml").unwrap_err(),
        "unknown format `xml`; there are table, json, ndjson, csv and markdown"
    );
}

#[test]
fn colours_change_nothing_but_colours() {
    let line = "select 'it''s', 12 from events -- all";
    let painted = highlight::paint(line);
    assert_eq!(anstream_free(&painted), line);
    assert!(painted.contains("\u{1b}[32m'it''s'\u{1b}[0m"), "{painted:?}");
}

/// The text without escape sequences.
fn anstream_free(text: &str) -> String {
    let parts = text.split('\u{1b}');
    parts.map(|part| part.split_once('m').filter(|_| part.starts_with('[')).map_or(part, |(_, rest)| rest)).collect()
}

#[test]
fn tab_offers_what_fits() {
    let sample = Layout::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/sample"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let open = || Engine::open(&sample);
    let words = complete::Words::of(open().unwrap().names());
    let assistant = complete::Assistant::new(&words, false, &open, &runtime);
    let offers = |line: &str| assistant.offers(line, line.len());
    assert_eq!(offers("select jo"), (7, ["job_id", "job_type", "join"].map(str::to_owned).to_vec()));
    assert_eq!(offers("select * from ev"), (14, vec!["events".to_owned()]));
    assert_eq!(offers("select e.wor").1, ["worker_id"]);
    assert_eq!(offers("select date_b").1, ["date_bin"]);
    assert_eq!(offers("select 1 where service = 'wo"), (25, vec!["'worker'".to_owned()]));
    assert_eq!(offers("select 1 where level in ('warn', 'e").1, ["'error'"]);
    assert!(offers("select 1 where event_type like 'connector.").1.len() > 1);
    assert!(offers("select 1 where job_id = 'job_").1.is_empty());
    assert!(words.describe("losses").unwrap().contains("lost"));
    assert_eq!(words.describe("nothing"), None);
}

#[test]
fn the_history_is_kept_where_programs_keep_their_state() {
    assert!(history_file().is_none_or(|path| path.ends_with("emp-events/history")));
}
