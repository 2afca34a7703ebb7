//! Who takes longer than others, since when, and one factor for it wherever it is told.

use serde_json::Value;

use super::world::{BEGIN_MS, HOUR, Job, MINUTE, SECOND, World, anomalies, ask, now};

const WORKERS: [&str; 4] = ["w1-1", "w1-2", "w2-1", "w3-1"];
const CONNECTORS: [&str; 2] = ["openai", "comfyui"];
const LAST: i64 = 4 * HOUR;

fn since_ms(value: &Value) -> i64 {
    let moment: jiff::Timestamp = value.as_str().unwrap_or_else(|| panic!("{value:#}")).parse().unwrap();
    moment.as_millisecond() - BEGIN_MS
}

/// As a sentence tells it: `w3-1 takes ×5 as long as …`.
fn factor_in(text: &str) -> f64 {
    text.split("takes ×").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
}

/// One worker is five times as slow from then on.
fn slow_worker(from: i64) -> World {
    let mut world = World::default();
    world.jobs((SECOND, LAST, 5 * SECOND), &WORKERS, &CONNECTORS, |at, worker, connector| {
        let usual = if connector == "openai" { 600 } else { 2_000 };
        if worker == "w3-1" && at >= from { 5 * usual } else { usual }
    });
    world
}

#[test]
fn a_worker_is_told_by_one_factor_and_one_beginning_everywhere() {
    let from = LAST - 17 * MINUTE;
    let (_redis, store) = slow_worker(from).stored();
    let all = ask(&store, LAST, &["diagnose", "--all"]);
    let group = all["groups"].as_array().unwrap().iter().find(|one| one["verdict"] == "done_slow").unwrap();
    assert_eq!((&group["culprit"]["kind"], &group["culprit"]["id"]), (&"worker".into(), &"w3-1".into()), "{group:#}");
    let jobs: Vec<&str> = group["jobs"].as_array().unwrap().iter().map(|job| job.as_str().unwrap()).collect();
    assert!(jobs.len() >= 20, "{group:#}");
    let mut factors = Vec::new();
    for job in [jobs[0], jobs[jobs.len() / 2], jobs[jobs.len() - 1]] {
        let said = ask(&store, LAST, &["diagnose", job]);
        factors.push(factor_in(said["reason"].as_str().unwrap()));
        assert!((since_ms(&said["since"]) - from).abs() <= MINUTE, "{said:#}");
        for other in said["same_cause"]["examples"].as_array().unwrap() {
            assert!(jobs.contains(&other.as_str().unwrap()), "{other} is well, and has no cause: {said:#}");
        }
    }
    let outliers = anomalies(&store, LAST, "outlier");
    assert_eq!(outliers.len(), 1, "{outliers:#?}");
    factors.push(factor_in(outliers[0]["message"].as_str().unwrap()));
    let workers = ask(&store, LAST, &["workers"]);
    let slow = workers["workers"].as_array().unwrap().iter().find(|one| one["worker_id"] == "w3-1").unwrap();
    factors.push(slow["speed"]["factor"].as_f64().unwrap());
    let why = ask(&store, LAST, &["why-slow", "--last", "1h"]);
    let of_worker = why["traits"].as_array().unwrap().iter().find(|one| one["value"] == "w3-1").unwrap();
    factors.push(of_worker["speed"]["factor"].as_f64().unwrap());
    let perf = store.output(&["perf", "--by", "worker_id", "--last", "1h", "--now", &now(LAST), "--format", "ndjson"]);
    let rows = perf.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let row = rows.into_iter().find(|row| row["worker_id"] == "w3-1").unwrap();
    factors.push(row["times_others"].as_f64().unwrap());
    assert!(factors.iter().all(|one| *one == factors[0]), "{factors:?}");
    assert!((4.5..=5.5).contains(&factors[0]), "{factors:?}");
}

#[test]
fn a_connector_is_named_two_minutes_after_it_became_slow() {
    for young in [false, true] {
        let begins = if young { LAST - 12 * MINUTE } else { 0 };
        let from = LAST - 2 * MINUTE;
        let mut world = World::default();
        world.jobs((begins, LAST, SECOND), &WORKERS, &CONNECTORS, |at, _, connector| {
            if connector == "comfyui" && at >= from { 1_800 } else { 300 }
        });
        let (_redis, store) = world.stored();
        let all = ask(&store, LAST, &["diagnose", "--all", "--last", "5m"]);
        let group = all["groups"].as_array().unwrap().iter().max_by_key(|one| one["jobs"].as_array().unwrap().len());
        let group = group.unwrap_or_else(|| panic!("young: {young}: {all:#}"));
        assert_eq!(group["culprit"], serde_json::json!({"kind": "connector", "id": "comfyui"}), "{group:#}");
        let job = group["jobs"][0].as_str().unwrap();
        let said = ask(&store, LAST, &["diagnose", job]);
        assert!((since_ms(&said["since"]) - from).abs() <= 10 * SECOND, "{said:#}");
        let factor = factor_in(said["reason"].as_str().unwrap());
        assert!((5.5..=6.5).contains(&factor), "{said:#}");
        if !young {
            let latency = anomalies(&store, LAST, "latency");
            assert!(latency.iter().any(|one| one["message"].as_str().unwrap().contains("comfyui")), "{latency:#?}");
        }
    }
}

