//! A clock that is wrong is named by the finest name that has one clock, and makes no gaps, in whichever direction it is
//! wrong; what arrives late by right clocks is no wrong clock.

use serde_json::Value;

use super::world::{HOUR, MINUTE, SECOND, World, anomalies, ask, now};

const WORKERS: [&str; 4] = ["w1-1", "w3-1", "w3-2", "w3-3"];
const LAST: i64 = 2 * HOUR;
const AHEAD: i64 = 90 * SECOND;

fn system(clocks: &[(&str, i64, i64, i64)]) -> World {
    let mut world = World::default();
    for worker in WORKERS {
        world.beats(worker, 15 * SECOND, SECOND, LAST);
    }
    world.jobs((10 * SECOND, LAST, 3 * SECOND), &WORKERS, &["openai"], |_, _, _| 700);
    clocks.iter().for_each(|(worker, off, from, until)| world.clock(worker, *off, *from, *until));
    world
}

fn lines(shown: &str) -> Vec<Value> {
    shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn one_workers_clock_is_its_own_and_makes_no_gaps() {
    let begun = HOUR + 10 * MINUTE;
    let (_redis, store) = system(&[("w3-2", AHEAD, begun, LAST)]).stored();
    let skew = anomalies(&store, LAST, "skew");
    assert_eq!(skew.len(), 1, "{skew:#?}");
    assert_eq!(
        (&skew[0]["subject"]["worker_id"], &skew[0]["severity"]),
        (&"w3-2".into(), &"alert".into()),
        "{skew:#?}"
    );
    assert_eq!(skew[0]["subject"]["machine_id"], Value::Null, "its neighbours' clocks are right");
    let message = skew[0]["message"].as_str().unwrap();
    assert!(message.contains("1 m 30 s ahead") && message.contains("since 2025-09-27 01:10"), "{message}");

    let since = now(HOUR);
    let gaps = store.run(&["gaps", "--since", &since, "--format", "ndjson"]);
    assert_eq!((gaps.status, gaps.stdout.as_str()), (0, ""), "no job stands still for 5 s");
    assert!(gaps.stderr.contains("the clock of w3-2 is at least 1 m 30 s ahead"), "{}", gaps.stderr);
    assert_eq!(gaps.stderr.lines().filter(|line| line.contains("ahead")).count(), 1, "it is said once");
    let raw = store.output(&["gaps", "--since", &since, "--raw-clocks", "--format", "ndjson"]);
    assert!(lines(&raw).iter().any(|gap| gap["gap_ms"].as_i64().unwrap() > 80_000), "{raw}");

    let p95 = |words: &[&str]| {
        let shown = store.output(&[&["handoffs", "--since", &since, "--format", "ndjson"], words].concat());
        let to_worker = lines(&shown).into_iter().find(|one| one["to_service"] == "worker").unwrap();
        to_worker["p95_ms"].as_f64().unwrap()
    };
    assert!(p95(&[]) < 1_000.0 && p95(&["--raw-clocks"]) > 80_000.0);

    let report = store.output(&["report", "--since", &since, "--now", &now(LAST), "--format", "markdown", "-o", "-"]);
    assert!(report.lines().filter(|line| line.contains("job_")).all(|line| !line.contains("1 m ")), "{report}");

    let workers = ask(&store, LAST, &["workers"]);
    let of =
        |id: &str| workers["workers"].as_array().unwrap().iter().find(|one| one["worker_id"] == id).cloned().unwrap();
    assert_eq!((&of("w3-2")["clock"]["ms"], &of("w3-1")["clock"]), (&AHEAD.into(), &Value::Null), "{workers:#}");
}

#[test]
fn a_wait_that_a_wrong_clock_reckons_is_no_alert() {
    let begun = LAST - 20 * MINUTE;
    let mut world = system(&[("w3-2", AHEAD, begun, LAST)]);
    for (number, at) in (SECOND..LAST).step_by(3_000).enumerate() {
        let worker = WORKERS[number % WORKERS.len()];
        let off = if worker == "w3-2" && at >= begun { AHEAD } else { 0 };
        let waited = 55 + number as i64 % 11 + off;
        let data = serde_json::json!({ "durationMs": waited });
        world.tell(at, "worker", "job.claimed", &format!("other_{number}"), worker, data);
    }
    let (_redis, store) = world.stored();
    let latencies = anomalies(&store, LAST, "latency");
    assert!(latencies.is_empty(), "{latencies:#?}");
    assert_eq!(anomalies(&store, LAST, "skew")[0]["subject"]["worker_id"], "w3-2");
}

#[test]
fn a_machine_is_named_where_all_its_workers_agree() {
    let off: Vec<(&str, i64, i64, i64)> = WORKERS[1..].iter().map(|worker| (*worker, AHEAD, 0, LAST)).collect();
    let (_redis, store) = system(&off).stored();
    let skew = anomalies(&store, LAST, "skew");
    assert_eq!(skew.len(), 1, "{skew:#?}");
    assert_eq!((&skew[0]["subject"]["machine_id"], &skew[0]["subject"]["worker_id"]), (&"m3".into(), &Value::Null));
}

/// What a machine says itself and what its only worker says go by one clock, which is told of once.
#[test]
fn a_machine_and_its_only_worker_are_told_of_once() {
    let mut world = system(&[("w1-1", AHEAD, 0, LAST), ("m1", AHEAD, 0, LAST)]);
    world.beats("m1", 15 * SECOND, SECOND, LAST);
    let (_redis, store) = world.stored();
    let skew = anomalies(&store, LAST, "skew");
    assert_eq!(skew.len(), 1, "{skew:#?}");
    assert_eq!((&skew[0]["subject"]["worker_id"], &skew[0]["subject"]["machine_id"]), (&"w1-1".into(), &Value::Null));
}

#[test]
fn a_clock_that_was_put_right_is_no_alert() {
    let right = LAST - 3 * MINUTE;
    let (_redis, store) = system(&[("w3-2", AHEAD, 0, right)]).stored();
    let alerts = |at: i64| {
        let skew = anomalies(&store, at, "skew");
        skew.iter()
            .filter(|one| one["severity"] == "alert")
            .map(|one| one["subject"]["worker_id"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(alerts(right), vec![Value::from("w3-2")]);
    assert_eq!(alerts(LAST), Vec::<Value>::new());
    let notes = anomalies(&store, LAST, "skew");
    assert!(notes[0]["message"].as_str().unwrap().contains("put right"), "{notes:#?}");
}

/// What is said of a system of four workers, of which one has a clock that is behind from then on.
fn is_put_right_where_it_is_behind(who: &str, behind: i64, words: &str) {
    let begun = HOUR + 10 * MINUTE;
    let (_redis, store) = system(&[(who, -behind, begun, LAST)]).stored();
    let all = ask(&store, LAST, &["anomalies"]);
    let alerts: Vec<&Value> = all.as_array().unwrap().iter().filter(|one| one["severity"] == "alert").collect();
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    let message = alerts[0]["message"].as_str().unwrap();
    assert_eq!((&alerts[0]["kind"], &alerts[0]["value"]), (&"skew".into(), &(-behind as f64).into()), "{message}");
    assert!(
        message.contains(&format!("the clock of {who} is at least {words} behind, since 2025-09-27 01:1")),
        "{message}"
    );
    assert!(all.as_array().unwrap().iter().all(|one| one["kind"] == "skew"), "{all:#}");

    let since = now(HOUR);
    let gaps = store.run(&["gaps", "--since", &since, "--format", "ndjson"]);
    assert_eq!((gaps.status, gaps.stdout.as_str()), (0, ""), "no job stands still for 5 s");
    let said = format!("the clock of {who} is at least {words} behind");
    assert_eq!(gaps.stderr.matches(&said).count(), 1, "{}", gaps.stderr);
    let raw = store.output(&["gaps", "--raw-clocks", "--format", "ndjson"]);
    assert!(lines(&raw).iter().any(|gap| gap["gap_ms"].as_i64().unwrap() > behind / 2), "{raw}");

    let handoffs = |words: &[&str]| {
        let shown = store.run(&[&["handoffs", "--since", &since, "--format", "ndjson"], words].concat());
        assert_eq!(shown.stderr.matches(&said).count(), usize::from(words.is_empty() || words[0] == "--raw-clocks"));
        let to_worker = lines(&shown.stdout).into_iter().find(|one| one["to_service"] == "worker").unwrap();
        (to_worker["p95_ms"].as_f64().unwrap(), to_worker["skewed"].as_i64().unwrap())
    };
    let (p95_ms, skewed) = handoffs(&[]);
    assert!(p95_ms < 1_000.0 && skewed == 0, "{p95_ms} ms, {skewed}");

    let perf = store.run(&["perf", "--since", &since, "--format", "ndjson"]);
    assert_eq!(perf.stderr.matches(&said).count(), 1, "{}", perf.stderr);
    let report = store.output(&["report", "--since", &since, "--now", &now(LAST), "--format", "markdown", "-o", "-"]);
    assert!(report.contains(&said), "{report}");
    let too_long =
        |line: &&str| line.contains("job_") && [" 8 s", " 7.", " m ", " h "].iter().any(|long| line.contains(long));
    assert_eq!(report.lines().find(too_long), None, "{report}");

    let judged = ask(&store, LAST, &["diagnose", "--all", "--last", "45m"]);
    assert_eq!(judged["unhealthy"].as_array().unwrap().len(), 0, "{judged:#}");
    let workers = ask(&store, LAST, &["workers"]);
    for worker in workers["workers"].as_array().unwrap() {
        assert_eq!(worker["life"], "alive", "it is heard of by Redis' clock: {worker:#}");
        let clock = if worker["worker_id"] == who { Value::from(-behind) } else { Value::Null };
        assert_eq!(worker["clock"]["ms"], clock, "{worker:#}");
    }
}

#[test]
fn a_clock_that_is_behind_by_seconds_makes_no_gaps_and_no_waits() {
    is_put_right_where_it_is_behind("w3-2", 8 * SECOND, "8 s");
}

#[test]
fn a_clock_that_is_behind_by_an_hour_makes_no_gaps_and_no_waits() {
    is_put_right_where_it_is_behind("w3-2", HOUR, "1 h");
}

/// Nobody's events come before those of whoever creates the jobs: that they follow at once, as soon as those arrive,
/// proves it.
#[test]
fn the_clock_of_who_creates_the_jobs_may_be_behind_too() {
    is_put_right_where_it_is_behind("api-server", HOUR, "1 h");
}

#[test]
fn what_arrives_late_by_a_right_clock_is_not_put_down_to_the_clock() {
    let mut world = system(&[]);
    // A slow line; and a spool that is emptied forty minutes later.
    world.late("w3-2", |at| at + 3 * SECOND);
    world.late("w3-3", |at| if (HOUR..HOUR + 10 * MINUTE).contains(&at) { HOUR + 40 * MINUTE + at % 7 } else { at });
    let (_redis, store) = world.stored();
    assert_eq!(anomalies(&store, LAST, "skew"), Vec::<Value>::new());
    let gaps = store.run(&["gaps", "--format", "ndjson"]);
    assert_eq!((gaps.stdout.as_str(), gaps.stderr.contains("clock")), ("", false), "{}", gaps.stderr);
    let handoffs = lines(&store.output(&["handoffs", "--format", "ndjson"]));
    assert!(handoffs.iter().all(|one| one["p99_ms"].as_f64().unwrap() < 1_000.0), "{handoffs:#?}");
    let clocks = store.output(&["query", "clocks", "--format", "ndjson"]);
    assert_eq!(clocks, "");
}

/// Its events lie in the range in which they happened, not in the one that its clock says, or in none.
#[test]
fn a_wrong_clock_moves_nothing_between_the_ranges_that_are_compared() {
    for off in [40 * MINUTE, -25 * MINUTE] {
        let begun = LAST - 20 * MINUTE;
        let (_redis, store) = system(&[("w3-2", off, begun, LAST)]).stored();
        let found = ask(&store, LAST, &["changes", "--last", "20m"]);
        assert_eq!(found["changes"], serde_json::json!([]), "{off}: {found:#}");
        let notes: Vec<&str> = found["notes"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(notes.len() == 1 && notes[0].starts_with("the clock of w3-2 is at least "), "{off}: {notes:#?}");
    }
}

/// Health has no `--now`: what it looks at has to have happened just now.
#[test]
fn health_needs_a_look_while_a_clock_is_ahead() {
    let redis = crate::support::Redis::start();
    let store = crate::support::Store::of(&redis);
    let collector = store.collect(&[]);
    let add = |worker: &str, ahead_ms: i64| {
        let now_ms = jiff::Timestamp::now().as_millisecond();
        let mut pipe = redis::pipe();
        for _ in 0..60 {
            let add = pipe.cmd("XADD").arg("emp:events").arg("*").arg(&["service", "worker", "workerId", worker]);
            add.arg(&["eventType", "worker.heartbeat", "timestamp", &(now_ms + ahead_ms).to_string()]).ignore();
        }
        pipe.query::<()>(&mut redis.connection()).unwrap();
    };
    add("w1-1", 45_000);
    add("w2-1", 0);
    let clocks = || {
        let ended = store.run(&["health", "--format", "json"]);
        let checks: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap();
        let clocks = checks.into_iter().find(|check| check["check"] == "clocks");
        (ended.status, clocks.map(|check| (check["status"].clone(), check["detail"].clone())))
    };
    crate::support::eventually("the clock is seen", || clocks().1.is_some());
    let (status, clock) = clocks();
    let (state, detail) = clock.unwrap();
    assert_eq!((status, state), (1, Value::from("degraded")), "{detail}");
    assert!(detail.as_str().unwrap().contains("the clock of w1-1"), "{detail}");
    add("w1-1", 0);
    crate::support::eventually("it has been put right", || clocks().1.is_none_or(|(status, _)| status == "good"));
    assert_eq!(collector.stop(), 0);
}
