//! The power is cut after every single operation of a collector's life, and each operation fails
//! once: what was acknowledged is there, once, and what was not can be delivered again.
//!
//! All is seeded. A failure names its point and its cut, which `replay` in this file repeats.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::simulated_disk::{Change, Cut, Disk, SimulatedDisk};
use super::world::{Mark, Step, View, World, view};
use super::*;

const CUTS: [Cut; 6] = [Cut::Kill, Cut::Kept, Cut::Lost, Cut::Torn(1), Cut::Torn(2), Cut::Torn(3)];
/// Of so many crashes, one is followed by a second one during recovery, at each of its operations.
const SECOND_CRASH_EVERY: usize = 41;

/// Every kind of thing that happens to a store, in an order in which they meet.
fn life() -> Vec<Step> {
    let events = |count: usize| Step::Commit { entries: vec![(0, true); count], lost: 0 };
    vec![
        events(3),
        Step::Commit { entries: vec![(0, false)], lost: 0 },
        Step::Commit { entries: vec![(0, true), (0, false), (1, true), (0, true)], lost: 7 },
        Step::SealOne,
        events(2),
        Step::CloseSegment,
        Step::Commit { entries: vec![(0, true)], lost: 2 },
        Step::SealAll,
        Step::RemoveSuperseded,
        Step::BeginEpoch,
        events(3),
        Step::Reopen("w1"),
        events(2),
        Step::SealOne,
        // Another collector stands by, takes the lock, and what the first one left pending.
        Step::Reopen("w2"),
        Step::Become("w1"),
        Step::Commit { entries: vec![(0, true), (1, true)], lost: 1 },
        Step::Become("w2"),
        events(2),
        Step::CloseSegment,
        Step::Commit { entries: vec![(2, false), (0, true)], lost: 0 },
        Step::SealAll,
        Step::Compact,
        events(1),
        Step::Compact,
        Step::RemoveSuperseded,
        Step::Reopen("w1"),
        events(1),
        Step::SealAll,
        Step::Compact,
    ]
}

/// A life on a disk that does as it is told: every operation, and what the collector knew.
fn record(failing: std::ops::Range<usize>) -> (TempDir, World, Vec<Change>, Vec<Mark>) {
    let (folder, layout, disk) = SimulatedDisk::new_store(failing);
    let mut world = World::new(&layout);
    let mut marks = vec![world.mark(0)];
    for step in life() {
        world.begin(&step);
        marks.push(world.mark(disk.done()));
        world.finish(&step);
        marks.push(world.mark(disk.done()));
    }
    world.die();
    (folder, world, disk.changes(), marks)
}

/// What the collector knew after so many operations.
fn mark_at(marks: &[Mark], done: usize) -> &Mark {
    marks.iter().rfind(|mark| mark.done <= done).unwrap()
}

/// Opens the store that a crash left, and sees that all is there, once.
fn check(layout: &Layout, mark: &Mark, context: &str) {
    // A reader needs no collector: it looks at once.
    assert_between(&view(layout), mark, context);
    let mut world = World::after_crash(layout, mark);
    world.redeliver();
    assert_eq!(view(layout), world.model(), "{context}, delivered again");
    for step in [Step::SealAll, Step::Compact, Step::RemoveSuperseded] {
        world.take(&step);
        assert_eq!(view(layout), world.model(), "{context}, after {step:?}");
    }
}

/// All that was acknowledged, and of what was under way the first part, if any.
fn assert_between(seen: &View, mark: &Mark, context: &str) {
    let mut expected: Vec<_> = mark.committed.iter().map(|(key, is_event)| (*key, *is_event)).collect();
    let more = seen.entries.len().checked_sub(expected.len());
    let more = more.unwrap_or_else(|| panic!("{context}: lost {} of {expected:?}", seen.entries.len()));
    expected.extend(mark.under_way.entries.iter().take(more));
    expected.sort_unstable();
    assert_eq!(seen.entries, expected, "{context}, as a reader finds it");
    let lost = if more > 0 { mark.lost + mark.under_way.lost } else { mark.lost };
    assert_eq!(seen.lost, lost, "{context}, as a reader finds it");
}

/// Cuts the power, and looks at what is left; at some points, cuts it again.
fn crash(disk: &Disk, mark: &Mark, cut: Cut, again: bool, context: &str) {
    let seed = if let Cut::Torn(seed) = cut { seed } else { 0 };
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (_folder, layout, recovering) = SimulatedDisk::new_store(0..0);
    disk.restore(cut, &mut random, layout.root());
    let left = again.then(|| Disk::holding(layout.root()));
    check(&layout, mark, context);
    let changes = recovering.changes();
    let Some(mut disk) = left else { return };
    for (done, change) in changes.iter().enumerate() {
        disk.apply(change);
        let (_folder, again, _) = SimulatedDisk::new_store(0..0);
        disk.restore(Cut::Torn(seed), &mut random, again.root());
        // What the second life had committed, it had found or was delivered: nothing is new.
        let mut world = World::after_crash(&again, mark);
        world.redeliver();
        assert_eq!(view(&again), world.model(), "{context}, and again after {} operations of recovery", done + 1);
        world.take(&Step::SealAll);
        assert_eq!(view(&again), world.model(), "{context}, and again after {} operations, sealed", done + 1);
    }
}

