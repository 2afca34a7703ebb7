//! A backend that is away for longer than Redis keeps an event: the store has what was trimmed.

use super::scene::{Scene, jobs};
use super::stub::Answer;
use crate::support::{Daemon, eventually};

/// More than a forwarder takes into memory.
const LENGTH: usize = 3_000;

#[test]
fn what_redis_trimmed_three_times_over_meanwhile_comes_from_the_store_in_order() {
    let scene = Scene::new();
    let collector = scene.store.collect(&[]);
    scene.stub.answer(|_| Answer::Refuse(503));
    let forwarder = scene.start(&["--requests", "1", "--batch-events", "200"]);
    for round in 0..4 {
        scene.add(round * LENGTH..(round + 1) * LENGTH, LENGTH);
        eventually("it is stored", || scene.store.events() == ((round + 1) * LENGTH) as u64);
    }
    assert_eq!(scene.count("sent"), 0);
    scene.stub.answer(|_| Answer::Accept);
    eventually("all arrive", || scene.count("sent") >= 4 * LENGTH as u64);
    forwarder.says("the stream trimmed");
    // What comes after that comes from the stream again.
    let all = 4 * LENGTH + 50;
    scene.add(4 * LENGTH..all, LENGTH);
    eventually("the new ones too", || scene.count("sent") >= all as u64);
    assert_eq!(forwarder.stop(), 0);
    assert_eq!(collector.stop(), 0);
    scene.assert_arrived_in_order(0..all);
    assert_eq!((scene.count("sent"), scene.count("missing"), scene.count("too_old")), (all as u64, 0, 0));
    assert_eq!(scene.pending(), 0);
}

#[test]
fn a_forwarder_that_was_away_itself_catches_up_from_the_store() {
    let scene = Scene::with_events(100);
    scene.store.output(&["collect", "--once"]);
    scene.forward_all(&[]);
    for round in 1..5 {
        scene.add(round * 100..(round + 1) * 100, 100);
        scene.store.output(&["collect", "--once"]);
    }
    scene.forward_all(&["--requests", "1"]);
    scene.assert_arrived_in_order(0..500);
    assert_eq!((scene.count("sent"), scene.count("missing")), (500, 0));
    scene.forward_all(&[]);
    assert_eq!(scene.arrived().len(), 500);
}

/// What the store has of the life before was sent, and is not what the new one has trimmed.
#[test]
fn of_a_stream_that_begins_anew_only_what_it_trimmed_comes_from_the_store() {
    let scene = Scene::new();
    scene.add_hours_ago(1, 0..20, 100);
    scene.store.output(&["collect", "--once"]);
    let forwarder = scene.start(&[]);
    eventually("all arrive", || scene.count("sent") == 20);
    scene.redis.command::<()>("FLUSHALL");
    eventually("it has made its group again", || scene.redis.command::<u64>("EXISTS emp:events") == 1);
    eventually("it has said so", || forwarder.log().matches("made the consumer group").count() == 2);
    forwarder.signal("STOP");
    scene.add(20..50, 100);
    scene.store.output(&["collect", "--once"]);
    scene.redis.command::<i64>("XTRIM emp:events MAXLEN 10");
    forwarder.signal("CONT");
    eventually("the new ones too", || scene.pending() == 0 && scene.arrived().len() >= 50);
    assert_eq!(forwarder.stop(), 0);
    scene.assert_arrived_once(0..50);
}

#[test]
fn what_neither_redis_nor_the_store_has_is_counted() {
    let scene = Scene::with_events(10);
    scene.forward_all(&[]);
    scene.add(10..110, 30);
    scene.forward_all(&[]);
    assert_eq!(scene.arrived(), [jobs(0..10), jobs(80..110)].concat());
    assert_eq!((scene.count("sent"), scene.count("missing")), (40, 70));
}

