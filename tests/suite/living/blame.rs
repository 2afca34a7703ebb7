//! Who is behind it: nobody whom the evidence rules out.

use serde_json::{Value, json};

use super::world::{BEGIN_MS, HOUR, Job, MINUTE, SECOND, World, anomalies, ask};

const WORKERS: [&str; 4] = ["w1-1", "w1-2", "w2-1", "w3-1"];
const LAST: i64 = 4 * HOUR;

fn culprit(said: &Value) -> (&str, &str) {
    (said["culprit"]["kind"].as_str().unwrap_or_default(), said["culprit"]["id"].as_str().unwrap_or_default())
}

/// The groups of a verdict, with whom they blame and how many jobs they have.
fn groups<'a>(all: &'a Value, verdict: &str) -> Vec<(&'a str, &'a str, usize)> {
    let of_verdict = all["groups"].as_array().unwrap().iter().filter(|group| group["verdict"] == verdict);
    let blamed = |group: &'a Value| {
        let (kind, id) = culprit(group);
        (kind, id, group["jobs"].as_array().unwrap().len())
    };
    of_verdict.map(blamed).collect()
}

/// Durations that differ by up to two times in both directions, the same ones each time.
fn scattered(number: usize, ms: i64) -> i64 {
    let share = (number * 7_919 % 997) as f64 / 997.0;
    (ms as f64 * 2.0_f64.powf(2.0 * share - 1.0)) as i64
}

/// Jobs one after the other, each taken by the worker that is free first.
fn queued(world: &mut World, (from, until, every): (i64, i64, i64), takes: impl Fn(i64, &str) -> i64) {
    let mut free = [from; WORKERS.len()];
    for (number, at) in (from..until).step_by(every as usize).enumerate() {
        let connector = if number % 2 == 0 { "ink" } else { "toner" };
        let (place, ready) = free.iter().copied().enumerate().min_by_key(|(_, ready)| *ready).unwrap();
        let begins = ready.max(at + 60);
        let takes = scattered(number, takes(begins, connector));
        free[place] = begins + takes + 50;
        let (id, worker) = (format!("ord_{at}"), WORKERS[place]);
        world.tell(at, "edge", "job.created", &id, "", json!({"jobType": "poster"}));
        world.tell(at + 5, "edge", "job.queued", &id, "", json!({"queue": "print"}));
        world.tell(begins, "press", "job.claimed", &id, worker, json!({}));
        world.tell(begins + 5, "press", "render.started", &id, worker, json!({"provider": connector}));
        let done = json!({"provider": connector, "durationMs": takes});
        world.tell(begins + 5 + takes, "press", "render.completed", &id, worker, done);
        world.tell(begins + 10 + takes, "press", "job.completed", &id, worker, json!({}));
    }
}

#[test]
fn a_connector_that_is_slow_a_second_time_is_named_again() {
    let (first, second) = (LAST - 80 * MINUTE, LAST - 14 * MINUTE);
    let is_slow = |at: i64| (first..first + 10 * MINUTE).contains(&at) || at >= second;
    let mut world = World::default();
    world.jobs((SECOND, LAST, 2 * SECOND), &WORKERS, &["openai", "comfyui"], |at, _, connector| {
        if connector == "comfyui" && is_slow(at) { 3_000 } else { 500 }
    });
    let (_redis, store) = world.stored();
    let all = ask(&store, LAST, &["diagnose", "--all", "--last", "10m"]);
    let slow = groups(&all, "done_slow");
    assert_eq!((slow.len(), slow[0].0, slow[0].1), (1, "connector", "comfyui"), "{slow:?}");
    let said = ask(&store, LAST, &["diagnose", all["groups"][0]["jobs"][0].as_str().unwrap()]);
    let since: jiff::Timestamp = said["since"].as_str().unwrap().parse().unwrap();
    assert!((since.as_millisecond() - BEGIN_MS - second).abs() <= MINUTE, "{said:#}");
    assert!(anomalies(&store, LAST, "latency").iter().any(|one| one["message"].to_string().contains("comfyui")));
}

