//! Where events go while Redis cannot take them.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::path::Path;

use common::{PATIENCE, SECOND, Server, assert_adds_up, builder, emit, wait_until};
use emp_events_client::Reason;
use serde_json::Value;

/// The files, each with its lines, oldest first.
fn files(folder: &Path) -> Vec<(String, Vec<Value>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        files.push((path.file_name().unwrap().to_string_lossy().into_owned(), lines));
    }
    files.sort_by_key(|(_, lines): &(String, Vec<Value>)| lines[0]["data"]["number"].as_u64());
    files
}

#[track_caller]
fn assert_well_formed(name: &str, lines: &[Value]) {
    let spool = name.strip_suffix(".ndjson").unwrap().rsplit('-').next().unwrap();
    assert!(name.starts_with(&format!("emp-events-worker-{}-", std::process::id())) && spool.len() == 16, "{name}");
    let mut before = 0;
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(line["uid"], format!("{spool}:{}", index + 1));
        let spooled_at = line["spooledAt"].as_u64().unwrap();
        assert!(spooled_at >= before);
        before = spooled_at;
        let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
        let expected = ["uid", "spooledAt", "timestamp", "service", "eventType", "jobId", "level", "data"];
        assert_eq!(keys, expected);
    }
}

#[test]
fn no_memory_fills_the_spool() {
    let server = Server::start(&["--maxmemory", "100kb", "--maxmemory-policy", "noeviction"]);
    let folder = tempfile::tempdir().unwrap();
    let client = builder(&server.url()).spool_dir(folder.path()).memory_check(std::time::Duration::ZERO).build().unwrap();
    emit(&client, 300);
    assert!(!client.flush(PATIENCE), "they are safe, but not sent");
    assert_eq!(client.stats().spooled, 300, "{:?}", client.stats());
    let files = files(folder.path());
    assert_eq!((files.len(), files[0].1.len()), (1, 300));
    assert_well_formed(&files[0].0, &files[0].1);
    server.do_it(&["CONFIG", "SET", "maxmemory", "0"]);
    emit(&client, 10);
    assert!(client.flush(PATIENCE));
    assert_eq!((server.length(), client.stats().sent), (10, 10));
    assert_adds_up(client.stats());
}

#[test]
fn events_that_meet_full_memory_go_to_the_spool() {
    let server = Server::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let client = builder(&server.url()).spool_dir(folder.path()).build().unwrap();
    emit(&client, 10);
    assert!(client.flush(PATIENCE));
    server.do_it(&["CONFIG", "SET", "maxmemory", "100kb"]);
    emit(&client, 600);
    assert!(!client.flush(PATIENCE));
    assert_eq!((client.stats().sent, client.stats().spooled), (10, 600), "{:?}", client.stats());
    assert_adds_up(client.stats());
}

#[test]
fn a_long_outage_fills_the_spool_and_no_more_than_eight_files() {
    let mut server = Server::start(&[]);
    server.stop();
    let folder = tempfile::tempdir().unwrap();
    let client =
        builder(&server.url()).spool_dir(folder.path()).spool_file_bytes(1_000).queue(40, 1 << 20).build().unwrap();
    emit(&client, 30);
    // Three attempts in vain, and the circuit is open.
    wait_until("the spool is written", || {
        emit(&client, usize::from(client.stats().queued < 40));
        client.stats().spooled >= 30
    });
    let found = files(folder.path());
    assert!((2..=8).contains(&found.len()), "{}", found.len());
    found.iter().for_each(|(name, lines)| assert_well_formed(name, lines));
    for _ in 0..12 {
        emit(&client, 30);
        wait_until("there is room again", || client.stats().queued < 10);
    }
    assert_eq!(files(folder.path()).len(), 8);
    let stats = client.stats();
    assert!(stats.dropped_by(Reason::SpoolFull) > 50, "{stats:?}");
    assert_adds_up(stats);
}

#[test]
fn what_is_left_at_the_end_goes_to_the_spool() {
    let mut server = Server::start(&[]);
    server.stop();
    let folder = tempfile::tempdir().unwrap();
    let client = builder(&server.url()).spool_dir(folder.path()).build().unwrap();
    emit(&client, 25);
    client.close(SECOND / 4);
    wait_until("the thread ended", || client.stats().queued == 0);
    assert_eq!(client.stats().spooled, 25, "{:?}", client.stats());
    assert_eq!(files(folder.path())[0].1.len(), 25);
}

#[test]
fn a_folder_that_cannot_be_written_is_counted() {
    let mut server = Server::start(&[]);
    server.stop();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a file");
    std::fs::write(&file, "").unwrap();
    let client = builder(&server.url()).spool_dir(file.join("spool")).build().unwrap();
    emit(&client, 25);
    client.close(SECOND / 4);
    wait_until("the thread ended", || client.stats().queued == 0);
    assert_eq!(client.stats().dropped_by(Reason::SpoolFailed), 25);
    assert_adds_up(client.stats());
}
