//! What would have been told of a past in which it is known what was wrong.

use serde_json::Value;

use super::scene::Scene;
use crate::support::{emp_events, run};

#[test]
fn a_range_of_the_past_is_told_as_it_would_have_been() {
    let scene = Scene::new();
    let words = ["--backtest", "--last", "3h", "--every", "15m", "--now", "2025-09-27T12:00Z"];
    let ended = run(&mut scene.watch(&words));
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert!(ended.stdout.contains("connector comfyui"), "{}", ended.stdout);
    assert!(ended.stdout.contains("\n2025-09-27 10:15:00  "), "{}", ended.stdout);
    assert!(ended.stdout.trim_end().ends_with("a day"), "{}", ended.stdout);
    assert!(!scene.state().join("_notes").exists(), "nothing is remembered");
}

/// A day in which nothing is wrong but that one worker falls silent: it is told within ten minutes and a look, and not
/// much else is.
#[test]
fn a_worker_that_falls_silent_is_told_soon_and_little_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let simulate = [
        "simulate",
        "--from",
        "2025-09-27T00:00Z",
        "--seed",
        "8",
        "--hours",
        "12",
        "--healthy",
        "--incident",
        "silent-worker",
        "--format",
        "json",
    ];
    let simulated = run(emp_events().args(simulate).arg("--into").arg(&store));
    assert_eq!(simulated.status, 0, "{}", simulated.stderr);
    let truth: Value = serde_json::from_str(&simulated.stdout).unwrap();
    let planted = &truth["planted"][0];
    let mut watch = emp_events();
    watch.arg("--store").arg(&store).args(["watch", "--backtest", "--last", "8h", "--every", "5m", "--format", "json"]);
    let ended = run(&mut watch);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let answer: Value = serde_json::from_str(&ended.stdout).unwrap();
    let messages = answer["messages"].as_array().unwrap();
    let ms = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let worker = planted["culprit"]["id"].as_str().unwrap();
    // Its job is stuck before its silence is unusual: both are one incident, which is told as the first.
    let names_it = |message: &Value| format!("{} {}", message["who"], message["message"]).contains(worker);
    let is_after = |message: &Value| ms(&message["told"]) >= ms(&planted["at"]);
    let is_it = |message: &&Value| message["state"] == "open" && names_it(message) && is_after(message);
    let told = messages.iter().find(is_it).unwrap_or_else(|| panic!("{worker} in {}", ended.stdout));
    let after_ms = ms(&told["told"]) - ms(&planted["at"]);
    assert!((0..=15 * 60_000).contains(&after_ms), "told after {after_ms} ms: {told}");
    let others = messages.iter().filter(|message| message["state"] == "open" && !is_it(message)).count();
    assert!(others <= 2, "{}", ended.stdout);
}

/// A part of what `make watch-month` goes through: four incidents of one system, each looked at by the minute, and a day on
/// which nothing happens.
#[test]
fn incidents_are_told_within_minutes_and_a_healthy_day_is_quiet() {
    let folder = tempfile::tempdir().unwrap();
    let (store, truth) = (folder.path().join("store"), folder.path().join("truth.json"));
    let planted = [
        ("retry-storm", "2026-09-10T02:20:00Z"),
        ("silent-worker", "2026-09-10T08:05:00Z"),
        ("full-queue", "2026-09-10T14:40:00Z"),
        ("silent-service", "2026-09-10T20:10:00Z"),
    ];
    let mut simulate = emp_events();
    simulate.args(["simulate", "--from", "2026-09-07T00:00:00Z", "--hours", "120", "--seed", "31", "--healthy"]);
    simulate.args(["--format", "json", "--into"]).arg(&store);
    for (kind, at) in planted {
        simulate.args(["--incident", &format!("{kind}@{at}")]);
    }
    let simulated = run(&mut simulate);
    assert_eq!(simulated.status, 0, "{}", simulated.stderr);
    std::fs::write(&truth, &simulated.stdout).unwrap();
    let trial = |last: &str, every: &str, now: &str| {
        let mut watch = emp_events();
        watch.arg("--store").arg(&store).args(["watch", "--backtest", "--last", last, "--every", every, "--now", now]);
        let ended = run(watch.args(["--format", "json", "--truth"]).arg(&truth));
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        serde_json::from_str::<Value>(&ended.stdout).unwrap()["trial"].take()
    };
    let mut about_nothing = Vec::new();
    for (kind, at) in planted {
        let at: jiff::Timestamp = at.parse().unwrap();
        let until = at + jiff::SignedDuration::from_mins(13);
        let trial = trial("15m", "1m", &until.to_string());
        let told = &trial["incidents"][0];
        assert_eq!((trial["incidents"].as_array().unwrap().len(), told["kind"].as_str()), (1, Some(kind)));
        let after_ms = told["after_knowable_ms"].as_i64().unwrap_or_else(|| panic!("{kind} is told: {trial:#}"));
        assert!(after_ms <= 5 * 60_000, "{kind}: {told:#}");
        assert!(told["knowable"].is_string(), "{told:#}");
        about_nothing.extend(trial["false_messages"].as_array().unwrap().clone());
    }
    assert!(about_nothing.len() <= 1, "{about_nothing:#?}");
    let healthy = trial("1d", "10m", "2026-09-12T00:00:00Z");
    assert_eq!(healthy["healthy_days"], 1, "{healthy:#}");
    assert!(healthy["false_messages"].as_array().unwrap().len() <= 1, "{healthy:#}");
}
