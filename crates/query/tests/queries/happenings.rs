//! What may happen to a store whose files contribute to something that is kept.

use std::path::PathBuf;

use proptest::prelude::*;

use crate::support::*;

/// Something after which files contribute something else, or are known in another form.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    Compacted,
    LateEvents,
    FileGone,
    FileDamaged,
    KeptGone,
    KeptDamaged,
    KeptCutShort,
}

/// All of them.
pub const CHANGES: [Change; 7] = [
    Change::Compacted,
    Change::LateEvents,
    Change::FileGone,
    Change::FileDamaged,
    Change::KeptGone,
    Change::KeptDamaged,
    Change::KeptCutShort,
];

/// One of them, as often as another.
pub fn change(among: &'static [Change]) -> impl Strategy<Value = Change> {
    prop::sample::select(among)
}

/// The files of the index whose names begin so.
pub fn kept(store: &TestStore, name_start: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(store.layout.index()) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        paths.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(name_start)).collect();
    found.sort();
    found
}

/// A store with two events on each of seventy days: more than something is kept of that is kept of the last days alone.
pub fn seventy_days() -> TestStore {
    let store = TestStore::new();
    let half_a_day = 12 * HOUR;
    let events: Vec<_> =
        (0..140_i64).map(|at| event(at * half_a_day, "api", "job.created", "").seq(at as u64)).collect();
    store.sealed(&events);
    store
}

fn rewrite(paths: impl IntoIterator<Item = PathBuf>, change: impl Fn(&mut Vec<u8>)) {
    for path in paths {
        let mut bytes = std::fs::read(&path).unwrap();
        change(&mut bytes);
        std::fs::write(path, bytes).unwrap();
    }
}

fn happen(store: &TestStore, change: Change, late: &[TestEvent], name_start: &str) {
    let kept = || kept(store, name_start);
    let first = store.parquet_files().into_iter().next();
    match change {
        Change::Compacted => {
            let later = BASE + 1_000 * HOUR;
            emp_store::compact(&store.layout, later, &mut Default::default(), &mut |_| ()).unwrap();
        }
        // Of the same jobs, among what was there and beside it.
        Change::LateEvents => store.sealed_by(&format!("late{}", store.parquet_files().len()), late),
        Change::FileGone => first.iter().for_each(|path| std::fs::remove_file(path).unwrap()),
        Change::FileDamaged => rewrite(first, |bytes| bytes.truncate(bytes.len() / 2)),
        Change::KeptGone => kept().iter().for_each(|path| std::fs::remove_file(path).unwrap()),
        Change::KeptDamaged => rewrite(kept(), |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0xff;
        }),
        Change::KeptCutShort => rewrite(kept(), |bytes| bytes.truncate(bytes.len().saturating_sub(5))),
    }
}

/// A store of these events, in files of two writers and a journal, to which these changes happen: it has to agree all along.
pub fn go_through(
    (events, late): (&[TestEvent], &[TestEvent]),
    cuts: (f64, f64),
    (changes, name_start): (&[Change], &str),
    assert_agrees: impl Fn(&TestStore),
) {
    let store = TestStore::new();
    let at = |share: f64| (share * events.len() as f64) as usize;
    let (first, second) = (at(cuts.0.min(cuts.1)), at(cuts.0.max(cuts.1)));
    store.sealed(&events[..first]);
    store.sealed_by("c1", &events[first..second]);
    store.journal(&events[second..]);
    // The first time what is kept is derived, the second time it is read.
    assert_agrees(&store);
    assert_agrees(&store);
    for change in changes {
        happen(&store, *change, late, name_start);
        assert_agrees(&store);
    }
}
