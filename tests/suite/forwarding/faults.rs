//! Every answer that a backend may give, and what becomes of the events.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use jiff::fmt::rfc2822::DateTimePrinter;

use super::otlp::Taken;
use super::scene::{Scene, forward, jobs};
use super::stub::{Answer, Stub};
use crate::support::{Port, eventually, run};

/// The time that long from now as HTTP writes it, which knows whole seconds alone.
fn http_date(from_now: Duration) -> String {
    let then = jiff::Timestamp::try_from(SystemTime::now() + from_now).unwrap();
    DateTimePrinter::new().timestamp_to_rfc9110_string(&then).unwrap()
}

#[test]
fn a_busy_backend_is_given_the_time_it_asks_for() {
    let forms: [fn() -> String; 2] = [|| "1".to_owned(), || http_date(Duration::from_secs(2))];
    for retry_after in forms {
        let scene = Scene::with_events(10);
        let is_busy = AtomicBool::new(true);
        // A date is that long from the answer on, however long the first request took to come.
        scene.stub.answer(move |_| match is_busy.swap(false, SeqCst) {
            true => Answer::Later(429, retry_after()),
            false => Answer::Accept,
        });
        scene.forward_all(&[]);
        let [first, second]: [Taken; 2] = scene.stub.requests().try_into().unwrap();
        let waited = second.at - first.at;
        assert!(waited >= Duration::from_millis(990), "waited {waited:?} of `{}`", retry_after());
        assert_eq!(first.body, second.body, "the same batch");
        scene.assert_arrived_once(0..10);
        assert!(scene.count("retried") > 0);
        assert_eq!(scene.pending(), 0);
    }
}

#[test]
fn a_failing_backend_is_asked_again_until_it_takes_the_batch() {
    let scene = Scene::with_events(10);
    scene.stub.answer_next([502, 503, 504, 429].map(Answer::Refuse));
    scene.forward_all(&["--requests", "1"]);
    assert_eq!(scene.stub.request_count(), 5);
    scene.assert_arrived_once(0..10);
    assert_eq!((scene.count("sent"), scene.count("dead"), scene.pending()), (10, 0, 0));
    assert!(scene.count("retried") > 0);
}

#[test]
fn a_connection_that_breaks_is_made_again() {
    let scene = Scene::with_events(200);
    scene.stub.answer_next([Answer::Reset, Answer::CutOff, Answer::Reset]);
    scene.forward_all(&["--batch-events", "200", "--requests", "1"]);
    scene.assert_arrived_once(0..200);
    assert!(scene.count("retried") > 0);
    assert!(scene.health()["detail"].as_str().unwrap().contains("last error"), "{}", scene.health());
}

#[test]
fn a_backend_that_is_not_there_is_waited_for() {
    let scene = Scene::with_events(10);
    let port = Port::claim();
    let url = format!("http://127.0.0.1:{}", port.number);
    let forwarder = scene.store.background(&mut forward(&scene.store, &["--endpoint", &url]));
    forwarder.says("cannot connect");
    let stub = Stub::start_at(port.number);
    eventually("all arrive", || stub.records().len() == 10);
    assert_eq!(forwarder.stop(), 0);
    assert_eq!((scene.count("sent"), scene.pending()), (10, 0));
}

#[test]
fn an_answer_that_never_ends_is_not_waited_for() {
    let scene = Scene::with_events(10);
    scene.stub.answer_next([Answer::NeverEnding]);
    scene.forward_all(&["--timeout", "500ms"]);
    // An answer that a busy machine gives too late has been to no avail, too.
    assert!(scene.stub.request_count() >= 2);
    scene.assert_all_arrived(0..10);
    assert!(scene.count("retried") > 0);
}

#[test]
fn what_the_backend_took_only_in_part_is_final_and_counted() {
    let scene = Scene::with_events(10);
    scene.stub.answer_next([Answer::AcceptWithout(3, "three of them have no body")]);
    scene.forward_all(&[]);
    assert_eq!(scene.stub.request_count(), 1, "it is not sent again");
    assert_eq!((scene.count("refused"), scene.count("dead"), scene.pending()), (3, 0, 0));
    assert!(scene.health().to_string().contains("three of them have no body"), "{}", scene.health());
}

