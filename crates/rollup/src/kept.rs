//! What the files of a store contribute, as it is kept, and bringing it up to date.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use xxhash_rust::xxh3::xxh3_64;

use emp_catalog::{Sealed, SealedFiles, Storage};
use emp_store::{Hour, Layout, StoreError};
use emp_system::{all_threads, for_each_share, share};

use super::derive::{Kept, Rolled, derive};
use super::part::{Kind, Part, Record, remove_others};
use super::{HOUR_MS, Row};

/// A collector looks so far back for hours of which something is missing. Before that, whoever asks derives it.
const LOOK_BACK_MS: i64 = 48 * HOUR_MS;

/// What the files of one look at a store contribute.
#[derive(Debug, Default)]
pub struct Rollups {
    texts: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
    by_position: HashMap<usize, Vec<Row>>,
}

impl Rollups {
    /// What these files contribute. What is missing is derived and kept for the next question, day by day; where it
    /// cannot be kept, it stays missing. `progress` is told of how many files it has been derived, of how many.
    pub fn of(layout: &Layout, files: &[&Sealed], progress: &(dyn Fn(usize, usize) + Sync)) -> Self {
        let storage = Storage::of(layout);
        let days: Vec<&[&Sealed]> = files.chunk_by(|a, b| day(a) == day(b)).collect();
        let parts = for_each_share(days.chunks(share(days.len(), all_threads())), |days| {
            days.iter().map(|files| Day::read(&storage, files)).collect::<Vec<_>>()
        });
        let mut parts: Vec<Day<'_>> = parts.into_iter().flatten().collect();
        let missing = parts.iter().map(|day| day.missing.len()).sum();
        if storage.is_writable() && missing > 0 {
            let (derived, size) = (AtomicUsize::new(0), share(parts.len(), all_threads()));
            let tell = || progress(derived.fetch_add(1, Ordering::Relaxed) + 1, missing);
            for_each_share(parts.chunks_mut(size), |days| {
                // What cannot be kept is derived again the next time.
                days.iter_mut().for_each(|day| _ = day.complete(&storage, &tell));
            });
        }
        let mut all = Self::default();
        parts.into_iter().flat_map(|day| day.known).for_each(|(position, kept)| all.take(position, kept));
        all
    }

    /// What a file contributes; `None` where it has to be read.
    pub fn rows(&self, file: &Sealed) -> Option<&[Row]> {
        self.by_position.get(&file.position).map(Vec::as_slice)
    }

    /// The names, by their numbers.
    pub fn texts(&self) -> &[Box<str>] {
        &self.texts
    }

    fn take(&mut self, position: usize, kept: Kept) {
        let Rolled::Rows(rows) = kept.rolled else { return };
        let numbers: Vec<u32> = kept.names.into_iter().map(|name| self.number(name)).collect();
        let number = |of_file: u32| of_file.checked_sub(1).and_then(|at| numbers.get(at as usize).copied());
        let rows = rows.into_iter().map(|row| Row {
            hour_ms: row.hour * HOUR_MS,
            names: row.names.map(number),
            events: row.events,
            first_ms: row.hour * HOUR_MS + i64::from(row.times.0),
            last_ms: row.hour * HOUR_MS + i64::from(row.times.1),
            durations: row.durations,
        });
        self.by_position.insert(position, rows.collect());
    }

    fn number(&mut self, name: Box<str>) -> u32 {
        *self.numbers.entry(name).or_insert_with_key(|name| {
            self.texts.push(name.clone());
            // No store has that many names.
            (self.texts.len() - 1) as u32
        })
    }
}

