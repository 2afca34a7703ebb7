//! A clock that is ahead is named by the finest name that has one clock, and makes no gaps.

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
fn a_machine_is_named_where_all_its_workers_agree() {
    let off: Vec<(&str, i64, i64, i64)> = WORKERS[1..].iter().map(|worker| (*worker, AHEAD, 0, LAST)).collect();
    let (_redis, store) = system(&off).stored();
    let skew = anomalies(&store, LAST, "skew");
    assert_eq!(skew.len(), 1, "{skew:#?}");
    assert_eq!((&skew[0]["subject"]["machine_id"], &skew[0]["subject"]["worker_id"]), (&"m3".into(), &Value::Null));
}

#[test]
fn a_clock_that_was_put_right_or_is_behind_is_no_alert() {
    let right = LAST - 3 * MINUTE;
    let (_redis, store) = system(&[("w3-2", AHEAD, 0, right), ("w1-1", -AHEAD, 0, LAST)]).stored();
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
    // One whose clock is behind is heard of by Redis' clock.
    let workers = ask(&store, LAST, &["workers"]);
    assert!(workers["workers"].as_array().unwrap().iter().all(|one| one["life"] == "alive"), "{workers:#}");
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