#[test]
fn a_bad_event_is_found_and_put_aside_until_it_is_sent_by_hand() {
    let scene = Scene::with_events(40);
    scene.stub.answer(|taken| if taken.holds("job_7") { Answer::Refuse(400) } else { Answer::Accept });
    scene.forward_all(&[]);
    let others: Vec<String> = jobs(0..40).into_iter().filter(|job| job != "job_7").collect();
    let mut arrived = scene.arrived();
    arrived.sort_by_key(|job| job[4..].parse::<usize>().unwrap());
    assert_eq!(arrived, others, "each of the others once");
    assert_eq!((scene.count("sent"), scene.count("dead"), scene.pending()), (39, 1, 0));
    let dead = "select id, event_type, service, event, reason from dead_letters";
    let dead: serde_json::Value =
        serde_json::from_str(&scene.store.output(&["sql", "--format", "json", dead])).unwrap();
    let [letter] = dead.as_array().unwrap().as_slice() else { panic!("{dead}") };
    assert_eq!(letter["id"].as_str(), Some(scene.redis.ids()[7].as_str()));
    assert_eq!((letter["event_type"].as_str(), letter["service"].as_str()), (Some("job.claimed"), Some("worker")));
    assert!(letter["event"].to_string().contains("job_7"), "{letter}");
    assert!(letter["reason"].to_string().contains("400"), "{letter}");

    // As long as it is refused it stays; once it is taken it goes.
    let mut replay = scene.forward(&["--replay-dead-letters"]);
    run(&mut replay);
    assert_eq!(scene.store.number("select count(*) from dead_letters"), 1);
    scene.stub.answer(|_| Answer::Accept);
    let ended = run(&mut replay);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    scene.assert_arrived_once(0..40);
    assert_eq!(scene.store.number("select count(*) from dead_letters"), 0);
}

#[test]
fn a_damaged_dead_letter_does_not_hold_back_the_others() {
    let scene = Scene::with_events(5);
    scene.stub.answer(|_| Answer::Refuse(400));
    scene.forward_all(&[]);
    let folder = scene.store.path().join("_dead_letters");
    let mut letters: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|letter| letter.unwrap().path()).collect();
    letters.sort();
    std::fs::write(&letters[1], "no letter\n").unwrap();
    scene.stub.answer(|_| Answer::Accept);
    let ended = run(&mut scene.forward(&["--replay-dead-letters"]));
    assert_eq!(ended.status, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("is damaged: line 1"), "{}", ended.stderr);
    assert_eq!(scene.arrived(), ["job_0", "job_2", "job_3", "job_4"]);
    assert!(letters[1].exists() && std::fs::read_dir(&folder).unwrap().count() == 1);
}

#[test]
fn a_backend_that_breaks_is_given_time_before_an_event_is_taken_for_bad() {
    let scene = Scene::with_events(10);
    scene.stub.answer_next([500, 500, 501].map(Answer::Refuse));
    scene.forward_all(&["--requests", "1"]);
    scene.assert_arrived_once(0..10);
    assert_eq!((scene.count("sent"), scene.count("dead"), scene.pending()), (10, 0, 0));

    scene.add(10..20, 100);
    scene.stub.answer(|taken| if taken.holds("job_13") { Answer::Refuse(500) } else { Answer::Accept });
    scene.forward_all(&["--requests", "1"]);
    assert_eq!((scene.count("sent"), scene.count("dead"), scene.pending()), (19, 1, 0));
    assert_eq!(scene.store.number("select count(*) from dead_letters where reason like '500%'"), 1);
}

#[test]
fn a_span_that_was_refused_stays_a_dead_letter() {
    let scene = Scene::new();
    for event_type in ["job.started", "job.completed"] {
        scene.store.output(&["emit", event_type, "--service", "worker", "--job-id", "job_1"]);
    }
    scene.stub.answer(|taken| if taken.spans().is_empty() { Answer::Accept } else { Answer::Refuse(400) });
    scene.forward_all(&["--signals", "both"]);
    let dead = "select count(*) from dead_letters where signal = 'spans'";
    let refused = scene.store.number(dead);
    assert!(refused > 0);
    scene.stub.answer(|_| Answer::Accept);
    run(&mut scene.forward(&["--replay-dead-letters"]));
    assert_eq!(scene.store.number(dead), refused, "it cannot be made again from its last event");
    assert!(scene.stub.spans().is_empty());
}

#[test]
fn an_event_is_dead_once_even_where_its_record_and_its_span_are_refused() {
    let scene = Scene::new();
    // One batch, in which what is refused as a span stands behind what is refused as a record.
    for event_type in ["job.started", "job.completed"] {
        for job in ["job_1", "job_2"] {
            scene.store.output(&["emit", event_type, "--service", "worker", "--job-id", job]);
        }
    }
    scene.stub.answer(|_| Answer::Refuse(400));
    scene.forward_all(&["--signals", "both"]);
    assert_eq!((scene.count("sent"), scene.count("dead"), scene.pending()), (0, 4, 0));
    assert_eq!(scene.store.number("select count(distinct id) from dead_letters"), 4);
    assert!(scene.store.number("select count(*) from dead_letters") > 4, "of some both are kept");
}

#[test]
fn a_batch_that_is_too_large_is_split() {
    let scene = Scene::with_events(40);
    scene.stub.answer(|taken| if taken.records().len() > 6 { Answer::Refuse(413) } else { Answer::Accept });
    scene.forward_all(&[]);
    scene.assert_arrived_once(0..40);
    assert_eq!((scene.count("sent"), scene.count("dead"), scene.pending()), (40, 0, 0));
}