#[test]
fn what_is_older_than_the_backend_takes_is_counted_and_not_sent() {
    for (max_age, expected, too_old) in [("6h", [jobs(0..0), jobs(21..31)].concat(), 20), ("12h", jobs(1..31), 0)] {
        let scene = Scene::new();
        scene.add_hours_ago(8, 0..1, 100);
        scene.forward_all(&["--max-age", "12h", "--requests", "1"]);
        scene.add_hours_ago(7, 1..21, 100);
        scene.store.output(&["collect", "--once"]);
        scene.add(21..31, 10);
        scene.store.output(&["collect", "--once"]);
        scene.forward_all(&["--max-age", max_age, "--requests", "1"]);
        assert_eq!(scene.arrived(), [jobs(0..1), expected].concat(), "{max_age}");
        assert_eq!((scene.count("too_old"), scene.count("missing")), (too_old, 0), "{max_age}");
    }
}

/// A scene in which most of so many events is in the store alone, and a forwarder that has 10 of them.
fn scene_with_a_gap(events: usize) -> Scene {
    let scene = Scene::with_events(10);
    scene.store.output(&["collect", "--once"]);
    scene.forward_all(&[]);
    for first in (10..events).step_by(500) {
        scene.add(first..(first + 500).min(events), 500);
        scene.store.output(&["collect", "--once"]);
    }
    scene
}

#[test]
fn stopped_or_killed_within_a_gap_it_goes_on_there_at_the_next_start() {
    const ALL: usize = 4_010;
    let ends: [fn(Daemon); 2] = [|forwarder| assert_eq!(forwarder.stop(), 0), Daemon::crash];
    for end in ends {
        let scene = scene_with_a_gap(ALL);
        let mut taken = 10;
        // Within the gap, at its very end, and in what follows it.
        for requests in [1, 7, 62] {
            scene.stub.answer_next(vec![Answer::Accept; requests]);
            scene.stub.answer(|_| Answer::Refuse(503));
            let before = scene.stub.accepted().len();
            let forwarder = scene.start(&["--requests", "1", "--batch-events", "50"]);
            taken += 50 * requests;
            eventually("as much is taken as may be", || scene.stub.accepted().len() == before + requests);
            eventually("and known to be", || scene.count("sent") == taken as u64);
            assert!(taken > 3_500 || scene.count("trimmed") > 0, "{}", scene.health());
            end(forwarder);
            scene.stub.outlives_its_clients();
        }
        scene.stub.answer(|_| Answer::Accept);
        scene.forward_all(&["--requests", "1", "--batch-events", "50"]);
        scene.assert_arrived_in_order(0..ALL);
        let counts = ["sent", "missing", "trimmed"].map(|name| scene.count(name));
        assert_eq!((counts, scene.pending()), ([ALL as u64, 0, 0], 0));
    }
}

#[test]
fn a_last_start_that_is_stopped_within_a_gap_does_not_look_complete() {
    let scene = scene_with_a_gap(2_010);
    scene.stub.answer(|_| Answer::Refuse(503));
    let before = scene.stub.request_count();
    let forwarder = scene.start(&["--once", "--requests", "1", "--batch-events", "50"]);
    eventually("it is at work", || scene.stub.request_count() > before);
    assert_eq!(forwarder.stop(), 130);
    scene.stub.answer(|_| Answer::Accept);
    scene.forward_all(&["--requests", "1"]);
    scene.assert_arrived_in_order(0..2_010);
}

#[test]
fn what_was_trimmed_to_the_last_entry_comes_from_the_store() {
    let scene = Scene::with_events(10);
    scene.forward_all(&["--requests", "1"]);
    scene.add(10..60, 1_000);
    scene.store.output(&["collect", "--once"]);
    let _: i64 = scene.redis.command("XTRIM emp:events MAXLEN 0");
    scene.forward_all(&["--requests", "1"]);
    scene.assert_arrived_in_order(0..60);
    assert_eq!((scene.count("sent"), scene.count("missing")), (60, 0));
}

#[test]
fn what_was_read_and_trimmed_before_it_was_sent_comes_from_the_store() {
    let scene = Scene::new();
    scene.forward_all(&[]);
    scene.add(0..200, 1_000);
    scene.store.output(&["collect", "--once"]);
    scene.stub.answer(|_| Answer::Refuse(503));
    let forwarder = scene.start(&["--requests", "1", "--batch-events", "50"]);
    eventually("it has read them", || scene.pending() == 200);
    forwarder.crash();
    scene.stub.outlives_its_clients();
    scene.add(200..220, 20);
    scene.store.output(&["collect", "--once"]);
    scene.stub.answer(|_| Answer::Accept);
    scene.forward_all(&["--requests", "1"]);
    scene.assert_arrived_in_order(0..220);
    assert_eq!((scene.count("sent"), scene.count("missing"), scene.pending()), (220, 0, 0));
}

