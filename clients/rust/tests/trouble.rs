//! Whatever Redis does: no call fails or waits, nothing grows, and the counts add up.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::time::Duration;

use common::{PATIENCE, Problems, SECOND, Server, assert_adds_up, builder, client, data, emit, value, wait_until};
use emp_events_client::Reason;

#[test]
fn a_short_outage_loses_nothing() {
    let mut server = Server::start(&[]);
    let problems = Problems::default();
    let client = problems.listen(builder(&server.url())).build().unwrap();
    emit(&client, 10);
    assert!(client.flush(PATIENCE));
    assert_eq!(server.length(), 10);
    server.stop();
    emit(&client, 100);
    problems.wait();
    assert_eq!(client.stats().queued, 100);
    server.restart();
    assert!(client.flush(PATIENCE), "{:?}", client.stats());
    assert_eq!((server.length(), client.stats().sent), (100, 110));
    assert_adds_up(client.stats());
}

#[test]
fn a_long_outage_fills_the_queue_and_is_told_afterwards() {
    let mut server = Server::start(&[]);
    server.stop();
    let problems = Problems::default();
    let client = problems.listen(builder(&server.url()).queue(50, 1 << 20)).build().unwrap();
    emit(&client, 50);
    wait_until("the circuit is open", || {
        emit(&client, 1);
        client.stats().dropped_by(Reason::CircuitOpen) > 0
    });
    let before = client.stats();
    emit(&client, 20);
    let stats = client.stats();
    assert_eq!((stats.queued, stats.dropped), (50, before.dropped + 20), "{stats:?}");
    assert_eq!(stats.dropped_by(Reason::CircuitOpen), before.dropped_by(Reason::CircuitOpen) + 20);
    assert_eq!(problems.told().len(), 1);
    server.restart();
    assert!(client.flush(PATIENCE));
    wait_until("the loss is told", || server.length() == 51);
    let entries = server.entries();
    let loss = entries.iter().find(|it| value(it, "eventType") == Some("telemetry.dropped")).unwrap();
    assert_eq!(value(loss, "level"), Some("warn"));
    assert_eq!(data(loss)["dropped"], stats.dropped);
    assert_eq!(data(loss)["reasons"]["circuit_open"], stats.dropped_by(Reason::CircuitOpen));
    assert!(data(loss)["sinceMs"].as_u64().is_some());
    assert_adds_up(client.stats());
}

#[test]
fn a_frozen_server_costs_one_batch_and_no_call_waits() {
    let server = Server::start(&[]);
    let problems = Problems::default();
    let client = problems.listen(builder(&server.url()).answer_timeout(3 * SECOND)).build().unwrap();
    emit(&client, 10);
    assert!(client.flush(PATIENCE));
    server.signal("STOP");
    // A call that waited for the server would wait until it is woken below.
    emit(&client, 100);
    assert!(!client.flush(Duration::from_millis(200)));
    problems.wait();
    assert_adds_up(client.stats());
    server.signal("CONT");
    client.flush(PATIENCE);
    let stats = client.stats();
    assert_eq!(stats.queued, 0, "{stats:?}");
    assert_adds_up(stats);
    // Whether it was written or not is unknown to the client; it is never written twice.
    assert!((stats.sent..=stats.sent + stats.dropped_by(Reason::Unanswered)).contains(&server.length()));
}

#[test]
fn a_server_killed_again_and_again_doubles_nothing() {
    let mut server = Server::start(&[]);
    let client = builder(&server.url()).rate_limit(0, 0).build().unwrap();
    let mut written = 0;
    for _ in 0..3 {
        emit(&client, 2_000);
        wait_until("some are written", || server.length() > 0);
        written += server.length();
        server.signal("STOP");
        emit(&client, 200);
        server.stop();
        server.restart();
        client.flush(PATIENCE);
    }
    client.flush(PATIENCE);
    written += server.length();
    let stats = client.stats();
    assert_adds_up(stats);
    assert_eq!(stats.queued, 0);
    assert!(written <= stats.emitted, "{written} of {stats:?}");
}

#[test]
fn a_wrong_type_is_refused() {
    let server = Server::start(&[]);
    server.do_it(&["SET", "emp:events", "text"]);
    let client = client(&server.url());
    emit(&client, 20);
    assert!(!client.flush(PATIENCE));
    let stats = client.stats();
    assert_eq!(stats.dropped_by(Reason::Refused), 20, "{stats:?}");
    server.do_it(&["DEL", "emp:events"]);
    emit(&client, 5);
    assert!(client.flush(PATIENCE));
    wait_until("the loss is told", || server.length() == 6);
    assert_adds_up(client.stats());
}

#[test]
fn a_read_only_server_is_waited_for() {
    let server = Server::start(&[]);
    server.do_it(&["REPLICAOF", "127.0.0.1", "1"]);
    let client = client(&server.url());
    emit(&client, 20);
    assert!(!client.flush(Duration::from_millis(600)));
    assert_eq!(client.stats().queued, 20, "{:?}", client.stats());
    server.do_it(&["REPLICAOF", "NO", "ONE"]);
    assert!(client.flush(PATIENCE), "{:?}", client.stats());
    assert_eq!(server.length(), 20);
}

#[test]
fn no_memory_is_waited_for() {
    let server = Server::start(&["--maxmemory", "100kb", "--maxmemory-policy", "noeviction"]);
    let client = client(&server.url());
    emit(&client, 300);
    assert!(!client.flush(Duration::from_millis(500)));
    assert_eq!(client.stats().queued, 300, "{:?}", client.stats());
    assert_adds_up(client.stats());
    server.do_it(&["CONFIG", "SET", "maxmemory", "0"]);
    assert!(client.flush(PATIENCE));
    assert_eq!(server.length(), 300);
}

#[test]
fn an_acl_that_refuses() {
    let server = Server::start(&[]);
    server.do_it(&["ACL", "SETUSER", "writer", "on", ">pw", "~emp:events", "-@all", "+xadd"]);
    server.do_it(&["ACL", "SETUSER", "reader", "on", ">pw", "~emp:events", "-@all", "+xlen"]);
    let address = |user: &str| format!("redis://{user}:pw@127.0.0.1:{}", server.port);
    let writer = client(&address("writer"));
    emit(&writer, 10);
    assert!(writer.flush(PATIENCE), "{:?}", writer.stats());
    let reader = client(&address("reader"));
    emit(&reader, 10);
    assert!(!reader.flush(PATIENCE));
    assert_eq!(reader.stats().dropped_by(Reason::Refused), 10, "{:?}", reader.stats());
    // Nobody by that name: nothing is sent, and nothing lost yet.
    let nobody = client(&address("nobody"));
    emit(&nobody, 10);
    assert!(!nobody.flush(Duration::from_millis(300)));
    assert_eq!(nobody.stats().queued, 10, "{:?}", nobody.stats());
    assert!(!nobody.close(Duration::from_millis(100)));
    assert_eq!(nobody.stats().dropped_by(Reason::Closed), 10, "{:?}", nobody.stats());
}