#[test]
fn an_event_that_is_too_large_by_itself_holds_nothing_up() {
    let scene = Scene::with_events(10);
    scene.stub.answer(|taken| if taken.holds("job_3") { Answer::Refuse(413) } else { Answer::Accept });
    scene.forward_all(&[]);
    assert_eq!(scene.arrived().len(), 9);
    assert_eq!((scene.count("sent"), scene.count("dead"), scene.pending()), (9, 1, 0));
}

#[test]
fn whoever_refuses_the_key_gets_nothing_acknowledged_until_it_takes_the_key() {
    for status in [401, 403, 404] {
        let scene = Scene::with_events(10);
        scene.stub.answer(move |_| Answer::Refuse(status));
        let forwarder = scene.start(&[]);
        forwarder.says(&status.to_string());
        eventually("health says so", || scene.health()["status"] != "good");
        assert!(scene.health()["detail"].as_str().unwrap().contains(&status.to_string()), "{}", scene.health());
        assert_eq!((scene.count("sent"), scene.count("dead"), scene.pending()), (0, 0, 10));

        scene.stub.answer(|_| Answer::Accept);
        eventually("it goes on", || scene.stub.records().len() == 10);
        assert_eq!(forwarder.stop(), 0);
        scene.assert_arrived_once(0..10);
        assert_eq!((scene.count("sent"), scene.pending()), (10, 0));
        assert_eq!(scene.health()["status"], "good", "{}", scene.health());
    }
}

#[test]
fn nobody_waits_for_a_key_to_be_taken_after_all_where_a_person_waits() {
    let scene = Scene::with_events(10);
    scene.store.output(&["collect", "--once"]);
    scene.stub.answer(|taken| if taken.holds("job_7") { Answer::Refuse(400) } else { Answer::Accept });
    scene.forward_all(&[]);
    scene.add(10..20, 100);
    scene.stub.answer(|_| Answer::Refuse(401));
    for words in ["--once", "--from-store", "--replay-dead-letters"] {
        let ended = run(&mut scene.forward(&[words]));
        assert_eq!(ended.status, 1, "{words}: {}", ended.stderr);
        let last = ended.stderr.lines().last().unwrap();
        assert!(last.contains("401") && last.contains("check endpoint and key"), "{words}: {last}");
    }
    assert_eq!((scene.count("sent"), scene.count("dead"), scene.pending()), (9, 1, 10), "nothing was acknowledged");
    scene.stub.answer(|_| Answer::Accept);
    scene.forward_all(&[]);
    assert_eq!(scene.count("sent"), 19);
}

/// What a proxy or a portal says where no receiver is.
const PAGE: Answer =
    Answer::Say { status: 200, content_type: "text/html; charset=utf-8", body: "<html>Sign in</html>", takes: false };

#[test]
fn a_page_of_some_other_server_is_no_answer() {
    let scene = Scene::with_events(10);
    scene.stub.answer(|_| PAGE);
    let forwarder = scene.start(&[]);
    forwarder.says("text/html");
    eventually("health says so", || scene.health()["status"] != "good");
    assert!(scene.health()["detail"].as_str().unwrap().contains("text/html"), "{}", scene.health());
    assert_eq!((scene.count("sent"), scene.count("dead"), scene.pending()), (0, 0, 10));
    scene.stub.answer(|_| Answer::Accept);
    eventually("it goes on", || scene.count("sent") == 10);
    assert_eq!(forwarder.stop(), 0);
    scene.assert_arrived_once(0..10);
    assert_eq!(scene.health()["status"], "good", "{}", scene.health());
}

#[test]
fn a_page_that_goes_away_is_waited_out_and_one_that_stays_is_an_error() {
    let scene = Scene::with_events(10);
    scene.stub.answer_next([PAGE]);
    scene.forward_all(&[]);
    scene.assert_arrived_once(0..10);
    scene.add(10..20, 100);
    scene.stub.answer(|_| PAGE);
    let ended = run(&mut scene.forward(&["--once"]));
    assert_eq!(ended.status, 1, "{}", ended.stderr);
    assert!(ended.stderr.lines().last().unwrap().contains("text/html"), "{}", ended.stderr);
    assert_eq!((scene.count("sent"), scene.pending()), (10, 10));
}

#[test]
fn answers_of_every_kind_that_receivers_give_are_understood() {
    let say = |status, content_type, body| Answer::Say { status, content_type, body, takes: true };
    let partial = r#"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"two are too old"}}"#;
    for (answer, refused) in [
        (say(204, "", ""), 0),
        (say(200, "", ""), 0),
        (say(200, "text/plain", ""), 0),
        (say(202, "application/json", "{}"), 0),
        (say(200, "application/json; charset=utf-8", partial), 2),
        (say(200, "", partial), 2),
    ] {
        let scene = Scene::with_events(5);
        scene.stub.answer_next([answer]);
        scene.forward_all(&[]);
        assert_eq!(scene.stub.request_count(), 1);
        assert_eq!((scene.count("sent"), scene.count("refused"), scene.pending()), (5 - refused, refused, 0));
    }
}
