//! Writing beside a collector: whatever is cut or fails, each line is there once in the end.

use super::interrupted::Work;
use super::world::view;
use super::*;

/// Lines of three hours, some of which are no events.
fn lines() -> Vec<(EntryId, bool)> {
    let hours = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2];
    let kinds = [true, false, true, false, true, true, false, false, true, true];
    hours.into_iter().zip(kinds).zip(1..).map(|((hour, is_event), seq)| (at(hour, seq), is_event)).collect()
}

/// Takes the first so many lines, as far as they are not there.
fn import(layout: &Layout, count: usize) -> Result<(), StoreError> {
    take(DirectWriter::open(layout, &Writer::new("spool-1")?)?, count)
}

fn take(mut store: DirectWriter, count: usize) -> Result<(), StoreError> {
    let fields = [("service", "worker"), ("eventType", "job.claimed")];
    for (id, is_event) in lines().into_iter().take(count) {
        if is_event && id > store.last_event() {
            store.push_event(&Row::from(&decode(id, &fields).unwrap()))?;
        } else if !is_event && id > store.last_quarantined() {
            let entry = Quarantined { id, reason: "no event".into(), entry: "{}".into(), noticed_at: 7 };
            store.push_quarantined(entry)?;
        }
    }
    store.finish()
}

#[track_caller]
fn assert_holds(layout: &Layout, count: usize, context: &str) {
    let expected: Vec<_> = lines().into_iter().take(count).map(|(id, is_event)| ((0, id), is_event)).collect();
    let mut seen = view(layout).entries;
    seen.sort_unstable();
    assert_eq!(seen, expected, "{context}");
}

/// An import of half a file, and of all of it later.
fn work() -> Work<usize> {
    Work {
        none: 0,
        steps: [5, lines().len()],
        run: import,
        assert_kept: |layout, acknowledged, context| {
            let seen = view(layout).entries;
            let kept = lines().into_iter().take(acknowledged).all(|(id, is_event)| seen.contains(&((0, id), is_event)));
            assert!(kept, "{context}: {seen:?} after {acknowledged} lines were said to be stored");
        },
        assert_whole: |layout, context| assert_holds(layout, lines().len(), context),
    }
}

#[test]
fn after_a_crash_at_any_operation_an_import_is_made_up_for() {
    work().crash_after_each_operation();
}

#[test]
fn whatever_operation_of_an_import_fails_each_line_is_there_once() {
    work().fail_at_each_operation();
}

#[test]
fn one_at_a_time_writes_under_a_name() {
    let (_folder, layout) = layout();
    let writer = Writer::new("spool-1").unwrap();
    let first = DirectWriter::open(&layout, &writer).unwrap();
    let _other = DirectWriter::open(&layout, &Writer::new("spool-2").unwrap()).unwrap();
    let second = std::thread::spawn({
        let layout = layout.clone();
        move || import(&layout, 10).unwrap()
    });
    let of_another = std::fs::File::open(layout.writer_lock(&writer)).unwrap().try_lock();
    assert!(matches!(of_another, Err(std::fs::TryLockError::WouldBlock)), "it waits: {of_another:?}");
    // Whenever the second one comes, it finds these.
    take(first, 5).unwrap();
    second.join().unwrap();
    assert_holds(&layout, 10, "after the second one");
    assert!(!layout.writer_lock(&writer).exists());
}
