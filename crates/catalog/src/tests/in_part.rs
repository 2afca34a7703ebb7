//! Looks at some days of a store, against a plain map.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{BASE, HOUR_MS, seal, seal_by};
use crate::saved::Storage;
use crate::{Catalog, IdScope, Indexed, IndexingPace, SealedFiles, bring_up_to_date};
use emp_store::{Hour, Layout, visible_partitions};

const JOBS: u8 = 12;

type Truth = BTreeMap<Hour, BTreeSet<u8>>;

fn hour(offset: i64) -> Hour {
    Hour::of_ms(BASE + offset * HOUR_MS)
}

/// A new process that looks at so many of the last files.
fn looking_at(layout: &Layout, files: usize) -> Catalog {
    let mut catalog = Catalog { looked_at_min: files, ..Catalog::load(layout) };
    let listed = visible_partitions(layout, |skipped| catalog.list_recent(skipped), &mut Vec::new()).unwrap();
    catalog.learn(&listed).unwrap();
    catalog.save().unwrap();
    catalog
}

/// Waits until all days but those of the last files are known by their own folders: of one that changed just before,
/// its times say nothing.
fn settle(layout: &Layout, files: usize) {
    let begun = Instant::now();
    loop {
        let closed = looking_at(layout, files).closed().days.len();
        let mut all = Catalog { looked_at_min: usize::MAX, ..Catalog::load(layout) };
        let listed = visible_partitions(layout, |skipped| all.list_recent(skipped), &mut Vec::new()).unwrap();
        let days = days_but_last(listed.iter().map(|file| file.hour), files);
        if closed == days.len() {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(240), "{closed} of {days:?} are closed");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The days, but for those that the last so many files are of.
fn days_but_last(hours: impl DoubleEndedIterator<Item = Hour>, files: usize) -> BTreeSet<String> {
    let mut days = BTreeMap::new();
    for (later, hour) in hours.rev().enumerate() {
        // How many files there are of later days.
        days.entry(hour.date()).or_insert(later);
    }
    days.into_iter().filter(|(_, later)| *later >= files).map(|(day, _)| day).collect()
}

/// The files of the last days, and of those that may hold the job.
fn files_for(layout: &Layout, files: usize, job: &str) -> SealedFiles {
    let mut catalog = looking_at(layout, files);
    let closed = catalog.closed();
    let holding = closed.holding("job_id", &[job], IdScope::AllEvents).unwrap();
    let needed = || closed.days.iter().zip(&holding).filter(|(_, holds)| **holds).map(|(day, _)| day);
    let mut all = catalog.saved.folders.partitions(layout.root(), &mut Vec::new());
    let list = |skipped: &mut Vec<_>| catalog.list_days(needed(), skipped);
    let listed = visible_partitions(layout, list, &mut Vec::new()).unwrap();
    catalog.learn(&listed).unwrap();
    catalog.save().unwrap();
    all.extend(listed);
    all.sort_by_key(|file| file.hour);
    catalog.sealed(all)
}

/// The hours whose files may hold the job, by what a new process looks at.
fn held(layout: &Layout, files: usize, job: &str) -> BTreeSet<Hour> {
    let sealed = files_for(layout, files, job);
    let holding = sealed.holding("job_id", &[job], IdScope::AllEvents).unwrap();
    sealed.files.iter().zip(holding).filter(|(_, holds)| *holds).map(|(file, _)| file.partition.hour).collect()
}

fn with_extension(layout: &Layout, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(layout.index()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// Three days of an hour each, in which the jobs 1, 2 and 3 occur, all known.
fn three_days(folder: &Path) -> Layout {
    let layout = Layout::new(folder);
    for day in 0..3_u8 {
        seal(&layout, i64::from(day) * 24, &BTreeSet::from([day + 1]));
    }
    bring_up_to_date(&layout, IndexingPace::hurried()).unwrap();
    settle(&layout, 1);
    layout
}

fn parquet_of(layout: &Layout, offset: i64) -> PathBuf {
    let mut files = fs::read_dir(layout.partition(hour(offset))).unwrap();
    files.next().unwrap().unwrap().path()
}

#[test]
fn days_that_cannot_be_read_are_learned_anew() {
    let folder = tempfile::tempdir().unwrap();
    let layout = three_days(folder.path());
    let damages: [fn(&Path); 3] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::write(path, "").unwrap(),
        |path| {
            let mut bytes = fs::read(path).unwrap();
            // Those that were damaged before are no parts any more.
            bytes.last_mut().into_iter().for_each(|last| *last ^= 1);
            fs::write(path, bytes).unwrap();
        },
    ];
    for damage in damages {
        with_extension(&layout, "days").iter().for_each(|path| damage(path));
        // What is kept in short names the day that holds it; what is looked at says that the index knows nothing of it.
        assert!(held(&layout, 1, "j1").contains(&hour(0)));
        bring_up_to_date(&layout, IndexingPace::hurried()).unwrap();
        settle(&layout, 1);
        assert_eq!(held(&layout, 1, "j1"), BTreeSet::from([hour(0)]));
    }
    fs::remove_file(layout.index().join("catalog.v3")).unwrap();
    assert_eq!(looking_at(&layout, 1).closed().days.len(), 0, "all is looked at");
}

#[test]
fn what_other_programs_do_to_old_days_is_found_as_they_are_looked_at_and_after_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let layout = three_days(folder.path());
    let others = tempfile::tempdir().unwrap();
    let other = Layout::new(others.path());
    seal(&other, 0, &BTreeSet::from([7]));
    // Its folders' times do not change.
    fs::copy(parquet_of(&other, 0), parquet_of(&layout, 0)).unwrap();
    assert_eq!(held(&layout, 1, "j7"), BTreeSet::new());
    // Whoever needs the day sees that the index does not know the file.
    assert_eq!(files_for(&layout, 1, "j1").not_indexed(Indexed::Ids), 1);
    bring_up_to_date(&layout, IndexingPace::hurried()).unwrap();
    settle(&layout, 1);
    assert_eq!(held(&layout, 1, "j7"), BTreeSet::from([hour(0)]));
    // One that is put there, and one that goes.
    let added = parquet_of(&layout, 24)
        .with_file_name(parquet_of(&layout, 24).file_name().unwrap().to_str().unwrap().replace("c0", "c7"));
    fs::copy(parquet_of(&other, 0), &added).unwrap();
    fs::remove_file(parquet_of(&layout, 0)).unwrap();
    assert_eq!(held(&layout, 1, "j7"), BTreeSet::new(), "the day that held it was looked at");
    let mut catalog = Catalog::load(&layout);
    catalog.saved.looked = crate::head::Looked::default();
    catalog.has_learned = true;
    catalog.save().unwrap();
    assert_eq!(held(&layout, 1, "j7"), BTreeSet::from([hour(24)]), "all is looked at once that was long ago");
}

#[test]
fn what_an_older_version_kept_in_one_file_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let layout = three_days(folder.path());
    let mut catalog = Catalog::load(&layout);
    catalog.list(&mut Vec::new()).unwrap();
    Storage::of(&layout).save_whole(&catalog.saved).unwrap();
    fs::remove_file(layout.index().join("catalog.v3")).unwrap();
    let mut catalog = Catalog::load(&layout);
    let files = catalog.list(&mut Vec::new()).unwrap();
    assert_eq!(files.len(), 3);
    assert_eq!(catalog.sealed(files).not_indexed(Indexed::Ids), 0);
}

/// What happens to a store of which old days are closed.
#[derive(Debug, Clone)]
enum Change {
    /// Another writer adds to an hour that is there.
    Added(prop::sample::Index, BTreeSet<u8>),
    /// Another writer adds an hour somewhere between.
    Between(prop::sample::Index, BTreeSet<u8>),
    Newer(BTreeSet<u8>),
    Gone(prop::sample::Index),
    Indexed,
}

fn jobs() -> impl Strategy<Value = BTreeSet<u8>> {
    prop::collection::btree_set(0..JOBS, 1..4)
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<prop::sample::Index>(), jobs()).prop_map(|(at, jobs)| Change::Added(at, jobs)),
        (any::<prop::sample::Index>(), jobs()).prop_map(|(at, jobs)| Change::Between(at, jobs)),
        jobs().prop_map(Change::Newer),
        any::<prop::sample::Index>().prop_map(Change::Gone),
        Just(Change::Indexed),
    ]
}