/// Of a connector with a job in four minutes, each of which takes half or twice as long by itself: the slow time begins
/// with its first slow job, not with one before that happened to take a little longer.
#[test]
fn the_beginning_is_that_of_the_first_slow_piece_also_where_there_are_few() {
    const CONNECTORS: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let from = LAST - HOUR;
    let is_slow = |connector: &str| ["c", "f", "k"].contains(&connector);
    let mut world = World::default();
    for (number, at) in (SECOND..LAST).step_by(20_000).enumerate() {
        let connector = CONNECTORS[number % CONNECTORS.len()];
        // Four even chances added up are nearly normal; their spread makes that of the logarithm 0.35.
        let chance = |part: u64| {
            let mixed = ((at as u64 + 395_950) ^ (part << 40)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            ((mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 11) as f64 / (1_u64 << 53) as f64
        };
        let normal = ((0..4).map(chance).sum::<f64>() - 2.0) * 3.0_f64.sqrt();
        let times = if is_slow(connector) && at >= from { 4.0 } else { 1.0 };
        let takes = (8_000.0 * times * (0.35 * normal).exp()) as i64;
        world.job(Job { id: &format!("job_{number}"), at, worker: WORKERS[number % WORKERS.len()], connector, takes });
    }
    let (_redis, store) = world.stored();
    let why = ask(&store, LAST, &["why-slow", "--last", "2h"]);
    let traits = why["traits"].as_array().unwrap();
    let slow = traits.iter().filter(|one| one["speed"].is_object() && one["value"].as_str().unwrap().len() == 1);
    let late: Vec<(&str, i64)> = slow
        .map(|one| (one["value"].as_str().unwrap(), since_ms(&one["speed"]["since"]) - from))
        .inspect(|(connector, _)| assert!(is_slow(connector), "{why:#}"))
        .collect();
    assert_eq!(late.len(), 3, "{why:#}");
    assert!(late.iter().all(|(_, late)| (0..=4 * MINUTE).contains(late)), "{late:?}");
}

/// All of whose work but the end lies before the range that is looked at.
#[test]
fn a_job_that_is_done_is_no_alert_in_a_backtest_either() {
    let mut world = World::default();
    world.jobs((SECOND, LAST, 5 * SECOND), &WORKERS, &CONNECTORS, |_, _, _| 700);
    let job = Job { id: "reported_late", at: 20 * MINUTE, worker: "w1-1", connector: "openai", takes: 700 };
    world.job(job);
    world.tell(HOUR, "webhook-service", "webhook.delivering", "reported_late", "", serde_json::json!({}));
    world.tell(HOUR + SECOND, "webhook-service", "webhook.delivered", "reported_late", "", serde_json::json!({}));
    let (_redis, store) = world.stored();
    let backtest = ask(&store, LAST, &["anomalies", "--backtest", "--last", "2h", "--every", "30m"]);
    assert!(!backtest.to_string().contains("reported_late"), "{backtest:#}");
}

#[test]
fn what_is_over_is_told_in_the_past_with_its_end() {
    let (from, until) = (LAST - 40 * MINUTE, LAST - 20 * MINUTE);
    let wave = |at: i64| (from..until).contains(&at);
    let mut world = World::default();
    world.jobs((SECOND, LAST, SECOND), &WORKERS, &CONNECTORS, |at, worker, connector| match (worker, connector) {
        (_, "comfyui") if wave(at) => 1_800,
        ("w2-1", "openai") if wave(at) => 2_100,
        _ => 300,
    });
    let (_redis, store) = world.stored();
    let all = ask(&store, LAST, &["anomalies"]);
    let slow = |one: &&Value| one["kind"] == "latency" || one["kind"] == "outlier";
    let slow: Vec<&Value> = all.as_array().unwrap().iter().filter(slow).collect();
    let told = |name: &str| {
        let is_it = |one: &&&Value| one["message"].as_str().unwrap().starts_with(name);
        *slow.iter().find(is_it).unwrap_or_else(|| panic!("{name}: {slow:#?}"))
    };
    let one = told("the connector comfyui took ×");
    assert!((since_ms(&one["since"]) - from).abs() <= MINUTE && one["unit"] == "ms", "{one:#}");
    assert!((since_ms(&one["until"]) - until).abs() <= MINUTE, "{one:#}");
    assert!(one["message"].as_str().unwrap().contains(" until 2025-09-27 03:"), "{one:#}");
    for one in &slow {
        let message = one["message"].as_str().unwrap();
        assert!(!message.contains("takes") && message.contains("took") && one["until"].is_string(), "{one:#}");
    }
    // While it lasted it was told as what goes on.
    let then = ask(&store, until - MINUTE, &["anomalies"]);
    let goes_on = |one: &&Value| one["message"].as_str().unwrap().contains("comfyui takes ×");
    let one = then.as_array().unwrap().iter().find(goes_on).unwrap_or_else(|| panic!("{then:#}"));
    assert_eq!(one["until"], Value::Null, "{one:#}");
}