#[test]
fn what_was_imported_was_never_in_the_stream() {
    let scene = Scene::with_events(10);
    scene.forward_all(&["--requests", "1"]);
    let now = jiff::Timestamp::now().as_millisecond();
    let line = |number| {
        format!(
            "{{\"timestamp\":{now},\"service\":\"worker\",\"eventType\":\"job.claimed\",\"jobId\":\"i{number}\"}}\n"
        )
    };
    let lines: String = (0..20).map(line).collect();
    let file = scene.store.path().with_file_name("lines.ndjson");
    std::fs::write(&file, lines).unwrap();
    scene.store.output(&["import", file.to_str().unwrap()]);
    // What is added now lies behind what was imported.
    eventually("the clock goes on", || jiff::Timestamp::now().as_millisecond() > now);
    scene.add(10..20, 3);
    scene.forward_all(&["--requests", "1"]);
    assert_eq!(scene.arrived(), [jobs(0..10), jobs(17..20)].concat());
    assert_eq!((scene.count("sent"), scene.count("missing")), (13, 7));
}

/// Adds so many entries that are no events.
fn add_no_events(scene: &Scene, entries: usize) {
    for _ in 0..entries {
        let _: String = scene.redis.command("XADD emp:events * note hello");
    }
}

#[test]
fn what_is_no_event_is_not_missing_wherever_a_gap_is_interrupted() {
    let scene = Scene::with_events(10);
    scene.store.output(&["collect", "--once"]);
    scene.forward_all(&[]);
    for round in 0..8 {
        scene.add(10 + round * 100..110 + round * 100, 1_000);
        add_no_events(&scene, 1);
        scene.store.output(&["collect", "--once"]);
    }
    let _: i64 = scene.redis.command("XTRIM emp:events MAXLEN 0");
    // Stopped in the middle of what the store has.
    scene.stub.answer_next(vec![Answer::Accept; 8]);
    scene.stub.answer(|_| Answer::Refuse(503));
    let words = ["--requests", "1", "--batch-events", "50"];
    let forwarder = scene.start(&words);
    eventually("half of it is sent", || scene.count("sent") == 410);
    assert_eq!(forwarder.stop(), 0);
    scene.stub.outlives_its_clients();
    scene.stub.answer(|_| Answer::Accept);
    scene.forward_all(&words);
    scene.assert_arrived_in_order(0..810);
    let counts = || ["sent", "not_events", "missing", "trimmed"].map(|name| scene.count(name));
    assert_eq!((counts(), scene.pending()), ([810, 8, 0, 0], 0));
    // As long as no event is with them the journal alone has them.
    let collector = scene.store.collect(&[]);
    add_no_events(&scene, 3);
    eventually("they are in quarantine", || scene.store.number("select count(*) from quarantine") == 11);
    collector.crash();
    let _: i64 = scene.redis.command("XTRIM emp:events MAXLEN 0");
    scene.forward_all(&words);
    assert_eq!(counts(), [810, 11, 0, 0]);
}

#[test]
fn a_damaged_file_in_a_gap_costs_itself_only() {
    let scene = Scene::with_events(10);
    scene.forward_all(&["--requests", "1"]);
    for first in [10, 110, 210] {
        scene.add(first..first + 100, 100);
        scene.store.output(&["collect", "--once"]);
    }
    let path = "select path from files where rows = 100 order by first_id limit 1 offset 1";
    let path = scene.store.output(&["sql", "--format", "csv", path]);
    let path = path.lines().nth(1).unwrap();
    let half = std::fs::metadata(path).unwrap().len() / 2;
    std::fs::File::options().write(true).open(path).unwrap().set_len(half).unwrap();
    let ended = scene.forward_all(&["--requests", "1"]);
    assert_eq!(ended.stderr.matches("is damaged").count(), 1, "{}", ended.stderr);
    assert_eq!(scene.arrived(), [jobs(0..110), jobs(210..310)].concat());
    assert_eq!((scene.count("sent"), scene.count("missing"), scene.count("trimmed")), (210, 100, 0));
}