#[test]
fn jobs_that_wait_behind_a_slow_connector_are_put_down_to_it() {
    let from = LAST - 10 * MINUTE;
    let mut world = World::default();
    queued(&mut world, (SECOND, LAST + MINUTE, SECOND), |at, connector| match connector {
        "ink" if at >= from => 9_000,
        "ink" => 1_200,
        _ => 600,
    });
    let (_redis, store) = world.stored();
    let all = ask(&store, LAST, &["diagnose", "--all", "--last", "10m"]);
    let of_verdicts = ["done_slow", "running_slow", "waiting"].map(|verdict| groups(&all, verdict));
    let mut blamed = of_verdicts.iter().flatten().filter(|(kind, ..)| !kind.is_empty());
    assert!(blamed.all(|(kind, id, _)| (*kind, *id) == ("connector", "ink")), "{of_verdicts:?}");
    assert!(of_verdicts.iter().all(|groups| !groups.is_empty()), "{of_verdicts:?}");

    let unhealthy = all["unhealthy"].as_array().unwrap();
    let told = |verdict: &str, words: &str| {
        let is_it = |one: &&Value| one["verdict"] == verdict && one["reason"].as_str().unwrap().contains(words);
        unhealthy.iter().find(is_it).unwrap_or_else(|| panic!("{verdict}, {words}: {of_verdicts:?}")).clone()
    };
    let waited = told("done_slow", "most of it for queue wait");
    assert!(waited["reason"].as_str().unwrap().contains("most of what workers did meanwhile was for it"), "{waited:#}");
    let waits = told("waiting", "ink takes ×");
    let since: jiff::Timestamp = waits["since"].as_str().unwrap().parse().unwrap();
    assert!((since.as_millisecond() - BEGIN_MS - from).abs() <= MINUTE, "{waits:#}");
    // What somebody still waits for comes before what is done.
    let is_done: Vec<bool> = unhealthy.iter().map(|one| one["verdict"] == "done_slow").collect();
    assert!(is_done.is_sorted(), "{is_done:?}");
    assert_eq!(all["groups"][0]["verdict"], "waiting", "{of_verdicts:?}");
}

#[test]
fn who_is_a_little_slow_all_along_is_not_behind_what_another_made_very_slow() {
    let slow = LAST - MINUTE;
    for connectors in [&["ink"][..], &["ink", "toner"]] {
        let mut world = World::default();
        world.jobs((SECOND, LAST, SECOND), &WORKERS, connectors, |at, worker, connector| match connector {
            "ink" if at >= slow => 3_000,
            _ if worker == "w3-1" => 170,
            _ => 100,
        });
        let (_redis, store) = world.stored();
        let all = ask(&store, LAST + 10 * SECOND, &["diagnose", "--all", "--last", "10m"]);
        let told = groups(&all, "done_slow");
        let jobs = 60 / connectors.len();
        assert!(matches!(told[..], [("connector", "ink", some)] if some >= jobs * 9 / 10), "{told:?}");
    }
}

#[test]
fn a_connector_is_behind_slow_jobs_where_others_did_hardly_anything_meanwhile() {
    let slow = LAST - MINUTE;
    let mut world = World::default();
    world.jobs((SECOND, LAST, 2 * SECOND), &WORKERS, &["ink"], |at, _, _| if at >= slow { 3_000 } else { 100 });
    for (id, at) in [("rare_1", slow + SECOND), ("rare_2", slow + 20 * SECOND), ("rare_3", slow + 40 * SECOND)] {
        world.job(Job { id, at, worker: "w1-1", connector: "toner", takes: 100 });
    }
    let (_redis, store) = world.stored();
    let all = ask(&store, LAST + 10 * SECOND, &["diagnose", "--all", "--last", "10m"]);
    let told = groups(&all, "done_slow");
    assert!(matches!(told[..], [("connector", "ink", some)] if some >= 27), "{told:?}");
}

