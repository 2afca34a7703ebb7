//! What events contribute to a comparison of two ranges of time: how many of each type and service, who sent them, how long
//! they took, which steps each job has, and what errors say.
//!
//! A file all of whose events are of one slot of a range contributes as a whole, and that is kept of the files of the last days;
//! of all others the events are read.

mod reading;
mod row;
mod whole;

use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use arrow::array::RecordBatch;

use emp_catalog::{Sealed, Storage};
use emp_job::Offsets;
use emp_store::Layout;
use emp_system::all_threads;

use super::days::{Progress, day, of_day};
use super::kept::begins;
use reading::Reading;
use whole::Whole;

pub use row::{Compared, ComparedRows, ErrorsRow, Hashes, JobsRow, TypeRow, WorkRow, hash_of_job, middle_of_step};
pub(super) use whole::Whole as WholeFile;

/// So much waits for whoever takes it.
const WAITING_MAX: usize = 64;

/// By which clocks an event is of a slot.
#[derive(Debug, Clone, Copy)]
pub enum Clocks<'a> {
    /// As its producer says.
    AsSent,
    /// No event happens after it arrived, and those of a producer whose clock is behind happened later than they say.
    PutRight(&'a Offsets),
}

/// Ranges of time that are cut into slots.
pub struct Slots<'a> {
    /// From when to before when each of the ranges is, in ms since the epoch.
    pub ranges: &'a [(i64, i64)],
    /// The slot of a moment, ms since the epoch: a slot has no other one between two of its moments. `None` where it is of no range.
    pub slot_of: &'a (dyn Fn(i64) -> Option<usize> + Sync),
    /// By which clocks.
    pub clocks: Clocks<'a>,
}

impl Slots<'_> {
    /// The slot in which all lies that lies between two moments, both within.
    fn slot_of_all(&self, (first_ms, last_ms): (i64, i64)) -> Option<usize> {
        (self.slot_of)(first_ms).filter(|slot| (self.slot_of)(last_ms) == Some(*slot))
    }

    /// May an event of the file be of a range? Not of one that cannot be read.
    pub fn may_touch(&self, file: &Sealed) -> bool {
        let Ok(facts) = &file.facts else { return false };
        let bounds = match self.clocks {
            Clocks::AsSent => facts.timestamps,
            // What is put right lies between when it was sent and when it arrived.
            Clocks::PutRight(_) => {
                facts.timestamps.zip(facts.ingested).map(|(sent, arrived)| (sent.0.min(arrived.0), arrived.1))
            }
        };
        let is_touched = |(first_ms, last_ms)| {
            self.ranges.iter().any(|(since_ms, until_ms)| first_ms < *until_ms && *since_ms <= last_ms)
        };
        bounds.is_none_or(is_touched)
    }

    /// Is it likely that all events of the file are of one slot?
    fn may_hold(&self, file: &Sealed) -> bool {
        let bounds = |facts: &emp_catalog::Facts| match self.clocks {
            Clocks::AsSent => facts.timestamps,
            Clocks::PutRight(_) => facts.ingested,
        };
        file.facts.as_ref().ok().and_then(bounds).and_then(|bounds| self.slot_of_all(bounds)).is_some()
    }

    /// The slot of which all events of the file are; `None` where they are of several, or it is not known.
    fn slot_of_file(&self, file: &Sealed, whole: &Whole) -> Option<usize> {
        let (facts, put_right) = (file.facts.as_ref().ok()?, whole.put_right);
        match self.clocks {
            Clocks::AsSent => self.slot_of_all(facts.timestamps?),
            Clocks::PutRight(offsets) if !offsets.is_any_behind() => self.slot_of_all(put_right),
            // Which minute an error is of, is another one then.
            Clocks::PutRight(_) if whole.has_minutes() => None,
            Clocks::PutRight(_) => self.slot_of_all((put_right.0, facts.ingested?.1)),
        }
    }
}

