//! The head of a catalog: what is known of each day in short, and where the rest stands.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::folders::{DateFolder, Folders, Kept};
use super::parts::{NewPart, Parts, Place};
use super::saved::{Saved, Storage, new_number};
use super::stamp::Stamp;
use super::summary::Summary;
use super::values::ValueNumbers;
use emp_store::Writer;

/// A newer version of another form takes another name, so that two versions can share a store.
const NAME: &str = "catalog.v3";
const MAGIC: &[u8; 8] = b"EMPCAT3\n";
/// What is not looked at is believed for so long. A collector looks at all of it as each hour is sealed.
const BELIEVED_MS: i64 = 2 * 3_600_000;
/// That all was looked at is worth writing down where that was so long ago.
const NOTED_MS: i64 = BELIEVED_MS / 4;

/// When all folders and files were looked at, and in which run of the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Looked {
    at_ms: i64,
    boot: u64,
}

impl Looked {
    pub fn now() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        // A clock before 1970 believes nothing.
        Self { at_ms: now.map_or(0, |now| now.as_millis() as i64), boot: boot() }
    }

    /// Has it been believed for too long by `now`? After a power cut, that names have changed may be lost, but not the
    /// change.
    pub fn is_over(self, now: Self) -> bool {
        self.is_older(now, BELIEVED_MS)
    }

    /// Is it worth to be written down that all was looked at `now`?
    pub fn is_to_be_noted(self, now: Self) -> bool {
        self.is_older(now, NOTED_MS)
    }

    fn is_older(self, now: Self, ms: i64) -> bool {
        self.boot != now.boot || !(0..ms).contains(&(now.at_ms - self.at_ms)) || self.at_ms == 0
    }
}

/// Another number after each start of the machine, where it tells.
fn boot() -> u64 {
    std::fs::read("/proc/sys/kernel/random/boot_id").map_or(0, |id| xxh3_64(&id))
}

#[derive(Serialize, Deserialize)]
struct Head {
    stamp: Stamp,
    looked: Looked,
    writers: Vec<Writer>,
    numbers: ValueNumbers,
    days: Vec<Day>,
}

#[derive(Serialize, Deserialize)]
struct Day {
    name: String,
    stamp: Stamp,
    place: Place,
    summary: Summary,
}

impl Saved {
    /// What was saved of a store, of which each day is read once it is needed.
    pub fn load(storage: &Storage) -> Option<Self> {
        let head = storage.read_whole(NAME, MAGIC, |body| postcard::from_bytes::<Head>(body).ok())?;
        let parts: BTreeSet<u64> = head.days.iter().map(|day| day.place.part).collect();
        let dates = head.days.into_iter().map(|day| {
            let kept = Kept { place: day.place, summary: Arc::new(day.summary) };
            DateFolder { name: day.name, stamp: day.stamp, kept: Some(kept), is_unread: true, ..DateFolder::default() }
        });
        Some(Self {
            folders: Folders::of(head.stamp, dates.collect(), head.writers),
            numbers: head.numbers,
            parts: Parts::new(storage, parts.into_iter()),
            looked: head.looked,
        })
    }

    /// Saves all of it: what has changed since it was loaded goes into new parts, which are named by the new head.
    pub fn save(&mut self, storage: &Storage) -> io::Result<()> {
        let before: BTreeSet<u64> = self.parts.numbers().collect();
        let mut by_month: BTreeMap<String, Vec<&mut DateFolder>> = BTreeMap::new();
        for date in self.folders.dates_mut() {
            by_month.entry(month(&date.name).to_owned()).or_default().push(date);
        }
        for days in by_month.values_mut() {
            save_month(storage, &self.parts, days)?;
        }
        drop(by_month);
        let days = self.folders.dates_mut().filter_map(|date| {
            let kept = date.kept.as_ref().filter(|_| !date.is_lost)?;
            Some((date.name.clone(), date.stamp, kept.place, Arc::clone(&kept.summary)))
        });
        let days: Vec<_> = days.collect();
        // One that could not be read is found again by listing.
        let is_whole = !self.folders.dates_mut().any(|date| date.is_lost);
        let stamp = if is_whole { self.folders.stamp() } else { Stamp::default() };
        let writers = self.folders.writers();
        let parts: BTreeSet<u64> = days.iter().map(|(.., place, _)| place.part).collect();
        let head = (stamp, self.looked, writers, &self.numbers, DaysRef(&days));
        storage.write_whole(NAME, MAGIC, &postcard::to_stdvec(&head).map_err(io::Error::other)?)?;
        before.difference(&parts).for_each(|part| storage.retire_part(*part));
        self.parts = Parts::new(storage, parts.into_iter());
        Ok(())
    }
}

/// As [`Head::days`], without taking what is shared.
struct DaysRef<'a>(&'a [(String, Stamp, Place, Arc<Summary>)]);

impl Serialize for DaysRef<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(name, stamp, place, summary)| (name, stamp, place, &**summary)))
    }
}

/// The month that a date is of: `date=2025-09`.
fn month(date: &str) -> &str {
    date.rsplit_once('-').map_or(date, |(month, _)| month)
}

/// Writes a part anew where one of its days has changed.
fn save_month(storage: &Storage, parts: &Parts, days: &mut [&mut DateFolder]) -> io::Result<()> {
    let mut encoded: Vec<Option<Vec<u8>>> = Vec::with_capacity(days.len());
    let mut has_changed = false;
    for day in days.iter() {
        let bytes = if day.is_unread { None } else { Some(postcard::to_stdvec(&**day).map_err(io::Error::other)?) };
        let holds = |bytes: &Vec<u8>| day.kept.as_ref().is_some_and(|kept| kept.place.holds(bytes));
        has_changed |= bytes.as_ref().is_some_and(|bytes| !holds(bytes));
        encoded.push(bytes);
    }
    let mut part_of = days.iter().filter_map(|day| Some(day.kept.as_ref()?.place.part));
    let first = part_of.next();
    if !has_changed && part_of.all(|part| Some(part) == first) {
        return Ok(());
    }
    let mut part = NewPart::numbered(new_number());
    for (day, bytes) in days.iter_mut().zip(encoded) {
        let bytes = bytes.or_else(|| parts.read(&day.kept.as_ref()?.place));
        let Some(bytes) = bytes else {
            day.is_lost = true;
            continue;
        };
        let summary = if day.is_unread { day.kept.take().map(|kept| kept.summary) } else { Some(day.summary()) };
        let Some(summary) = summary else { continue };
        day.kept = Some(Kept { place: part.add(&bytes)?, summary });
    }
    storage.write_part(&part)
}