#[test]
fn a_job_that_took_far_longer_than_its_slow_worker_explains_is_not_put_down_to_it() {
    let mut world = World::default();
    world.jobs((SECOND, LAST, SECOND), &WORKERS, &["ink"], |_, worker, _| if worker == "w3-1" { 170 } else { 100 });
    let of_slow = Job { id: "huge", at: LAST - 2 * MINUTE, worker: "w3-1", connector: "ink", takes: 60_000 };
    world.job(of_slow);
    let (_redis, store) = world.stored();
    let said = ask(&store, LAST, &["diagnose", "huge"]);
    assert_eq!((said["verdict"].as_str(), culprit(&said)), (Some("done_slow"), ("job", "huge")), "{said:#}");
}

#[test]
fn a_job_that_is_passed_over_is_told_from_a_queue_that_stands_still() {
    let mut world = World::default();
    queued(&mut world, (SECOND, LAST, 2 * SECOND), |_, _| 700);
    for (id, queue) in [("passed_over", "print"), ("alone", "bulk")] {
        let at = LAST - 10 * MINUTE;
        world.tell(at, "edge", "job.created", id, "", json!({"jobType": "poster"}));
        world.tell(at + 5, "edge", "job.queued", id, "", json!({"queue": queue}));
    }
    let (_redis, store) = world.stored();
    let said = ask(&store, LAST, &["diagnose", "passed_over"]);
    assert_eq!((&said["verdict"], culprit(&said)), (&"waiting".into(), ("job", "passed_over")), "{said:#}");
    assert!(said["reason"].as_str().unwrap().contains("it was passed over, as 300 jobs"), "{said:#}");
    assert!(said["ruled_out"].to_string().contains("the queue moves"), "{said:#}");
    let said = ask(&store, LAST, &["diagnose", "alone"]);
    assert_eq!((&said["verdict"], culprit(&said)), (&"waiting".into(), ("queue", "bulk")), "{said:#}");
    assert!(said["ruled_out"].to_string().contains("none from its own"), "{said:#}");
    // A group of one job blames whom the job does: itself, too.
    let all = ask(&store, LAST, &["diagnose", "--all", "--last", "1h"]);
    assert_eq!(groups(&all, "waiting"), [("queue", "bulk", 1), ("job", "passed_over", 1)], "{all:#}");
    for one in ask(&store, LAST, &["anomalies"]).as_array().unwrap().iter().filter(|one| one["kind"] == "stuck") {
        assert!(one["unit"] == "jobs" && one["since"].is_string() && one["until"].is_null(), "{one:#}");
    }
}

#[test]
fn an_error_of_several_connectors_is_of_none_of_them() {
    let mut world = World::default();
    world.jobs((SECOND, LAST, 5 * SECOND), &WORKERS, &["openai", "comfyui"], |_, _, _| 700);
    for (number, worker) in WORKERS.iter().cycle().take(8).enumerate() {
        let connector = if number == 0 { "openai" } else { "comfyui" };
        let (id, at) = (format!("failed_{number}"), LAST - (9 - number as i64) * 2 * MINUTE);
        world.begins(Job { id: &id, at, worker, connector, takes: 0 });
        let error = json!({"error": format!("upstream timeout after {number} s")});
        world.tell(at + 500, "worker", "job.failed", &id, worker, error);
    }
    let (_redis, store) = world.stored();
    assert_eq!(culprit(&ask(&store, LAST, &["diagnose", "failed_3"])), ("connector", "comfyui"));
    assert_eq!(culprit(&ask(&store, LAST, &["diagnose", "failed_0"])), ("service", "worker"));
}

