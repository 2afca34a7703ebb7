//! A worker lives that was heard of within its own habit before now; one that starts anew has died.

use super::world::{BEGIN_MS, HOUR, Job, MINUTE, SECOND, World, anomalies, ask, now};

const WORKERS: [&str; 4] = ["w1-1", "w1-2", "w2-1", "w3-1"];
const LAST: i64 = 2 * HOUR;

/// Two hours of a healthy system, in which nothing is heard of these workers from then on.
fn healthy(beat: Option<i64>, silent: &[(&str, i64)]) -> World {
    let mut world = World::default();
    let ends = |worker: &str| silent.iter().find(|(other, _)| *other == worker).map_or(LAST + HOUR, |(_, at)| *at);
    for worker in WORKERS {
        world.word(0, worker, "worker.starting");
        if let Some(every) = beat {
            world.beats(worker, every, SECOND, ends(worker));
        }
    }
    for (number, at) in (10 * SECOND..LAST + HOUR).step_by(4 * SECOND as usize).enumerate() {
        let worker = WORKERS[number % WORKERS.len()];
        if at + 5 * SECOND < ends(worker) {
            world.job(Job { id: &format!("job_{number}"), at, worker, connector: "openai", takes: 900 });
        }
    }
    world
}

/// A worker that beats on after the job's last event, and then falls silent with it.
#[test]
fn a_beat_after_the_jobs_last_event_is_no_life() {
    for beat in [Some(15 * SECOND), Some(5 * SECOND), None] {
        let dies = LAST + 20 * SECOND;
        let mut world = healthy(beat, &[("w3-1", dies)]);
        world.begins(Job { id: "held", at: LAST, worker: "w3-1", connector: "openai", takes: 0 });
        let (_redis, store) = world.stored();
        let at = LAST + 25 * MINUTE;
        let said = ask(&store, at, &["diagnose", "held"]);
        assert_eq!((&said["verdict"], &said["culprit"]["id"]), (&"worker_silent".into(), &"w3-1".into()), "{said:#}");
        assert!(!said["ruled_out"].to_string().contains("w3-1, lives"), "{said:#}");
        let all = ask(&store, at, &["diagnose", "--all"]);
        assert_eq!(all["workers"][0]["worker_id"], "w3-1", "{all:#}");
        assert_eq!(all["workers"][0]["jobs"][0], "held");
        let silent = anomalies(&store, at, "silence");
        assert_eq!(silent.len(), 1, "{silent:#?}");
        assert_eq!(silent[0]["subject"]["worker_id"], "w3-1");
        let top = store.output(&["top", "--now", &now(at)]);
        assert!(top.contains("w3-1"), "{top}");
        // A moment before nothing is wrong with it.
        let before = ask(&store, dies + 2 * SECOND, &["diagnose", "held"]);
        assert_ne!(before["verdict"], "worker_silent", "{before:#}");
    }
}

#[test]
fn a_worker_that_is_back_has_died_however_soon() {
    for (back, asked) in [(2, 10), (8, 10), (20, 25), (50, 60), (2 * 3_600, 60)] {
        let dies = LAST + 2 * SECOND;
        let mut world = healthy(Some(15 * SECOND), &[("w1-1", dies)]);
        world.begins(Job { id: "held", at: LAST, worker: "w1-1", connector: "openai", takes: 0 });
        let starts = dies + back * SECOND;
        world.word(starts, "w1-1", "worker.starting");
        world.word(starts + SECOND, "w1-1", "worker.started");
        world.beats("w1-1", 15 * SECOND, starts + 2 * SECOND, starts + HOUR);
        let (_redis, store) = world.stored();
        let at = starts + asked * SECOND;
        let said = ask(&store, at, &["diagnose", "held"]);
        assert_eq!((&said["verdict"], &said["culprit"]["id"]), (&"worker_silent".into(), &"w1-1".into()), "{said:#}");
        assert!(said["reason"].as_str().unwrap().contains("started again"), "{said:#}");
        let workers = ask(&store, at, &["workers"]);
        let worker = workers["workers"].as_array().unwrap().iter().find(|one| one["worker_id"] == "w1-1").unwrap();
        assert_eq!((&worker["life"], &worker["lost"][0]["job_id"]), (&"alive".into(), &"held".into()), "{worker:#}");
        assert_eq!(worker["restarts"], 2, "`starting` and `started` are one start: {worker:#}");
    }
}

