//! What files contribute, day by day: read from what is kept, derived where it is missing.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use xxhash_rust::xxh3::xxh3_64;

use emp_catalog::{Sealed, Storage};
use emp_store::{Hour, Layout, Partition};
use emp_system::{all_threads, for_each_share, share};

use super::HOUR_MS;
use super::day_names::DayNames;
use super::part::{Kind, Part, Record};

/// What one file contributes by itself, whatever other files there are.
pub(super) trait Contribution: Sized + Send {
    /// Where it is kept.
    const KIND: Kind;

    /// Reads it from the file.
    fn derive(file: &Partition) -> Self;

    /// What is kept of it; `None` where it cannot be.
    fn encode(&self, names: &mut DayNames) -> Option<Vec<u8>>;

    /// From what was kept; `None` where it is not what it should be.
    fn decode(bytes: &[u8], names: &DayNames) -> Option<Self>;

    /// The number under which it is kept.
    fn number(file: &Sealed) -> u64 {
        number(file)
    }
}

/// Told of how many files something has been derived, of how many.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// What each of these files contributes, by its position. What is missing is derived and kept for the next question, day by
/// day; where it cannot be kept, it stays missing. `progress` is told of how many files it has been derived, of how
/// many.
pub(super) fn contributions<T: Contribution>(
    layout: &Layout,
    files: &[&Sealed],
    progress: Progress<'_>,
) -> Vec<(usize, T)> {
    let take = |all: &mut Vec<(usize, T)>, position, one| all.push((position, one));
    fold(layout, files, progress, &take).into_iter().flatten().collect()
}

/// The same, put together one by one: as many results as threads have worked at it. Of no more than a day all is held at
/// a time, but of what is derived.
pub(super) fn fold<T: Contribution, A: Default + Send>(
    layout: &Layout,
    files: &[&Sealed],
    progress: Progress<'_>,
    take: &(dyn Fn(&mut A, usize, T) + Sync),
) -> Vec<A> {
    let storage = Storage::of(layout);
    let days: Vec<&[&Sealed]> = files.chunk_by(|a, b| day(a) == day(b)).collect();
    let folded = for_each_share(days.chunks(share(days.len(), all_threads())), |days| {
        let (mut folded, mut incomplete) = (A::default(), Vec::new());
        for files in days {
            let mut day = Day::<T>::read(&storage, files);
            day.known.drain(..).for_each(|(position, one)| take(&mut folded, position, one));
            incomplete.extend(Some(day).filter(|day| !day.missing.is_empty()));
        }
        (folded, incomplete)
    });
    let (mut folded, incomplete): (Vec<A>, Vec<_>) = folded.into_iter().unzip();
    let mut incomplete: Vec<Day<'_, T>> = incomplete.into_iter().flatten().collect();
    if storage.is_writable() {
        let missing = incomplete.iter().map(|day| day.missing.len()).sum();
        let (derived, size) = (AtomicUsize::new(0), share(incomplete.len(), all_threads()));
        let tell = || progress(derived.fetch_add(1, Ordering::Relaxed) + 1, missing);
        folded.extend(for_each_share(incomplete.chunks_mut(size), |days| {
            let mut folded = A::default();
            for day in days {
                // What cannot be kept is derived again the next time.
                let _ = day.complete(&storage, &tell);
                day.known.drain(..).for_each(|(position, one)| take(&mut folded, position, one));
            }
            folded
        }));
    }
    folded
}

/// The same of files of one day.
pub(super) fn of_day<T: Contribution>(storage: &Storage, files: &[&Sealed], tell: &dyn Fn()) -> Vec<(usize, T)> {
    let mut day = Day::read(storage, files);
    if storage.is_writable() {
        // What cannot be kept is derived again the next time.
        let _ = day.complete(storage, tell);
    }
    day.known
}

/// Derives what is missing of these files, and keeps it.
///
/// # Errors
/// Where it cannot be written.
pub(super) fn complete<T: Contribution>(storage: &Storage, files: &[&Sealed]) -> io::Result<()> {
    files
        .chunk_by(|a, b| day(a) == day(b))
        .try_for_each(|files| Day::<T>::missing(storage, files).complete(storage, &|| ()))
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
struct Day<'a, T> {
    part: Part,
    names: DayNames,
    /// The numbers of all of them.
    files: BTreeSet<u64>,
    /// By position.
    known: Vec<(usize, T)>,
    missing: Vec<(u64, &'a Sealed)>,
}

impl<'a, T: Contribution> Day<'a, T> {
    /// With what is known about them.
    fn read(storage: &Storage, files: &[&'a Sealed]) -> Self {
        Self::look(storage, files, (T::KIND, T::number), T::decode)
    }

    /// The same without what is known.
    fn missing(storage: &Storage, files: &[&'a Sealed]) -> Self {
        let Day { part, names, files, missing, .. } = Day::look(storage, files, (T::KIND, T::number), |_, _| Some(()));
        Self { part, names, files, known: Vec::new(), missing }
    }
}

impl<'a, T> Day<'a, T> {
    fn look(
        storage: &Storage,
        files: &[&'a Sealed],
        (kind, number): (Kind, fn(&Sealed) -> u64),
        decode: impl Fn(&[u8], &DayNames) -> Option<T>,
    ) -> Self {
        // There is a first, as all of them are of one day.
        let part = Part::read(storage, kind, files.first().map_or(Hour::of_ms(0), |file| day(file)));
        let names = DayNames::read(&part);
        let mut wanted: HashMap<u64, &'a Sealed> =
            files.iter().filter(|file| file.facts.is_ok()).map(|file| (number(file), *file)).collect();
        let numbers = wanted.keys().copied().collect();
        let mut known = Vec::with_capacity(wanted.len());
        for (number, payload) in part.records() {
            let Some(file) = wanted.get(&number) else { continue };
            if let Some(kept) = decode(payload, &names) {
                known.push((file.position, kept));
                wanted.remove(&number);
            }
        }
        let mut missing: Vec<(u64, &Sealed)> = wanted.into_iter().collect();
        missing.sort_unstable_by_key(|(_, file)| file.position);
        Self { part, names, files: numbers, known, missing }
    }
}

impl<T: Contribution> Day<'_, T> {
    /// Derives what is missing, and keeps it; `tell` hears of each file.
    fn complete(&mut self, storage: &Storage, tell: &dyn Fn()) -> io::Result<()> {
        let mut records: Vec<Record> = Vec::with_capacity(self.missing.len());
        for (number, file) in std::mem::take(&mut self.missing) {
            let kept = T::derive(&file.partition);
            // What cannot be kept is derived each time.
            records.extend(kept.encode(&mut self.names).map(|bytes| (number, bytes)));
            self.known.push((file.position, kept));
            tell();
        }
        if records.is_empty() || !storage.is_writable() {
            return Ok(());
        }
        records.extend_from_slice(self.names.added());
        self.part.add(storage, &records, &self.files.iter().copied().chain(self.names.numbers()).collect())
    }
}
