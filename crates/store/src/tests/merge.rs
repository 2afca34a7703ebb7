//! Adding to hours that are sealed: whatever is cut or fails, each line is there once in the end.

use std::collections::BTreeSet;

use super::interrupted::Work;
use super::world::view;
use super::*;

/// Lines of two hours, some of which are no events, in the order of their IDs.
fn lines() -> Vec<(EntryId, bool)> {
    let hours = [0, 0, 0, 0, 0, 1, 1, 1];
    let kinds = [true, true, false, true, true, true, false, true];
    hours.into_iter().zip(kinds).zip(1..).map(|((hour, is_event), seq)| (at(hour, seq), is_event)).collect()
}

/// Two files: what lies between, then all of it.
const FILES: [&[usize]; 2] = [&[1, 2, 4, 6], &[0, 1, 2, 3, 4, 5, 6, 7]];

/// Takes the lines of one hour that are not there.
fn take(layout: &Layout, hour: u64, lines: &[(EntryId, bool)]) -> Result<(), StoreError> {
    let store = MergeWriter::open(layout, Scope::Hour(Hour::of_ms(at(hour, 0).ingested_at().unwrap())))?;
    let mut known = BTreeSet::new();
    store.each_id(|id| {
        known.insert(id);
    })?;
    let new = || lines.iter().filter(|(id, _)| !known.contains(id));
    let fields = [("service", "worker"), ("eventType", "job.claimed")];
    let events: Vec<_> = new().filter(|line| line.1).map(|(id, _)| decode(*id, &fields).unwrap()).collect();
    let rows: Vec<Row<'_>> = events.iter().map(Row::from).collect();
    let entry = |id: EntryId| Quarantined { id, reason: "no event".into(), entry: "{}".into(), noticed_at: 7 };
    let quarantined: Vec<_> = new().filter(|line| !line.1).map(|(id, _)| entry(*id)).collect();
    store.add(&rows, &quarantined, &mut WriterNames::new("0123456789abcdef".to_owned()))
}

fn import(layout: &Layout, file: &[usize]) -> Result<(), StoreError> {
    let lines: Vec<_> = file.iter().map(|line| lines()[*line]).collect();
    for hour in [0, 1] {
        let of_hour: Vec<_> = lines.iter().copied().filter(|(id, _)| (id.ms == at(0, 0).ms) == (hour == 0)).collect();
        take(layout, hour, &of_hour)?;
    }
    Ok(())
}

fn expected(file: &[usize]) -> Vec<((u32, EntryId), bool)> {
    file.iter().map(|line| lines()[*line]).map(|(id, is_event)| ((0, id), is_event)).collect()
}

#[track_caller]
fn assert_holds(layout: &Layout, context: &str) {
    let mut seen = view(layout).entries;
    seen.sort_unstable();
    assert_eq!(seen, expected(FILES[1]), "{context}");
}

/// An import of both files.
fn work() -> Work<&'static [usize]> {
    Work {
        none: &[],
        steps: FILES,
        run: import,
        assert_kept: |layout, acknowledged, context| {
            let seen = view(layout).entries;
            let is_once = |entry: &((u32, EntryId), bool)| seen.iter().filter(|other| *other == entry).count() == 1;
            assert!(seen.iter().all(is_once), "{context}: {seen:?}");
            let kept = expected(acknowledged).iter().all(is_once);
            assert!(kept, "{context}: {seen:?} after {acknowledged:?}");
        },
        assert_whole: assert_holds,
    }
}

#[test]
fn after_a_crash_at_any_operation_a_merge_is_made_up_for() {
    work().crash_after_each_operation();
}

#[test]
fn whatever_operation_of_a_merge_fails_each_line_is_there_once() {
    work().fail_at_each_operation();
}

#[test]
fn an_hour_has_one_file_that_counts_however_often_it_is_added_to() {
    let (_folder, layout) = layout();
    for file in [&[3][..], &[4, 5], &[0, 7], &[1, 2, 3]] {
        import(&layout, file).unwrap();
    }
    import(&layout, FILES[1]).unwrap();
    assert_holds(&layout, "in the end");
    let hours: Vec<_> = Snapshot::read(&layout).unwrap().partitions.iter().map(|file| file.hour).collect();
    assert_eq!(hours.len(), 2, "{hours:?}");
    let mut compacted = 0;
    let failed = compact(&layout, i64::MAX, &mut BTreeSet::new(), &mut |_| compacted += 1).unwrap();
    assert_eq!((failed.len(), compacted), (0, 0));
}