/// Carries a change out; the offsets of the hours of which the index does not know all any more, or does again.
fn happen(layout: &Layout, change: &Change, number: usize, (truth, unknown): (&mut Truth, &mut BTreeSet<Hour>)) {
    let offset = |hour: Hour| (hour.start_ms() - BASE) / HOUR_MS;
    let offsets: Vec<i64> = truth.keys().map(|hour| offset(*hour)).collect();
    let mut add = |at: i64, jobs: &BTreeSet<u8>| {
        seal_by(layout, &format!("w{number}"), at, jobs);
        truth.entry(hour(at)).or_default().extend(jobs);
        unknown.insert(hour(at));
    };
    match change {
        Change::Added(at, jobs) => add(*at.get(&offsets), jobs),
        Change::Between(at, jobs) => add(*at.get(&offsets) + 1, jobs),
        Change::Newer(jobs) => add(offsets.last().unwrap() + 30, jobs),
        Change::Gone(at) => {
            let gone = hour(*at.get(&offsets));
            fs::remove_dir_all(layout.partition(gone)).unwrap();
            // Else it would be sealed again.
            let _ = fs::remove_dir_all(layout.journal());
            truth.remove(&gone);
        }
        Change::Indexed => {
            bring_up_to_date(layout, IndexingPace::hurried()).unwrap();
            unknown.clear();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    /// Days are closed, and hours come and go in them and beside them: each look finds all that is there of a job, and
    /// looks into no file that the index knows not to hold it.
    #[test]
    fn whoever_looks_at_some_days_finds_what_all_of_them_hold(
        hours in prop::collection::vec((1_i64..50, jobs()), 3..9),
        changes in prop::collection::vec(change(), 1..6),
        files in 0_usize..4,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let (mut truth, mut unknown, mut next) = (Truth::new(), BTreeSet::new(), 0);
        for (gap, jobs) in hours {
            next += gap;
            seal(&layout, next, &jobs);
            truth.insert(hour(next), jobs);
        }
        bring_up_to_date(&layout, IndexingPace::hurried()).unwrap();
        settle(&layout, files);
        for (number, change) in changes.iter().enumerate() {
            if truth.is_empty() {
                break;
            }
            happen(&layout, change, number, (&mut truth, &mut unknown));
            for job in 0..JOBS {
                let found = held(&layout, files, &format!("j{job}"));
                let holds = |hour: &Hour| truth.get(hour).is_some_and(|jobs| jobs.contains(&job));
                let missed: Vec<&Hour> = truth.keys().filter(|hour| holds(hour) && !found.contains(hour)).collect();
                prop_assert!(missed.is_empty(), "{change:?}: job {job} is in {missed:?}");
                let in_vain: Vec<&Hour> = found.iter().filter(|hour| !holds(hour) && !unknown.contains(hour)).collect();
                prop_assert!(in_vain.is_empty(), "{change:?}: job {job} is not in {in_vain:?}");
            }
        }
    }
}
