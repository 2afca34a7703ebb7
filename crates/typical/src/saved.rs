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
/// A newer version of another form takes another name, so that two versions can share a store.
const NAME: &str = "typical.v3";
const MAGIC: &[u8; 8] = b"EMPTYP3\n";

/// All that is kept.
#[derive(Debug, Serialize, Deserialize)]
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
        for of_hour in files.chunk_by(|a, b| a.hour == b.hour) {
            let hour = of_hour[0].hour;
            let table = self.weeks.entry(week_of(hour.start_ms())).or_default();
            for file in of_hour {
                // A file that cannot be read, or is gone, is left out: `verify` is who complains.
                let _ = walk_file(&file.path, &mut self.walk, table);
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
    let storage = Storage::of(layout);
    let mut saved = load(&storage);
    let is_past = saved.through.is_some_and(|through| Hour::of_ms(now_ms) < through);
    if is_past {
        // As of its own time: nothing that came later.
        saved.weeks.retain(|week, _| *week < week_of(now_ms));
        if !saved.weeks.is_empty() {
            return saved.all();
        }
        saved = Saved::default();
    }
    let newest_ms = files.last().map_or(now_ms, |file| file.hour.start_ms()).min(now_ms);
    let missing = saved.missing(files, newest_ms - LAG_MS);
    if !missing.is_empty() {
        saved.extend(&missing);
        if !is_past {
            // Where it cannot be kept, the next question walks again.
            let _ = save(&storage, &saved);
        }
    }
    let typical = saved.all();
    if typical.job_types().map(|job_type| typical.completed(job_type)).sum::<u64>() >= COMPLETED_MIN {
        return typical;
    }
    let is_new = |hour: Hour| saved.through.is_none_or(|through| hour > through);
    let is_recent = |hour: Hour| hour.end_ms() > newest_ms - LAG_MS && hour.start_ms() <= now_ms && is_new(hour);
    let recent: Vec<&Partition> = files.iter().filter(|file| is_recent(file.hour)).copied().collect();
    saved.extend(&recent);
    walk_segments(&mut saved, segments, now_ms);
    saved.all()
}

fn walk_segments(saved: &mut Saved, segments: &[Segment], now_ms: i64) {
    let mut segments: Vec<&Segment> = segments.iter().filter(|segment| segment.hour.start_ms() <= now_ms).collect();
    segments.sort_by_key(|segment| segment.ids.first);
    for segment in segments {
        let table = saved.weeks.entry(week_of(segment.hour.start_ms())).or_default();
        for batch in &segment.batches {
            // Its columns are those that we gave it.
            let _ = walk_memory(batch, &mut saved.walk, table);
        }
    }
}

fn load(storage: &Storage) -> Saved {
    let kept: Option<Saved> = storage.read_whole(NAME, MAGIC, |body| postcard::from_bytes(body).ok());
    // What was learned by other words is learned anew.
    kept.filter(|kept| kept.vocabulary == emp_job::vocabulary().fingerprint()).unwrap_or_default()
}

fn save(storage: &Storage, saved: &Saved) -> std::io::Result<()> {
    if !storage.is_writable() {
        return Ok(());
    }
    let body = postcard::to_stdvec(saved).map_err(std::io::Error::other)?;
    storage.write_whole(NAME, MAGIC, &body)
}
