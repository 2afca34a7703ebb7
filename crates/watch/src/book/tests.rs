use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::*;
use crate::without_collector;

const MINUTE_MS: i64 = 60_000;

fn policy() -> Policy {
    Policy { with_notes: false, over_after_ms: 10 * MINUTE_MS, quiet: None }
}

fn about(names: &[&str]) -> Seen {
    let about: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
    Seen { about, ..without_collector("words") }
}

fn states(messages: &[Message]) -> Vec<State> {
    messages.iter().map(|message| message.state).collect()
}

#[test]
fn an_incident_is_told_once_and_once_that_it_is_over() {
    let (mut book, policy) = (Book::default(), policy());
    let first = book.look(0, vec![about(&["job a"])], &policy, &[]);
    assert_eq!(states(&first), [State::Open]);
    // It grows to other jobs, and is known by them from then on.
    assert_eq!(book.look(MINUTE_MS, vec![about(&["job a", "job b"])], &policy, &[]), []);
    assert_eq!(book.look(2 * MINUTE_MS, vec![about(&["job b"])], &policy, &[]), []);
    assert_eq!(book.look(11 * MINUTE_MS, vec![], &policy, &[]), [], "it may come back");
    let last = book.look(12 * MINUTE_MS, vec![], &policy, &[]);
    assert_eq!(states(&last), [State::Resolved]);
    assert_eq!(last[0].incident, first[0].incident);
    assert_eq!(book.look(13 * MINUTE_MS, vec![], &policy, &[]), []);
    // Where it comes again it is another one.
    let again = book.look(14 * MINUTE_MS, vec![about(&["job a"])], &policy, &[]);
    assert_ne!(again[0].incident, first[0].incident);
}

#[test]
fn what_one_look_sees_in_several_ways_is_one_incident() {
    let mut book = Book::default();
    let first = Seen { kind: "latency".to_owned(), ..about(&["connector x", "a"]) };
    let second = Seen { kind: "new_error".to_owned(), jobs: 7, ..about(&["connector x", "b"]) };
    let told = book.look(0, vec![first, second], &policy(), &[]);
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].seen.kind.as_str(), told[0].seen.jobs), ("latency", 7));
}

/// A second job that is stuck for a reason of its own must not vanish in the incident of the first.
#[test]
fn jobs_with_nothing_in_common_are_told_together_once_and_later_ones_for_themselves() {
    let job = |name: &str| Seen {
        is_loose: true,
        jobs: 1,
        examples: vec![name.to_owned()],
        ..about(&[&format!("job {name}")])
    };
    let mut book = Book::default();
    let told = book.look(0, vec![job("a"), job("b")], &policy(), &[]);
    assert_eq!((told.len(), told[0].seen.jobs), (1, 2));
    assert_eq!(told[0].seen.examples, ["a", "b"]);
    let told = book.look(MINUTE_MS, vec![job("a"), job("b"), job("c")], &policy(), &[]);
    assert_eq!((told.len(), &told[0].seen.examples), (1, &vec!["c".to_owned()]));
    assert_eq!(book.look(2 * MINUTE_MS, vec![job("a"), job("b"), job("c")], &policy(), &[]), []);
    let over = book.look(12 * MINUTE_MS, vec![job("c")], &policy(), &[]);
    assert_eq!((over.len(), over[0].seen.jobs), (1, 2), "both are over together");
}

#[test]
fn what_is_only_good_to_know_is_told_where_that_is_wanted_or_once_it_is_grave() {
    let note = || Seen { is_alert: false, ..about(&["job a"]) };
    let mut book = Book::default();
    assert_eq!(book.look(0, vec![note()], &policy(), &[]), []);
    assert_eq!(states(&book.look(1, vec![about(&["job a"])], &policy(), &[])), [State::Open]);
    let with_notes = Policy { with_notes: true, ..policy() };
    assert_eq!(states(&Book::default().look(0, vec![note()], &with_notes, &[])), [State::Open]);
    let mut book = Book::default();
    book.look(0, vec![note()], &policy(), &[]);
    assert_eq!(book.look(20 * MINUTE_MS, vec![], &policy(), &[]), [], "nor is its end");
}

