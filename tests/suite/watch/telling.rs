//! What is told, when, and to whom.

use serde_json::Value;

use super::scene::{Scene, WRONG};
use crate::forwarding::stub::Answer;
use crate::support::{Redis, Store, eventually, run};

fn texts<'a>(messages: &'a [Value], name: &str) -> Vec<&'a str> {
    messages.iter().map(|message| message[name].as_str().unwrap_or_default()).collect()
}

#[test]
fn an_incident_is_told_once_with_all_that_one_has_to_know_and_once_that_it_is_over() {
    let scene = Scene::new();
    let page = ["--page-url", "https://events.example.org/"];
    scene.look_at(WRONG, &page);
    let told = scene.told();
    assert!(texts(&told, "state").iter().all(|state| *state == "open"), "{told:?}");
    let kinds = texts(&told, "kind");
    // What errors, latencies and new errors have in common is one incident, told by what is wrong and not by what follows.
    assert_eq!(kinds, ["new_error", "outlier", "skew"], "{told:?}");
    assert_eq!(told[0]["who"], "connector comfyui");
    let of_worker = &told[1];
    assert_eq!(of_worker["who"], "worker worker-gpu02-1");
    assert_eq!(of_worker["link"], "https://events.example.org/workers");
    assert_eq!(
        of_worker["since"],
        "2025-09-27T07:15:58.000Z".replace(".000", &of_worker["since"].as_str().unwrap()[19..23])
    );
    for message in &told {
        assert!(message["command"].as_str().unwrap().contains("--now 2025-09-27T10:10:00Z"), "{message}");
        assert!(!message["message"].as_str().unwrap().is_empty());
        assert_eq!(message["severity"], "alert");
        assert_eq!(message["ended"], Value::Null);
    }
    scene.look_at("2025-09-27T10:11Z", &page);
    assert_eq!(scene.told().len(), 3, "nothing is told twice");
    // The day after nothing of it goes on, but that machine's clock.
    scene.look_at("2025-09-27T13:00Z", &page);
    let told = scene.told();
    let over: Vec<&Value> = told.iter().filter(|message| message["state"] == "resolved").collect();
    let over: Vec<&str> = over.iter().map(|message| message["who"].as_str().unwrap()).collect();
    assert!(over.contains(&"connector comfyui"), "{over:?}");
    assert!(scene.times_told().values().all(|times| *times == 1));
}

#[test]
fn a_receiver_that_is_down_wrong_or_slow_is_tried_until_it_has_taken_each_message_once() {
    let scene = Scene::new();
    scene.stub.answer_next([Answer::Refuse(500), Answer::Reset, Answer::Later(429, "1".to_owned()), Answer::CutOff]);
    let ended = scene.look_at(WRONG, &[]);
    assert!(ended.stderr.contains("was not told: it answers 500"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("a-secret-path"), "the address may be a secret: {}", ended.stderr);
    let times = scene.times_told();
    assert_eq!((times.len(), times.values().max()), (3, Some(&1)), "{times:?}");
    // Each attempt says which message it is.
    for taken in scene.stub.requests() {
        let message: Value = serde_json::from_slice(&taken.body).unwrap();
        assert_eq!(taken.header("idempotency-key"), message["id"]);
    }
}

#[test]
fn what_a_receiver_finds_wrong_is_given_up_and_said_and_holds_nothing_else_back() {
    let scene = Scene::new();
    scene.stub.answer_next([Answer::Refuse(400), Answer::Refuse(400), Answer::Refuse(400)]);
    let ended = scene.look_at(WRONG, &[]);
    assert!(ended.stderr.contains("it is given up"), "{}", ended.stderr);
    assert_eq!(scene.told().len(), 2);
}

#[test]
fn slack_gets_its_own_shape_and_several_are_told_each() {
    let (scene, slack) = (Scene::new(), Scene::new());
    let mut command = scene.telling(&["--once", "--now", WRONG, "--page-url", "http://page"]);
    let ended = run(command.args(["--slack", &slack.url()]));
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert_eq!(scene.told().len(), 3);
    let told = slack.told();
    assert_eq!(told.len(), 3);
    let text = told[1]["text"].as_str().unwrap();
    assert!(text.starts_with(":rotating_light: *outlier: worker worker-gpu02-1*\n"), "{text}");
    assert!(text.contains("since 2025-09-27 07:15:58 UTC"), "{text}");
    assert!(text.ends_with("<http://page/workers|Look at it>"), "{text}");
}

#[test]
fn quiet_hours_put_off_and_notes_are_told_where_they_are_wanted() {
    let scene = Scene::new();
    let quiet = ["--quiet-hours", "09:00-10:30"];
    scene.look_at(WRONG, &quiet);
    assert_eq!(scene.told().len(), 0);
    scene.look_at("2025-09-27T10:30Z", &quiet);
    assert!(scene.told().len() >= 3);
    let with_notes = Scene::new();
    with_notes.look_at(WRONG, &["--min-severity", "note"]);
    let severities = with_notes.told();
    let severities = texts(&severities, "severity");
    assert!(severities.contains(&"note") && severities.contains(&"alert"), "{severities:?}");
}

#[test]
fn whoever_asks_in_a_wrong_way_hears_what_to_say() {
    let scene = Scene::new();
    for (words, said) in [
        (&["--once"][..], "name somebody to tell"),
        (&["--webhook", "hooks.example.org"], "--webhook is no address of HTTP"),
        (&["--dry-run", "--quiet-hours", "at night"], "--quiet-hours at night: expected hours such as 22:00-07:00"),
        (&["--once", "--backtest"], "cannot be used with"),
    ] {
        let ended = run(&mut scene.watch(words));
        assert_eq!(ended.status, 2, "{words:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{words:?}: {}", ended.stderr);
    }
}

#[test]
fn a_dry_run_prints_what_it_would_tell_and_remembers_nothing() {
    let scene = Scene::new();
    for _ in 0..2 {
        let ended = run(&mut scene.watch(&["--dry-run", "--once", "--now", WRONG]));
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        assert!(ended.stdout.contains("2025-09-27 10:10:00  outlier: worker worker-gpu02-1"), "{}", ended.stdout);
        assert!(ended.stdout.contains("    emp-events workers --store"), "{}", ended.stdout);
    }
    assert_eq!(scene.stub.request_count(), 0);
}

/// A watch beside a collector, as it is meant.
#[test]
fn that_nobody_collects_any_more_is_told_and_that_somebody_does_again() {
    let scene = Scene::new();
    let redis = Redis::start();
    let store = Store::of(&redis);
    let collector = store.collect(&[]);
    redis.add(10, 1_000);
    eventually("they are stored", || store.path().exists() && store.events() == 10);
    let words = ["watch", "--every", "200ms", "--over-after", "1s", "--webhook", &scene.url()];
    let watch = store.background(&mut store.command(&words));
    watch.says("telling 127.0.0.1");
    assert_eq!(collector.stop(), 0);
    let told = |state: &str| {
        let told = scene.told();
        told.iter().any(|message| message["kind"] == "not_collected" && message["state"] == state)
    };
    eventually("it is told that nobody collects", || told("open"));
    let collector = store.collect(&[]);
    eventually("it is told that somebody does", || told("resolved"));
    assert_eq!(watch.stop(), 0);
    assert_eq!(collector.stop(), 0);
}
