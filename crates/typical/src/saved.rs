//! The file in which what is typical is kept, week by week, and bringing it up to date.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use emp_catalog::Storage;
use emp_store::{Hour, Layout, Partition, Segment, StoreError};

use super::read::{walk_file, walk_memory};
use super::table::Typical;
use super::walk::Walk;

/// What is older than four whole weeks says little about today.
const WEEKS: i64 = 4;
const WEEK_MS: i64 = 7 * 24 * 3_600_000;
/// What happened last is judged, not learned from: an incident that goes on would pass for typical.
const LAG_MS: i64 = 2 * 3_600_000;
/// With fewer completed jobs, what happened last is learned from all the same.
const COMPLETED_MIN: u64 = 200;
const MINUTE_MS: i64 = 60_000;
/// How much of what happened last is left out then, and how many completed jobs have to be known without it:
/// what begins now would else be taken for typical as it happens. A store of minutes has to leave out less.
const LEFT_OUT_OF_LITTLE: [(i64, u64); 4] = [(15 * MINUTE_MS, 100), (5 * MINUTE_MS, 100), (2 * MINUTE_MS, 20), (0, 0)];
/// The file of the index in which it is kept. A newer version of another form takes another name, so that two versions can
/// share a store.
pub const FILE_NAME: &str = "typical.v5";
const MAGIC: &[u8; 8] = b"EMPTYP5\n";

/// All that is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Saved {
    /// By which vocabulary the events were understood.
    vocabulary: u64,
    /// Every hour up to this one has been walked over.
    through: Option<Hour>,
    /// By the number of the week in which the hour began, counted from the epoch.
    weeks: BTreeMap<i64, Typical>,
    walk: Walk,
}

impl Default for Saved {
    /// Nothing yet, in the vocabulary of this process.
    fn default() -> Self {
        let vocabulary = emp_job::vocabulary().fingerprint();
        Self { vocabulary, through: None, weeks: BTreeMap::new(), walk: Walk::default() }
    }
}

impl Saved {
    /// Walks over the hours of these files, which are in order and later than all before.
    fn extend(&mut self, files: &[&Partition]) {
        emp_store::expect(files.iter().copied());
        for of_hour in files.chunk_by(|a, b| a.hour == b.hour) {
            let hour = of_hour[0].hour;
            let table = self.weeks.entry(week_of(hour.start_ms())).or_default();
            for file in of_hour {
                // A file that cannot be read, or is gone, is left out: `verify` is who complains.
                let _ = walk_file(file, &mut self.walk, table, i64::MAX);
            }
            self.walk.forget_old(hour.end_ms());
            self.through = Some(hour);
        }
        if let Some(newest) = self.through.map(|hour| week_of(hour.start_ms())) {
            self.weeks.retain(|week, _| *week >= newest - WEEKS);
        }
    }

    /// The hours that are closed and were not walked over yet, of the last weeks before `until_ms`.
    fn missing<'a>(&self, files: &[&'a Partition], until_ms: i64) -> Vec<&'a Partition> {
        let since = Hour::of_ms(until_ms - WEEKS * WEEK_MS);
        let is_missing = |file: &&&Partition| {
            file.hour >= since
                && file.hour.end_ms() <= until_ms
                && self.through.is_none_or(|through| file.hour > through)
        };
        files.iter().filter(is_missing).copied().collect()
    }

    /// What was learned of another store.
    fn add(&mut self, other: Self) {
        self.through = self.through.max(other.through);
        for (week, table) in other.weeks {
            self.weeks.entry(week).or_default().merge(&table);
        }
        if let Some(newest) = self.through.map(|hour| week_of(hour.start_ms())) {
            self.weeks.retain(|week, _| *week >= newest - WEEKS);
        }
        self.walk.add(other.walk);
    }

    fn all(&self) -> Typical {
        let mut all = Typical::default();
        self.weeks.values().for_each(|week| all.merge(week));
        all
    }
}

fn week_of(ms: i64) -> i64 {
    ms.div_euclid(WEEK_MS)
}

/// Walks over the hours that have been sealed since, and keeps what is typical now: what a collector
/// does as hours are sealed. `files` are those of the store, in order; the newest hours are left for later.
///
/// # Errors
/// [`StoreError`] where the file cannot be written.
pub fn bring_up_to_date(layout: &Layout, files: &[Partition]) -> Result<(), StoreError> {
    let Some(newest) = files.last().map(|file| file.hour) else { return Ok(()) };
    let storage = Storage::of(layout);
    let mut saved = load(&storage);
    if saved.through.is_some_and(|through| through > newest) {
        // It was learned from hours that are none of our time: what is there now was left out.
        saved = Saved::default();
    }
    let files: Vec<&Partition> = files.iter().collect();
    let missing = saved.missing(&files, newest.start_ms() - LAG_MS);
    if missing.is_empty() {
        return Ok(());
    }
    saved.extend(&missing);
    save(&storage, &saved).map_err(|source| StoreError::Io { action: "write", path: layout.index(), source })
}

/// What was typical at that moment, by these files, which are in order, and these segments of the
/// journal. What is learned about closed hours is kept for the next process.
pub fn typical_at(layout: &Layout, files: &[&Partition], segments: &[Segment], now_ms: i64) -> Typical {
    Learning::begin(layout, now_ms).typical(files, segments, now_ms)
}