/// What one thread has found.
type Found = io::Result<(usize, Compared)>;

impl Compared {
    /// Hands what the events of all files of a store, and other events, contribute to whoever takes it, piece by piece, each
    /// with its slot, in any order. What is missing of the store's last days is derived and kept for the next question; `progress` is told
    /// of how many files it has been derived.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn each(
        layout: &Layout,
        (files, others): (&[Sealed], &[&RecordBatch]),
        slots: &Slots<'_>,
        progress: Progress<'_>,
        take: &mut dyn FnMut(usize, Self),
    ) -> io::Result<()> {
        let touched: Vec<&Sealed> = files.iter().filter(|file| slots.may_touch(file)).collect();
        let days: Vec<&[&Sealed]> = touched.chunk_by(|a, b| day(a) == day(b)).collect();
        // What only the bucket has is fetched a few columns at a time, and kept there.
        let begins = begins(files).filter(|_| layout.away().is_none());
        let is_kept =
            |file: &Sealed| begins.is_some_and(|begins| file.partition.hour >= begins) && slots.may_hold(file);
        let storage = Storage::of(layout);
        let (derived, all) = (AtomicUsize::new(0), touched.iter().filter(|file| is_kept(file)).count());
        let tell = || progress((derived.fetch_add(1, Ordering::Relaxed) + 1).min(all), all);
        let look = Look { storage: &storage, slots, is_kept: &is_kept, tell: &tell };
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let (found, finds) = sync_channel::<Found>(WAITING_MAX);
            for _ in 0..all_threads().min(days.len()) {
                let found = found.clone();
                let (days, next, look) = (&days, &next, &look);
                scope.spawn(move || {
                    while let Some(files) = days.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if look.at_day(files, &found).is_none() {
                            return;
                        }
                    }
                });
            }
            drop(found);
            finds.into_iter().try_for_each(|found| found.map(|(slot, compared)| take(slot, compared)))
        })?;
        let mut reading = Reading::new();
        for batch in others {
            reading.add(batch, slots).map_err(io::Error::other)?;
        }
        reading.finish().into_iter().for_each(|(slot, compared)| take(slot, compared));
        Ok(())
    }
}

/// What all threads that look have in common.
struct Look<'a> {
    storage: &'a Storage,
    slots: &'a Slots<'a>,
    is_kept: &'a (dyn Fn(&Sealed) -> bool + Sync),
    /// Hears of each file of which something is derived.
    tell: &'a (dyn Fn() + Sync),
}

impl Look<'_> {
    /// `None` where nobody takes what is found any more.
    fn at_day(&self, files: &[&Sealed], found: &SyncSender<Found>) -> Option<()> {
        let (kept, mut read): (Vec<&Sealed>, Vec<&Sealed>) = files.iter().partition(|file| (self.is_kept)(file));
        let mut is_told = HashSet::new();
        for (position, whole) in of_day::<Option<Whole>>(self.storage, &kept, self.tell) {
            let Some(whole) = whole else { continue };
            let Some(file) = kept.iter().find(|file| file.position == position) else { continue };
            let Some(slot) = self.slots.slot_of_file(file, &whole) else { continue };
            is_told.insert(position);
            found.send(Ok((slot, whole.compared))).ok()?;
        }
        read.extend(kept.into_iter().filter(|file| !is_told.contains(&file.position)));
        emp_store::expect(read.iter().map(|file| &file.partition));
        for file in read {
            match Reading::of_file(&file.partition, self.slots) {
                Ok(compared) => compared.into_iter().try_for_each(|one| found.send(Ok(one)).ok())?,
                Err(error) => {
                    let shown = file.partition.shown();
                    let error = io::Error::new(error.kind(), format!("{}: {error}", shown.display()));
                    let _ = found.send(Err(error));
                    return None;
                }
            }
        }
        Some(())
    }
}
