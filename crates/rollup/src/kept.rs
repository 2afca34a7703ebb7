//! What the files of a store contribute, as it is kept, and bringing it up to date.

use std::collections::HashMap;

use emp_catalog::{Sealed, SealedFiles, Storage};
use emp_store::{Hour, Layout, StoreError};

use super::arrivals::Arrivals;
use super::compared::WholeFile;
use super::days::{complete, contributions, day};
use super::derive::{Kept, Rolled};
use super::part::{Kind, remove_others};
use super::{HOUR_MS, Row};

/// A collector looks so far back for hours of which something is missing. Before that, whoever asks derives it.
const LOOK_BACK_MS: i64 = 48 * HOUR_MS;

/// Most questions are about the last month at most, beside the one before it. What only those need is kept of so many days.
const LAST_DAYS: usize = 62;

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
        let mut all = Self::default();
        contributions(layout, files, progress).into_iter().for_each(|(position, kept)| all.take(position, kept));
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
        let Rolled::Rows(first_hour, rows) = kept.rolled else { return };
        let numbers: Vec<u32> = kept.names.into_iter().map(|name| self.number(name)).collect();
        let number = |of_file: u32| of_file.checked_sub(1).and_then(|at| numbers.get(at as usize).copied());
        self.by_position.insert(position, rows.into_iter().map(|row| row.row(first_hour, number)).collect());
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
    complete::<Kept>(&storage, &recent).map_err(failed)?;
    let begins = begins(&files.files);
    let is_of_last_days = |file: &Sealed| begins.is_some_and(|begins| file.partition.hour >= begins);
    let of_last_days: Vec<&Sealed> = recent.into_iter().filter(|file| is_of_last_days(file)).collect();
    complete::<Option<Arrivals>>(&storage, &of_last_days).map_err(failed)?;
    complete::<Option<WholeFile>>(&storage, &of_last_days).map_err(failed)?;
    let date = |file: &Sealed| file.partition.hour.date();
    let days = files.files.iter().map(date).collect();
    let last_days = files.files.iter().filter(|file| is_of_last_days(file)).map(date).collect();
    let is_of_last_days = |kind| matches!(kind, Kind::Arrivals | Kind::Compared);
    remove_others(&storage, |kind| if is_of_last_days(kind) { &last_days } else { &days }).map_err(failed)
}

/// The first hour of the last days; `None` where there are no files.
pub(super) fn begins(files: &[Sealed]) -> Option<Hour> {
    let last_days = files.chunk_by(|a, b| day(a) == day(b)).rev().take(LAST_DAYS);
    last_days.last().map(|of_day| day(&of_day[0]))
}