#[test]
fn what_happens_in_quiet_hours_is_told_at_their_end() {
    let quiet = Quiet::parse("00:00-01:00", TimeZone::UTC);
    let (mut book, policy) = (Book::default(), Policy { quiet, ..policy() });
    assert_eq!(book.look(0, vec![about(&["job a"]), about(&["job b"])], &policy, &[]), []);
    assert_eq!(book.look(50 * MINUTE_MS, vec![about(&["job b"])], &policy, &[]), []);
    let told = book.look(60 * MINUTE_MS, vec![about(&["job b"])], &policy, &[]);
    assert_eq!(states(&told), [State::Resolved, State::Open]);
    assert_eq!((told[0].begun_ms, told[0].at_ms), (0, 50 * MINUTE_MS));
}

#[test]
fn each_target_is_told_for_itself_and_nothing_is_forgotten() {
    let targets = ["a".to_owned(), "b".to_owned()];
    let mut book = Book::default();
    book.look(0, vec![about(&["job a"])], &policy(), &targets);
    let id = book.waiting("a").unwrap().id();
    book.has_sent("a", &id);
    assert!(book.waiting("a").is_none());
    let kept = serde_json::to_string(&book).unwrap();
    let mut again: Book = serde_json::from_str(&kept).unwrap();
    assert_eq!(again, book);
    assert_eq!(again.look(1, vec![about(&["job a"])], &policy(), &targets), [], "it is still known");
    assert_eq!(again.waiting("b").unwrap().id(), id);
    assert_eq!(again.going_on(1).len(), 1);
    again.keep_targets(&targets[..1]);
    assert!(again.waiting("b").is_none());
}

#[test]
fn what_follows_from_something_that_was_told_is_a_part_of_it() {
    let storm = || Seen { kind: "new_error".to_owned(), holds_up: true, ..about(&["errors of worker"]) };
    let waits = || Seen { kind: "latency".to_owned(), follows: true, ..about(&["latency job.claimed"]) };
    let mut book = Book::default();
    let told = book.look(0, vec![waits(), storm()], &policy(), &[]);
    assert_eq!(told.len(), 1, "in one look, too, whichever was found first: {told:#?}");
    assert_eq!(told[0].seen.kind, "new_error");
    assert_eq!(book.look(MINUTE_MS, vec![waits()], &policy(), &[]), []);
    // Alone it is an incident of its own; then others that follow are none of it.
    let mut book = Book::default();
    assert_eq!(book.look(0, vec![waits()], &policy(), &[]).len(), 1);
    let silence = Seen { kind: "silence".to_owned(), follows: true, ..about(&["service a"]) };
    assert_eq!(book.look(MINUTE_MS, vec![waits(), silence], &policy(), &[]).len(), 1);
    // What is wrong by itself is told, whatever followed from something else before.
    assert_eq!(book.look(2 * MINUTE_MS, vec![waits(), storm()], &policy(), &[]).len(), 1);
}

#[test]
fn jobs_that_wait_and_waits_that_take_longer_are_one_incident() {
    let waits =
        || Seen { kind: "latency".to_owned(), follows: true, holds_up: true, ..about(&["latency job.claimed"]) };
    let jobs = || Seen {
        kind: "stuck".to_owned(),
        verdict: Some("waiting".to_owned()),
        holds_up: true,
        jobs: 6,
        ..about(&["queue default"])
    };
    let gone = || Seen { kind: "silence".to_owned(), ..about(&["worker a"]) };
    let mut book = Book::default();
    assert_eq!(book.look(0, vec![waits()], &policy(), &[]).len(), 1);
    assert_eq!(book.look(MINUTE_MS, vec![jobs(), waits()], &policy(), &[]), []);
    assert_eq!(book.look(2 * MINUTE_MS, vec![jobs(), gone()], &policy(), &[]), [], "an idle worker is missed there");
    let with_job = Seen { jobs: 1, ..about(&["worker b"]) };
    assert_eq!(book.look(3 * MINUTE_MS, vec![jobs(), with_job], &policy(), &[]).len(), 1);
}

#[test]
fn what_is_over_calls_nobody_and_ends_what_was_told() {
    let over = || Seen { is_over: true, ..about(&["a"]) };
    let mut book = Book::default();
    assert_eq!(book.look(0, vec![over()], &policy(), &[]), []);
    assert_eq!(book.look(MINUTE_MS, vec![about(&["a"])], &policy(), &[]).len(), 1);
    let told = book.look(11 * MINUTE_MS, vec![over()], &policy(), &[]);
    assert_eq!(states(&told), [State::Resolved]);
}
