//! What `close` gives up is counted before it returns, and nothing changes after it.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::time::Duration;

use common::{PATIENCE, Problems, Server, assert_adds_up, builder, emit, wait_until};
use emp_events_client::{EventClient, Reason, Stats};

const MOMENT: Duration = Duration::from_millis(50);

/// Closes a client whose events cannot all be sent: its counts at that moment.
#[track_caller]
fn closed(client: &EventClient, timeout: Duration) -> Stats {
    assert!(!client.close(timeout));
    let stats = client.stats();
    assert_eq!(stats.queued, 0, "{stats:?}");
    assert_adds_up(stats);
    stats
}

/// A server that is frozen after it has taken ten events of this client.
fn frozen(server: &Server) -> EventClient {
    let client = builder(&server.url()).build().unwrap();
    emit(&client, 10);
    assert!(client.flush(PATIENCE));
    server.signal("STOP");
    emit(&client, 50);
    client
}

#[test]
fn a_frozen_server_leaves_nothing_open() {
    let server = Server::start(&[]);
    let client = frozen(&server);
    let stats = closed(&client, MOMENT);
    assert_eq!(stats.dropped_by(Reason::Closed) + stats.dropped_by(Reason::Unanswered), 50, "{stats:?}");
    server.signal("CONT");
    wait_until("the server answers", || server.length() >= 10);
    assert_eq!(client.stats(), stats);
}

#[test]
fn a_frozen_server_and_a_runtime() {
    let server = Server::start(&[]);
    let client = frozen(&server);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(!runtime.block_on(client.close_async(MOMENT)));
    let stats = client.stats();
    assert_eq!((stats.queued, stats.dropped), (0, 50), "{stats:?}");
    assert_adds_up(stats);
}

#[test]
fn a_killed_server_leaves_nothing_open() {
    let mut server = Server::start(&[]);
    let problems = Problems::default();
    let client = problems.listen(builder(&server.url())).build().unwrap();
    emit(&client, 10);
    assert!(client.flush(PATIENCE));
    server.stop();
    emit(&client, 50);
    problems.wait();
    let stats = closed(&client, MOMENT);
    assert_eq!(stats.dropped_by(Reason::Closed), 50, "{stats:?}");
    server.restart();
    assert_eq!(client.stats(), stats);
}

#[test]
fn nobody_listens() {
    let client = builder("redis://127.0.0.1:1").build().unwrap();
    emit(&client, 50);
    assert_eq!(closed(&client, MOMENT).dropped_by(Reason::Closed), 50);
}

#[test]
fn a_server_that_refuses_leaves_nothing_open() {
    let server = Server::start(&[]);
    server.do_it(&["SET", "emp:events", "text"]);
    let client = builder(&server.url()).build().unwrap();
    emit(&client, 50);
    assert_eq!(closed(&client, PATIENCE).dropped_by(Reason::Refused), 50);
}

#[test]
fn an_event_after_close_is_counted() {
    let client = builder("redis://127.0.0.1:1").build().unwrap();
    assert!(client.close(MOMENT));
    emit(&client, 3);
    let stats = client.stats();
    assert_eq!((stats.dropped_by(Reason::Closed), stats.queued), (3, 0));
}