/// Shares out what is numbered among as many threads as there are processors; each is told which numbers are its own.
fn side_by_side(work: impl Fn(&dyn Fn(usize) -> bool) + Sync) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for own in 0..threads {
            let work = &work;
            scope.spawn(move || work(&|number| number % threads == own));
        }
    });
}

#[test]
fn after_a_crash_at_any_operation_all_is_there_once() {
    let (folder, _, changes, marks) = record(0..0);
    let crashes = (changes.len() + 1) * CUTS.len();
    assert!(crashes > 1_000, "{crashes} crash points are worth the name");
    side_by_side(|is_ours| {
        let mut disk = Disk::new(&folder.path().join("store"));
        for done in 0..=changes.len() {
            let last = done.checked_sub(1).map(|last| &changes[last]);
            last.into_iter().for_each(|change| disk.apply(change));
            if !is_ours(done) {
                continue;
            }
            for (cut, crash_number) in CUTS.into_iter().zip(done * CUTS.len() + 1..) {
                let context = format!("crash after operation {done} ({last:?}), {cut:?}");
                crash(&disk, mark_at(&marks, done), cut, crash_number % SECOND_CRASH_EVERY == 0, &context);
            }
        }
    });
}

/// One point, as a failure of the test above names it.
#[test]
fn replay() {
    let (done, cut) = (30, Cut::Torn(1));
    let (folder, _, changes, marks) = record(0..0);
    let mut disk = Disk::new(&folder.path().join("store"));
    changes[..done].iter().for_each(|change| disk.apply(change));
    crash(&disk, mark_at(&marks, done), cut, true, "replay");
}

#[test]
fn whatever_operation_fails_nothing_is_lost_or_doubled() {
    let (_, _, changes, _) = record(0..0);
    let points = changes.len();
    side_by_side(|is_ours| (0..points).filter(|first| is_ours(*first)).for_each(fails_from));
}

/// That operation fails, and perhaps the next ones: nothing is lost then, nor in a crash at the end.
fn fails_from(first: usize) {
    // One failure, or a disk that stays broken for a while.
    for width in [1, 4].into_iter().take(1 + usize::from(first.is_multiple_of(3))) {
        let (folder, world, changes, marks) = record(first..first + width);
        let context = format!("operations {first} to {} fail", first + width - 1);
        assert_eq!(view(&world.layout), world.model(), "{context}");
        // A failed sync is never trusted: at the end, all that was acknowledged is durable.
        let mut disk = Disk::new(&folder.path().join("store"));
        changes.iter().for_each(|change| disk.apply(change));
        for cut in [Cut::Lost, Cut::Torn(1)] {
            crash(&disk, marks.last().unwrap(), cut, false, &format!("{context}, then {cut:?}"));
        }
    }
}

/// Hours that retention takes out are gone as a whole, or not at all, and their events are counted.
#[test]
fn after_a_crash_while_hours_go_each_event_is_there_or_counted() {
    let (folder, layout, simulated) = SimulatedDisk::new_store(0..0);
    let mut world = World::new(&layout);
    for name in ["w1", "w2"] {
        world.take(&Step::Reopen(name));
        world.take(&Step::Commit { entries: vec![(0, true), (0, true), (1, true), (1, true), (1, true)], lost: 0 });
        world.take(&Step::SealAll);
        world.take(&Step::RemoveSuperseded);
    }
    world.die();
    let before = simulated.done();
    let all = world.committed.len() as u64;
    let kept_hours: Vec<Hour> = Snapshot::read(&layout).unwrap().partitions.iter().map(|file| file.hour).collect();
    assert_eq!(kept_hours.len(), 8, "both writers have files in the hour they share");
    let retention = Retention { age: None, bytes: Some(1), even_if_odd: true };
    assert_eq!(retain(&layout, &retention, i64::MAX).unwrap().hours.len(), 7);
    assert_eq!(remove_superseded_files(&layout, Duration::ZERO).unwrap(), 8);
    let changes = simulated.changes();
    assert!(view(&layout).entries.is_empty());
    let mut disk = Disk::new(&folder.path().join("store"));
    changes[..before].iter().for_each(|change| disk.apply(change));
    for (index, change) in changes[before..].iter().enumerate() {
        disk.apply(change);
        for cut in CUTS {
            let seed = if let Cut::Torn(seed) = cut { seed } else { 0 };
            let (_folder, layout) = self::layout();
            disk.restore(cut, &mut ChaCha8Rng::seed_from_u64(seed), layout.root());
            let snapshot = Snapshot::read(&layout).unwrap();
            let counted: u64 = snapshot.retired.iter().map(|(_, events)| events).sum();
            let seen = view(&layout).entries;
            assert_eq!(
                seen.len() as u64 + counted,
                all,
                "operation {index} of retention ({change:?}), {cut:?}: {seen:?}"
            );
        }
    }
}
