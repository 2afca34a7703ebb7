//! `kill -9` at whatever point: nothing is forgotten, and nothing told that was known to be taken.

use std::time::Instant;

use super::scene::{Scene, WRONG};
use crate::forwarding::stub::Answer;
use crate::support::{PATIENCE, eventually, run};

const EXPECTED: usize = 3;

/// Starts a watch and kills it once that has happened, or it has ended.
fn killed_once(scene: &Scene, mut has_happened: impl FnMut() -> bool) {
    let mut watch = scene.telling(&["--once", "--now", WRONG]);
    let mut running = watch.stderr(std::process::Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !has_happened() && running.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < PATIENCE);
        std::hint::spin_loop();
    }
    let _ = running.kill();
    running.wait().unwrap();
    scene.stub.outlives_its_clients();
}

#[test]
fn while_the_receiver_is_away_nothing_is_forgotten() {
    let scene = Scene::new();
    scene.stub.answer(|_| Answer::Refuse(503));
    for requests in 1..=3 {
        let before = scene.stub.request_count();
        killed_once(&scene, || scene.stub.request_count() >= before + requests);
    }
    scene.stub.answer(|_| Answer::Accept);
    scene.look_at(WRONG, &[]);
    let times = scene.times_told();
    assert_eq!((times.len(), times.values().max()), (EXPECTED, Some(&1)), "{times:?}");
}

/// A request that was not answered is sent again, under the id that it had.
#[test]
fn what_was_under_way_is_sent_again_under_its_id() {
    let scene = Scene::new();
    // The head of an answer would be one: that the message was taken.
    scene.stub.answer(|_| Answer::NeverBeginning);
    killed_once(&scene, || scene.stub.request_count() >= 1);
    scene.stub.answer(|_| Answer::Accept);
    scene.look_at(WRONG, &[]);
    let ids: Vec<String> =
        scene.stub.requests().iter().map(|taken| taken.header("idempotency-key").to_owned()).collect();
    assert_eq!(ids.len(), EXPECTED + 1);
    assert_eq!(ids[0], ids[1]);
}

/// Killed at moments that lie close together over the whole of a look: of what was taken only the message under way may
/// be sent once more, since nobody can know whether its answer was read.
#[test]
fn killed_at_any_moment_each_message_is_told_and_one_a_kill_at_most_is_repeated() {
    let begun = Instant::now();
    let whole = Scene::new();
    whole.look_at(WRONG, &[]);
    let lasts = begun.elapsed();
    for part in 1..=12 {
        let scene = Scene::new();
        let (begun, after) = (Instant::now(), lasts * part / 12);
        killed_once(&scene, || begun.elapsed() >= after);
        scene.look_at(WRONG, &[]);
        let times = scene.times_told();
        assert_eq!(times.len(), EXPECTED, "{times:?}");
        let repeated: usize = times.values().map(|times| times - 1).sum();
        assert!(repeated <= 1, "killed after {after:?}: {times:?}");
        // What was told before is known now.
        scene.look_at(WRONG, &[]);
        assert_eq!(scene.times_told(), times);
    }
}

/// What it remembers may be damaged by hand: it says so, and tells what goes on once more.
#[test]
fn a_damaged_memory_is_said() {
    let scene = Scene::new();
    scene.look_at(WRONG, &[]);
    let note = scene.state().join("_notes/watch");
    assert!(note.exists());
    std::fs::write(&note, "{").unwrap();
    let ended = scene.look_at(WRONG, &[]);
    assert!(ended.stderr.contains("what it knew is told once more"), "{}", ended.stderr);
    assert_eq!(scene.told().len(), 2 * EXPECTED);
    // Where nothing can be remembered, nothing is told, rather than again and again.
    let taken = scene.stub.request_count();
    std::fs::remove_dir_all(scene.state().join("_notes")).unwrap();
    std::fs::write(scene.state().join("_notes"), "a file in its place").unwrap();
    let ended = run(scene.telling(&["--once", "--now", WRONG]).stderr(std::process::Stdio::piped()));
    assert_eq!(ended.status, 1);
    assert!(ended.stderr.contains("--state"), "{}", ended.stderr);
    assert_eq!(scene.stub.request_count(), taken);
}

/// Two that remember in one place would tell everything twice: the second says so, and ends.
#[test]
fn two_do_not_tell_by_one_memory() {
    let scene = Scene::new();
    // It goes on trying.
    scene.stub.answer(|_| Answer::Refuse(503));
    let mut first = scene.telling(&["--once", "--now", WRONG]);
    let mut first = first.stderr(std::process::Stdio::null()).spawn().unwrap();
    eventually("the first one tells", || scene.stub.request_count() >= 1);
    let second = run(&mut scene.telling(&["--once", "--now", WRONG]));
    assert_eq!(second.status, 1, "{}", second.stderr);
    assert!(second.stderr.contains("another `emp-events watch` remembers in"), "{}", second.stderr);
    first.kill().unwrap();
    first.wait().unwrap();
    scene.stub.answer(|_| Answer::Accept);
    scene.look_at(WRONG, &[]);
    assert_eq!(scene.times_told().len(), EXPECTED);
}