#[test]
fn each_job_that_a_worker_lost_is_named_and_the_trouble_began_with_the_first() {
    let dies = LAST + 2 * SECOND;
    let mut world = healthy(Some(15 * SECOND), &[("w1-1", dies)]);
    // By their names the second comes first.
    for (id, at) in [("z_first", LAST), ("a_second", LAST + SECOND)] {
        let held = Job { id, at, worker: "w1-1", connector: "openai", takes: 0 };
        world.begins(held);
        let taken = at + 30 * SECOND;
        world.tell(taken, "worker", "job.claimed", id, "w3-1", serde_json::json!({}));
        world.ends(Job { at: taken, worker: "w3-1", takes: 800, ..held });
    }
    let starts = dies + 5 * SECOND;
    world.word(starts, "w1-1", "worker.starting");
    world.beats("w1-1", 15 * SECOND, starts + 2 * SECOND, starts + HOUR);
    let (_redis, store) = world.stored();
    let told = anomalies(&store, LAST + MINUTE, "silence");
    let message = told[0]["message"].as_str().unwrap();
    assert!(message.contains("it lost z_first, which w3-1 took after "), "{message}");
    assert!(message.contains(", and a_second, which w3-1 took after "), "{message}");
    let workers = ask(&store, LAST + MINUTE, &["workers"]);
    let worker = workers["workers"].as_array().unwrap().iter().find(|one| one["worker_id"] == "w1-1").unwrap();
    assert_eq!(worker["lost"][0]["job_id"], "z_first", "{worker:#}");
    assert_eq!(told[0]["since"], worker["lost"][0]["since"], "{told:#?}");
}

#[test]
fn a_frozen_worker_is_named_though_its_job_was_taken_over() {
    let freezes = LAST + 3 * SECOND;
    let mut world = healthy(Some(5 * SECOND), &[("w2-1", freezes)]);
    let held = Job { id: "held", at: LAST, worker: "w2-1", connector: "openai", takes: 0 };
    world.begins(held);
    let taken = LAST + 35 * SECOND;
    world.tell(taken, "worker", "job.claimed", "held", "w3-1", serde_json::json!({}));
    world.ends(Job { at: taken, worker: "w3-1", takes: 800, ..held });
    let (_redis, store) = world.stored();
    let at = freezes + 48 * SECOND;
    for said in [ask(&store, at, &["diagnose", "--all"]), ask(&store, at, &["workers"])] {
        let worker = &said["workers"][0];
        assert_eq!((&worker["worker_id"], &worker["life"]), (&"w2-1".into(), &"silent".into()), "{said:#}");
        assert_eq!(worker["lost"][0]["taken_by"], "w3-1", "{worker:#}");
        assert_eq!(worker["lost"][0]["job_id"], "held");
    }
    let silent = anomalies(&store, at, "silence");
    assert_eq!(silent[0]["subject"]["worker_id"], "w2-1", "{silent:#?}");
    let shown = store.output(&["diagnose", "--all", "--now", &now(at), "--format", "table"]);
    assert!(shown.contains("worker w2-1 silent since") && shown.contains("held: w3-1 took it after"), "{shown}");
}

/// A day of much work, in which every beat is one of a thousand intervals, and a quiet hour after it.
#[test]
fn a_slow_beat_is_a_habit_too() {
    let mut world = World::default();
    for worker in ["w1-1", "w2-1"] {
        world.beats(worker, MINUTE, 0, 5 * HOUR);
    }
    world.jobs((SECOND, 2 * HOUR, SECOND), &["w1-1", "w2-1"], &["openai"], |_, _, _| 300);
    world.begins(Job { id: "long", at: 4 * HOUR + SECOND, worker: "w1-1", connector: "openai", takes: 0 });
    world.beats("api-1", 10 * SECOND, 0, 5 * HOUR);
    let (_redis, store) = world.stored();
    let said = ask(&store, 4 * HOUR + 55 * SECOND, &["diagnose", "long"]);
    assert_ne!(said["verdict"], "worker_silent", "its next beat is due in five seconds: {said:#}");
    let workers = ask(&store, 4 * HOUR + 55 * SECOND, &["workers"]);
    assert!(workers["workers"].as_array().unwrap().iter().all(|one| one["life"] == "alive"), "{workers:#}");
}

