//! Where events go while Redis cannot take them.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use common::{PATIENCE, SECOND, Server, assert_adds_up, builder, emit, wait_until};
use emp_events_client::{Reason, Stats};
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
    let client = builder(&server.url()).spool_dir(folder.path()).memory_check(Duration::ZERO).build().unwrap();
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
fn a_long_outage_fills_the_spool_and_files_keep_to_their_size() {
    let mut server = Server::start(&[]);
    server.stop();
    let folder = tempfile::tempdir().unwrap();
    let client =
        builder(&server.url()).spool_dir(folder.path()).max_spool_file_bytes(2_000).queue(40, 1 << 20).build().unwrap();
    emit(&client, 30);
    // Three attempts in vain, and the circuit is open.
    wait_until("the spool is written", || {
        emit(&client, usize::from(client.stats().queued < 40));
        client.stats().spooled >= 60
    });
    client.close(Duration::ZERO);
    let (found, stats) = (files(folder.path()), client.stats());
    found.iter().for_each(|(name, lines)| assert_well_formed(name, lines));
    assert_eq!(found.iter().map(|(_, lines)| lines.len() as u64).sum::<u64>(), stats.spooled);
    assert_eq!((stats.spooled, stats.queued), (stats.emitted, 0), "{stats:?}");
    let sizes = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
    assert!(sizes.max().unwrap() <= 2_000);
}

/// What a process spools that meets no Redis, and ends.
fn crash(folder: &Path) -> Stats {
    let client = builder("redis://127.0.0.1:1").spool_dir(folder).max_spool_bytes(400_000).build().unwrap();
    emit(&client, 500);
    client.close(Duration::ZERO);
    assert_adds_up(client.stats());
    client.stats()
}

#[test]
fn a_folder_holds_so_many_bytes_and_takes_more_once_files_are_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let held = || std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
    let stats: Vec<Stats> = (0..12).map(|_| crash(folder.path())).collect();
    assert_eq!((stats[0].spooled, stats[11].dropped_by(Reason::SpoolFull)), (500, 500), "{stats:?}");
    assert!(held().sum::<u64>() <= 400_000);
    let imported = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap();
    std::fs::remove_file(imported.path()).unwrap();
    assert!(crash(folder.path()).spooled > 0);
    assert!(held().sum::<u64>() <= 400_000);
}

#[test]
fn small_files_are_few() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..6 {
        std::fs::write(folder.path().join(format!("emp-events-other-7-{n:016x}.ndjson")), "").unwrap();
    }
    std::fs::write(folder.path().join("something-else.ndjson"), "x".repeat(1_000_000)).unwrap();
    assert_eq!(crash(folder.path()).dropped_by(Reason::SpoolFull), 500);
}

#[test]
fn nobody_but_the_service_itself_reads_what_it_spooled() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made").join("here");
    assert_eq!(crash(&made).spooled, 500);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let file = std::fs::read_dir(&made).unwrap().next().unwrap().unwrap().path();
    assert_eq!((mode(&made), mode(&file)), (0o700, 0o600));
}

/// Spools ten events, changes the file, and spools ten more: the lines of the newer file.
fn after_a_change(change: impl Fn(&Path)) -> usize {
    let server = Server::start(&["--maxmemory", "100kb", "--maxmemory-policy", "noeviction"]);
    let folder = tempfile::tempdir().unwrap();
    let client = builder(&server.url()).spool_dir(folder.path()).build().unwrap();
    emit(&client, 10);
    wait_until("ten are spooled", || client.stats().spooled == 10);
    let first = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    change(&first);
    emit(&client, 20);
    wait_until("all are spooled", || client.stats().spooled == 30);
    let mut paths = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let second = paths.find(|path| *path != first).unwrap();
    std::fs::read_to_string(second).unwrap().lines().count()
}

#[test]
fn a_file_that_was_taken_away_is_written_no_more() {
    assert_eq!(after_a_change(|path| std::fs::remove_file(path).unwrap()), 20);
}

#[test]
fn a_file_that_was_emptied_is_written_no_more() {
    assert_eq!(after_a_change(|path| std::fs::write(path, "").unwrap()), 20);
}

#[test]
fn a_file_that_was_not_written_for_long_is_written_no_more() {
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(3_600);
    let change =
        |path: &Path| std::fs::File::options().append(true).open(path).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(after_a_change(change), 20);
}

#[test]
fn what_is_left_at_the_end_goes_to_the_spool() {
    let mut server = Server::start(&[]);
    server.stop();
    let folder = tempfile::tempdir().unwrap();
    let client = builder(&server.url()).spool_dir(folder.path()).build().unwrap();
    emit(&client, 25);
    assert!(!client.close(SECOND / 4));
    assert_eq!(client.stats().queued, 0);
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
    assert!(!client.close(SECOND / 4));
    assert_eq!(client.stats().queued, 0);
    assert_eq!(client.stats().dropped_by(Reason::SpoolFailed), 25);
    assert_adds_up(client.stats());
}