/// Whatever range is asked about, and whichever job.
#[test]
fn one_factor_and_one_beginning_whatever_the_range() {
    let from = LAST - 12 * MINUTE;
    let mut world = World::default();
    for (number, at) in (SECOND..LAST).step_by(4_000).enumerate() {
        let (worker, connector) = (WORKERS[number % 4], ["openai", "comfyui"][number / 4 % 2]);
        let usual = if connector == "openai" { 600 } else { 1_500 };
        let takes = scattered(number, if worker == "w2-1" && at >= from { 4 * usual } else { usual });
        world.job(Job { id: &format!("job_{at}"), at, worker, connector, takes });
    }
    let (_redis, store) = world.stored();
    let mut told = Vec::new();
    for last in ["15m", "30m", "1h"] {
        let why = ask(&store, LAST, &["why-slow", "--last", last]);
        let traits = why["traits"].as_array().unwrap();
        told.extend(traits.iter().filter(|one| one["value"] == "w2-1").map(|one| one["speed"].clone()));
        let all = ask(&store, LAST, &["diagnose", "--all", "--last", last]);
        let slow = all["unhealthy"].as_array().unwrap().iter().find(|one| culprit(one) == ("worker", "w2-1"));
        let slow = slow.unwrap_or_else(|| panic!("{last}: {all:#}"));
        let factor: f64 = slow["reason"]
            .as_str()
            .unwrap()
            .split("takes ×")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        told.push(json!({"factor": factor, "since": slow["since"]}));
    }
    let workers = ask(&store, LAST, &["workers"]);
    let worker = workers["workers"].as_array().unwrap().iter().find(|one| one["worker_id"] == "w2-1").unwrap();
    assert!(told.len() >= 4 && told.iter().all(|one| *one == worker["speed"]), "{told:#?}, {worker:#}");
}

/// Work of one connector always takes longer than that of another.
#[test]
fn what_always_takes_longer_is_not_what_an_alert_names() {
    let mut world = World::default();
    let from = LAST - 58 * MINUTE;
    for (number, at) in (SECOND..LAST).step_by(2_000).enumerate() {
        let (worker, connector) = (WORKERS[number % 4], ["slow", "quick"][number / 4 % 2]);
        let usual = if connector == "slow" { 2_000 } else { 400 };
        let takes = scattered(number, if worker == "w2-1" && at >= from { 5 * usual } else { usual });
        world.job(Job { id: &format!("job_{at}"), at, worker, connector, takes });
    }
    let (_redis, store) = world.stored();
    let messages: Vec<String> =
        anomalies(&store, LAST, "latency").iter().map(|one| one["message"].to_string()).collect();
    assert!(!messages.is_empty());
    assert!(messages.iter().all(|message| !message.contains("connector slow")), "{messages:#?}");
    assert!(messages.iter().any(|message| message.contains("with worker w2-1")), "{messages:#?}");
}

/// The gap, the budget and the sentence are about one wait.
#[test]
fn one_part_of_a_job_has_one_typical_time_on_a_screen() {
    let mut world = World::default();
    queued(&mut world, (SECOND, LAST, 2 * SECOND), |_, _| 700);
    let at = LAST - 10 * MINUTE;
    world.tell(at, "edge", "job.created", "waited", "", json!({"jobType": "poster"}));
    world.tell(at + 5, "edge", "job.queued", "waited", "", json!({"queue": "print"}));
    world.tell(at + 30 * SECOND, "press", "job.claimed", "waited", "w1-1", json!({}));
    world.tell(at + 31 * SECOND, "press", "job.completed", "waited", "w1-1", json!({}));
    let (_redis, store) = world.stored();
    let shown = ask(&store, LAST, &["timeline", "waited"]);
    let gap = shown["gaps"].as_array().unwrap().iter().find(|gap| gap["kind"] == "queue-wait").unwrap();
    let of_budget = |said: &Value| {
        let part = said["budget"].as_array().unwrap().iter().find(|part| part["part"] == "queue wait").unwrap();
        part["ms"].as_f64().unwrap() / part["typical_ms"].as_f64().unwrap()
    };
    let times = gap["times_typical"].as_f64().unwrap();
    let said = ask(&store, LAST, &["diagnose", "waited"]);
    for other in [of_budget(&shown), of_budget(&said)] {
        assert!((times / other - 1.0).abs() < 0.01, "{times} and {other}: {shown:#}");
    }
    let told = said["reason"].as_str().unwrap();
    assert!(told.contains(&format!("×{}", times.round())), "×{times}: {told}");
}