#[test]
fn workers_that_were_told_to_end_are_not_missed() {
    let ends = LAST + 10 * SECOND;
    let silent: Vec<(&str, i64)> = ["w1-1", "w1-2"].map(|worker| (worker, ends)).into();
    let mut world = healthy(Some(15 * SECOND), &silent);
    world.word(ends, "w1-1", "worker.shutting_down");
    // One that brings its work to an end first.
    world.word(ends, "w1-2", "worker.shutting_down");
    world.job(Job { id: "last", at: ends + SECOND, worker: "w1-2", connector: "openai", takes: 2 * SECOND });
    let (_redis, store) = world.stored();
    let at = ends + 10 * MINUTE;
    assert_eq!(anomalies(&store, at, "silence"), Vec::<serde_json::Value>::new());
    let workers = ask(&store, at, &["workers"]);
    let stopped = workers["workers"].as_array().unwrap().iter().filter(|one| one["life"] == "stopped").count();
    assert_eq!(stopped, 2, "{workers:#}");
}

#[test]
fn workers_are_listed_in_every_format() {
    let (_redis, store) = healthy(Some(15 * SECOND), &[("w3-1", LAST)]).stored();
    let at = now(LAST + 10 * MINUTE);
    let list = |format: &str| store.output(&["workers", "--now", &at, "--last", "1h", "--format", format]);
    for (format, begins) in
        [("csv", "worker_id,life,since,"), ("markdown", "| worker_id"), ("ndjson", "{\"worker_id\":\"w3-1\"")]
    {
        let shown = list(format);
        assert!(shown.starts_with(begins), "{shown}");
        let rows = shown.lines().filter(|line| line.contains("w1-1") || line.contains("w3-1")).count();
        assert_eq!(rows, 2, "{shown}");
    }
    assert!(list("table").lines().nth(2).unwrap().contains("w3-1"), "the silent come first: {}", list("table"));
    let said: serde_json::Value = serde_json::from_str(&list("json")).unwrap();
    let silent = &said["workers"][0];
    assert_eq!(silent["life"], "silent", "{silent:#}");
    // Three beats, within the hundredth to which they are known.
    assert!((44_500..45_500).contains(&silent["limit_ms"].as_i64().unwrap()), "{silent:#}");
    let heard: jiff::Timestamp = silent["last_heard"].as_str().unwrap().parse().unwrap();
    let ago_ms = BEGIN_MS + LAST - heard.as_millisecond();
    assert!((0..20 * SECOND).contains(&ago_ms), "{silent:#}");
}

/// One worker after the other does its part of a job, and nobody claims it.
#[test]
fn a_worker_that_hands_its_part_on_has_lost_nothing() {
    let mut world = World::default();
    for (number, at) in (SECOND..LAST).step_by(10 * SECOND as usize).enumerate() {
        let id = format!("book_{number}");
        world.tell(at, "api-server", "job.created", &id, "", serde_json::json!({"jobType": "book"}));
        for (step, worker) in [("print", "w1-1"), ("bind", "w2-1")] {
            let begins = at + if step == "print" { 100 } else { 2_000 };
            world.tell(begins, "worker", &format!("{step}.started"), &id, worker, serde_json::json!({}));
            world.tell(begins + 900, "worker", &format!("{step}.completed"), &id, worker, serde_json::json!({}));
        }
        world.tell(at + 3_000, "worker", "job.completed", &id, "w2-1", serde_json::json!({}));
    }
    let (_redis, store) = world.stored();
    let workers = ask(&store, LAST, &["workers"]);
    let lost = workers["workers"].as_array().unwrap().iter().map(|one| one["lost"].as_array().unwrap().len());
    assert_eq!(lost.sum::<usize>(), 0, "{workers:#}");
    assert_eq!(ask(&store, LAST, &["diagnose", "--all"])["workers"].as_array().unwrap().len(), 0);
}