/// Derives what is missing of hours that are over, and forgets days that have gone: what a collector does as hours are
/// sealed. `until` is the first hour that is not over.
///
/// # Errors
/// [`StoreError`] where it cannot be written.
pub fn bring_up_to_date(layout: &Layout, files: &SealedFiles, until: Hour) -> Result<(), StoreError> {
    let storage = Storage::of(layout);
    let since_ms = until.start_ms() - LOOK_BACK_MS;
    let is_recent = |file: &&Sealed| file.partition.hour < until && file.partition.hour.start_ms() >= since_ms;
    let recent: Vec<&Sealed> = files.files.iter().filter(is_recent).collect();
    let failed = |source| StoreError::Io { action: "write", path: layout.index(), source };
    for files in recent.chunk_by(|a, b| day(a) == day(b)) {
        Day::missing(&storage, files).complete(&storage, &|| ()).map_err(failed)?;
    }
    let days = files.files.iter().map(|file| file.partition.hour.date()).collect();
    remove_others(&storage, &days).map_err(failed)
}

/// The first hour of the day of a file.
pub(super) fn day(file: &Sealed) -> Hour {
    const DAY_MS: i64 = 24 * HOUR_MS;
    Hour::of_ms(file.partition.hour.start_ms().div_euclid(DAY_MS) * DAY_MS)
}

/// The number under which what a file contributes is kept.
pub(super) fn number(file: &Sealed) -> u64 {
    let partition = &file.partition;
    let mut bytes = partition.path.file_name().unwrap_or_default().as_encoded_bytes().to_vec();
    let rows = file.facts.as_ref().map_or(0, |facts| facts.rows);
    [file.identity, rows, partition.bytes].into_iter().for_each(|number| bytes.extend(number.to_le_bytes()));
    bytes.extend(partition.hour.start_ms().to_le_bytes());
    xxh3_64(&bytes)
}

/// Some files of one day.
struct Day<'a> {
    part: Part,
    /// The numbers of all of them.
    files: BTreeSet<u64>,
    /// By position.
    known: Vec<(usize, Kept)>,
    missing: Vec<(u64, &'a Sealed)>,
}

impl<'a> Day<'a> {
    /// With what is known about them.
    fn read(storage: &Storage, files: &[&'a Sealed]) -> Self {
        Self::look(storage, files, |payload| postcard::from_bytes(payload).ok())
    }

    /// The same without what is known.
    fn missing(storage: &Storage, files: &[&'a Sealed]) -> Self {
        Self { known: Vec::new(), ..Self::look(storage, files, |_| Some(Kept::default())) }
    }

    fn look(storage: &Storage, files: &[&'a Sealed], decode: impl Fn(&[u8]) -> Option<Kept>) -> Self {
        // There is a first, as all of them are of one day.
        let part = Part::read(storage, Kind::Events, files.first().map_or(Hour::of_ms(0), |file| day(file)));
        let mut wanted: HashMap<u64, &'a Sealed> =
            files.iter().filter(|file| file.facts.is_ok()).map(|file| (number(file), *file)).collect();
        let numbers = wanted.keys().copied().collect();
        let mut known = Vec::with_capacity(wanted.len());
        for (number, payload) in part.records() {
            let Some(file) = wanted.get(&number) else { continue };
            if let Some(kept) = decode(payload) {
                known.push((file.position, kept));
                wanted.remove(&number);
            }
        }
        let mut missing: Vec<(u64, &Sealed)> = wanted.into_iter().collect();
        missing.sort_unstable_by_key(|(_, file)| file.position);
        Self { part, files: numbers, known, missing }
    }

    /// Derives what is missing, and keeps it; `tell` hears of each file.
    fn complete(&mut self, storage: &Storage, tell: &dyn Fn()) -> std::io::Result<()> {
        let mut records: Vec<Record> = Vec::with_capacity(self.missing.len());
        for (number, file) in std::mem::take(&mut self.missing) {
            let kept = derive(&file.partition);
            records.push((number, postcard::to_stdvec(&kept).map_err(std::io::Error::other)?));
            self.known.push((file.position, kept));
            tell();
        }
        if records.is_empty() || !storage.is_writable() {
            return Ok(());
        }
        self.part.add(storage, &records, &self.files)
    }
}
