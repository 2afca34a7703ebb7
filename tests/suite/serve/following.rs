//! Events as they come: none is missed and none doubled, whatever is restarted meanwhile.

use std::collections::HashSet;

use super::scene::{Server, Stream};
use crate::support::{Persistence, Redis, Store, eventually};

/// Reads what comes after that ID into `seen`, until the stream ends or `is_enough`.
fn follow(server: &Server, after: &mut Option<String>, seen: &mut Vec<String>, is_enough: impl Fn(&[String]) -> bool) {
    let header = after.as_ref().map(|id| format!("Last-Event-ID: {id}"));
    let headers: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut stream = Stream::of(server.open("/api/v1/tail?service=a", &headers));
    while !is_enough(seen) {
        let Some(message) = stream.next() else { return };
        assert_eq!(message.event, "events", "{message:?}");
        let rows: serde_json::Value = serde_json::from_str(&message.data).unwrap();
        let rows = rows.as_array().unwrap();
        assert!(!rows.is_empty() && rows.len() <= 200);
        let ids: Vec<String> = rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(message.id.as_ref(), ids.last());
        seen.extend(ids);
        *after = message.id;
    }
}

fn add(redis: &mut redis::Connection, service: &str, number: usize) -> Option<String> {
    let mut add = redis::cmd("XADD");
    add.arg("emp:events").arg("*").arg("service").arg(service).arg("eventType").arg("job.progress_updated");
    add.arg("jobId").arg(format!("job_{number}")).arg("data").arg("{}").query(redis).ok()
}

#[test]
fn whoever_comes_back_misses_nothing_and_sees_nothing_twice() {
    let mut redis = Redis::start_with(Persistence::Full);
    let store = Store::of(&redis);
    let mut collector = store.collect(&[]);
    eventually("the store is there", || store.path().exists());
    let mut server = Server::start(store.command(&[]), &[]);
    let (mut after, mut seen) = (Some("0-0".to_owned()), Vec::new());
    let mut expected = Vec::new();
    for round in 0..6 {
        let mut connection = redis.connection();
        for number in 0..300 {
            expected.extend(add(&mut connection, "a", number));
            add(&mut connection, "b", number);
        }
        let enough = expected.len() - if round % 2 == 0 { 0 } else { 120 };
        follow(&server, &mut after, &mut seen, |seen| seen.len() >= enough);
        match round {
            0 => server = server.start_again(store.command(&[]), &[]),
            1 => {
                assert_eq!(collector.stop(), 0);
                collector = store.collect(&[]);
            }
            2 => {
                redis.stop();
                redis.start_again();
            }
            _ => {}
        }
        eventually("all is stored", || redis.has_read_all() && redis.pending() == 0);
        if round == 4 {
            // What the stream has no more the store has.
            redis.command::<u64>("XTRIM emp:events MAXLEN 3");
        }
    }
    follow(&server, &mut after, &mut seen, |seen| seen.len() >= expected.len());
    assert_eq!(seen.len(), expected.len());
    assert_eq!(seen, expected);
    drop(collector);
}

/// The stream that is open goes on by itself where Redis comes back.
#[test]
fn a_stream_that_is_open_goes_on_when_redis_comes_back() {
    let mut redis = Redis::start_with(Persistence::Full);
    let store = Store::of(&redis);
    let _collector = store.collect(&[]);
    eventually("the store is there", || store.path().exists());
    let server = Server::start(store.command(&[]), &[]);
    let mut stream = Stream::of(server.open("/api/v1/tail?service=a&after=0-0", &[]));
    let first = add(&mut redis.connection(), "a", 1);
    assert_eq!(stream.next().unwrap().id, first);
    redis.stop();
    redis.start_again();
    let second = add(&mut redis.connection(), "a", 2);
    assert_eq!(stream.next().unwrap().id, second);
}

#[test]
fn what_was_trimmed_before_anybody_read_it_is_counted_where_it_was() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let server = Server::start(store.command(&[]), &[]);
    let mut connection = redis.connection();
    let first = add(&mut connection, "a", 0);
    let mut stream = Stream::of(server.open("/api/v1/tail?after=0-0", &[]));
    assert_eq!(stream.next().unwrap().id, first);
    // In one transaction, so that nobody reads between.
    let mut lost = redis::pipe();
    lost.atomic();
    for number in 0..50 {
        lost.cmd("XADD").arg("emp:events").arg("*").arg("service").arg("a").arg("eventType").arg("job.failed");
        lost.arg("jobId").arg(format!("job_{number}")).ignore();
    }
    lost.cmd("XTRIM").arg("emp:events").arg("MAXLEN").arg(5).ignore();
    lost.query::<()>(&mut connection).unwrap();
    let said = stream.next().unwrap();
    let gap: serde_json::Value = serde_json::from_str(&said.data).unwrap();
    assert_eq!(
        (said.event.as_str(), &gap["n"], gap["after"].as_str()),
        ("lost", &serde_json::json!(45), first.as_deref())
    );
    let rest = stream.next().unwrap();
    let rows: serde_json::Value = serde_json::from_str(&rest.data).unwrap();
    assert_eq!((rest.event.as_str(), rows.as_array().unwrap().len()), ("events", 5));
    assert_eq!(gap["before"], rows[0]["id"]);
}

#[test]
fn where_there_is_no_redis_the_store_tells() {
    let store = Store::at("redis://127.0.0.1:1".to_owned());
    let simulated = store.run(&["simulate", "--into", store.path().to_str().unwrap(), "--hours", "2", "--seed", "7"]);
    assert_eq!(simulated.status, 0, "{}", simulated.stderr);
    let all = store.output(&["sql", "--format", "csv", "select id from events order by ingested_at, length(id), id"]);
    let all: Vec<&str> = all.lines().skip(1).collect();
    let server = Server::start(store.command(&[]), &[]);
    let middle = all.len() / 2;
    let mut stream = Stream::of(server.open(&format!("/api/v1/tail?after={}", all[middle]), &[]));
    let mut seen = Vec::new();
    while seen.len() < all.len() - middle - 1 {
        let message = stream.next().unwrap();
        let rows: serde_json::Value = serde_json::from_str(&message.data).unwrap();
        seen.extend(rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen, all[middle + 1..]);
}

#[test]
fn rows_are_those_of_a_search_and_more_than_wanted_is_counted() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let _collector = store.collect(&[]);
    eventually("the store is there", || store.path().exists());
    let server = Server::start(store.command(&[]), &[]);
    let mut connection = redis.connection();
    let mut expected: HashSet<String> = (0..500).filter_map(|number| add(&mut connection, "a", number)).collect();
    eventually("all is stored", || store.events() == 500);
    let mut stream = Stream::of(server.open("/api/v1/tail?after=0-0&rate=100", &[]));
    let (mut shown, mut more) = (0, 0);
    while shown + more < 500 {
        let message = stream.next().unwrap();
        let data: serde_json::Value = serde_json::from_str(&message.data).unwrap();
        match message.event.as_str() {
            "events" => {
                for row in data.as_array().unwrap() {
                    let id = row["id"].as_str().unwrap();
                    assert!(expected.remove(id), "{id} twice");
                    if shown == 0 {
                        let searched = server.get(&format!("/api/v1/events?filter=id%3D{id}")).json();
                        assert_eq!(&searched[0], row);
                    }
                    shown += 1;
                }
            }
            "more" => more += data["n"].as_u64().unwrap(),
            other => panic!("{other}"),
        }
    }
    assert_eq!((shown + more, expected.len() as u64), (500, more));
    assert!(more > 0);
}