/// What is typical as time goes on: each hour is walked over once, however many moments are asked about.
#[derive(Debug)]
pub struct Learning {
    saved: Saved,
    /// Where it is to be kept; `None` where the past is looked at.
    kept_in: Option<Storage>,
}

impl Learning {
    /// Begins at that moment, with what was kept.
    pub fn begin(layout: &Layout, now_ms: i64) -> Self {
        let storage = Storage::of(layout);
        let mut saved = load(&storage);
        if saved.through.is_none_or(|through| Hour::of_ms(now_ms) >= through) {
            return Self { saved, kept_in: Some(storage) };
        }
        // As of its own time: nothing that came later.
        saved.weeks.retain(|week, _| *week < week_of(now_ms));
        let is_enough = saved.all().completed_of_all() >= COMPLETED_MIN;
        Self { saved: if is_enough { saved } else { Saved::default() }, kept_in: None }
    }

    /// The hour up to which nothing is learned any more: files of later ones alone are needed. `None` where all are.
    pub fn known_through(&self) -> Option<Hour> {
        self.saved.through
    }

    /// What was typical at that moment, which is no earlier than any that was asked about before.
    pub fn typical(&mut self, files: &[&Partition], segments: &[Segment], now_ms: i64) -> Typical {
        let newest_ms = files.last().map_or(now_ms, |file| file.hour.start_ms()).min(now_ms);
        let missing = self.saved.missing(files, newest_ms - LAG_MS);
        if !missing.is_empty() {
            self.saved.extend(&missing);
            if let Some(storage) = &self.kept_in {
                // Where it cannot be kept, the next question walks again.
                let _ = save(storage, &self.saved);
            }
        }
        let typical = self.saved.all();
        if typical.completed_of_all() >= COMPLETED_MIN {
            return typical;
        }
        let mut typical = typical;
        for (left_out_ms, enough) in LEFT_OUT_OF_LITTLE {
            typical = self.saved.clone().with_recent(files, segments, now_ms - left_out_ms);
            if typical.completed_of_all() >= enough {
                break;
            }
        }
        typical
    }
}

impl Saved {
    /// What is typical where too little is known by closed hours: by all that had arrived until then, too.
    fn with_recent(mut self, files: &[&Partition], segments: &[Segment], until_ms: i64) -> Typical {
        let is_new = |hour: Hour| self.through.is_none_or(|through| hour > through);
        let is_recent = |hour: Hour| hour.start_ms() <= until_ms && is_new(hour);
        let recent: Vec<&Partition> = files.iter().filter(|file| is_recent(file.hour)).copied().collect();
        emp_store::expect(recent.iter().copied());
        for file in recent {
            let table = self.weeks.entry(week_of(file.hour.start_ms())).or_default();
            // As in `extend`.
            let _ = walk_file(file, &mut self.walk, table, until_ms);
        }
        let mut segments: Vec<&Segment> =
            segments.iter().filter(|segment| segment.hour.start_ms() <= until_ms).collect();
        segments.sort_by_key(|segment| segment.ids.first);
        for segment in segments {
            let table = self.weeks.entry(week_of(segment.hour.start_ms())).or_default();
            for batch in &segment.batches {
                // Its columns are those that we gave it.
                let _ = walk_memory(batch, &mut self.walk, table, until_ms);
            }
        }
        self.all()
    }
}

/// What was learned of several stores, each by itself, as one: of files as they are kept, another such file. `None` where
/// one of them is missing or was learned by other words, or where jobs that go on are known to two of them: what is
/// typical of such jobs is learned from the events of both together.
///
/// Where one is behind the others, the hours that it lacks are not learned from.
#[must_use]
pub fn together(files: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut all: Option<Saved> = None;
    for (at, file) in files.iter().enumerate() {
        // A store and its copy have learned the same.
        if files[..at].contains(file) {
            continue;
        }
        let one: Saved = postcard::from_bytes(emp_catalog::whole_body(file, MAGIC)?).ok()?;
        match &mut all {
            None => all = Some(one),
            Some(all) if all.vocabulary == one.vocabulary && !all.walk.shares_jobs(&one.walk) => all.add(one),
            Some(_) => return None,
        }
    }
    let body = postcard::to_stdvec(&all?).ok()?;
    Some(emp_catalog::with_checksum(MAGIC, &body))
}

/// Of several files as they are kept of one store, the one that goes furthest.
#[must_use]
pub fn newest(files: Vec<Vec<u8>>) -> Option<Vec<u8>> {
    let through = |file: &Vec<u8>| {
        let saved: Saved = postcard::from_bytes(emp_catalog::whole_body(file, MAGIC)?).ok()?;
        saved.through
    };
    files.into_iter().max_by_key(through)
}

fn load(storage: &Storage) -> Saved {
    let kept: Option<Saved> = storage.read_whole(FILE_NAME, MAGIC, |body| postcard::from_bytes(body).ok());
    // What was learned by other words is learned anew.
    kept.filter(|kept| kept.vocabulary == emp_job::vocabulary().fingerprint()).unwrap_or_default()
}

fn save(storage: &Storage, saved: &Saved) -> std::io::Result<()> {
    if !storage.is_writable() {
        return Ok(());
    }
    let body = postcard::to_stdvec(saved).map_err(std::io::Error::other)?;
    storage.write_whole(FILE_NAME, MAGIC, &body)
}
