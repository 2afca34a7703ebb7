//! What whole stores contribute, where nobody asks hour by hour: the rows of a type, service and level are put together
//! while they are read, so that a year of hours takes no more memory than one.

use std::collections::HashMap;

use emp_catalog::Sealed;
use emp_store::Layout;

use super::days::{Progress, fold};
use super::derive::{Kept, Rolled};
use super::names::Names;
use super::sketch::{DROPPED_BITS, Sketch, each_bin};
use super::{Durations, NAMES, Row};

/// What the files of one look at a store contribute, all hours of a range as one.
#[derive(Debug, Default)]
pub struct Totals {
    /// Their hours are none.
    pub rows: Vec<Row>,
    /// The names in the rows, by their numbers.
    pub texts: Vec<Box<str>>,
    /// Of each file that contributes, by its position: has it something outside of the range?
    files: HashMap<usize, bool>,
}

impl Totals {
    /// What these files contribute of the hours for which `is_within` holds, which is given their first ms since the epoch.
    /// Of what is missing and of `progress`, see [`super::Rollups::of`].
    pub fn of(
        layout: &Layout,
        files: &[&Sealed],
        is_within: impl Fn(i64) -> bool + Sync,
        progress: Progress<'_>,
    ) -> Self {
        let take = |adding: &mut Adding, position, kept| adding.take(position, kept, &is_within);
        let mut all = Adding::default();
        fold::<Kept, Adding>(layout, files, progress, &take).into_iter().for_each(|adding| all.merge(adding));
        all.finish()
    }

    /// Has the file, beside what it contributes, something outside of the range? `None` where it has to be read.
    pub fn has_rest(&self, file: &Sealed) -> Option<bool> {
        self.files.get(&file.position).copied()
    }
}

/// Some files' rows, put together.
#[derive(Default)]
struct Adding {
    names: Names,
    by_names: HashMap<[u32; NAMES.len()], Group>,
    files: HashMap<usize, bool>,
}

/// Rows of one type, service and level.
#[derive(Default)]
struct Group {
    events: u64,
    times: Option<(i64, i64)>,
    durations: Option<(u64, f64, f64, f64)>,
    bins: Bins,
}

impl Adding {
    fn take(&mut self, position: usize, kept: Kept, is_within: impl Fn(i64) -> bool) {
        let Rolled::Rows(first_hour, rows) = kept.rolled else { return };
        let numbers: Vec<u32> = kept.names.iter().map(|name| self.names.number(name)).collect();
        let number = |of_file: u32| of_file.checked_sub(1).and_then(|at| numbers.get(at as usize).copied());
        let mut has_rest = false;
        for row in rows {
            let row = row.row(first_hour, number);
            match is_within(row.hour_ms) {
                true => {
                    let names = row.names.map(Option::unwrap_or_default);
                    self.by_names.entry(names).or_default().add(&row);
                }
                false => has_rest = true,
            }
        }
        self.files.insert(position, has_rest);
    }

    fn merge(&mut self, other: Self) {
        for (names, group) in other.by_names {
            let own = names.map(|number| other.names.name(number).map_or(0, |name| self.names.number(name)));
            self.by_names.entry(own).or_default().merge(group);
        }
        self.files.extend(other.files);
    }

    fn finish(self) -> Totals {
        let row = |(names, group): ([u32; NAMES.len()], Group)| group.finish(names.map(|number| number.checked_sub(1)));
        let mut rows: Vec<Row> = self.by_names.into_iter().map(row).collect();
        rows.sort_unstable_by_key(|row| row.names);
        Totals { rows, texts: self.names.into_names(), files: self.files }
    }
}

impl Group {
    fn add(&mut self, row: &Row) {
        self.events += row.events;
        self.note_times((row.first_ms, row.last_ms));
        if let Some(Durations { count, sum_ms, least_ms, greatest_ms, sketch }) = &row.durations {
            self.note_durations((*count, *sum_ms, *least_ms, *greatest_ms));
            self.bins.add_all(sketch);
        }
    }

    fn merge(&mut self, other: Self) {
        self.events += other.events;
        other.times.into_iter().for_each(|times| self.note_times(times));
        other.durations.into_iter().for_each(|durations| self.note_durations(durations));
        self.bins.merge(other.bins);
    }

    fn note_times(&mut self, (first_ms, last_ms): (i64, i64)) {
        let times = self.times.get_or_insert((first_ms, last_ms));
        *times = (times.0.min(first_ms), times.1.max(last_ms));
    }

    fn note_durations(&mut self, (count, sum_ms, least_ms, greatest_ms): (u64, f64, f64, f64)) {
        // As SQL has it, what is no number is the greatest.
        let least = |a: f64, b: f64| if a.total_cmp(&b).is_le() { a } else { b };
        let greatest = |a: f64, b: f64| if a.total_cmp(&b).is_ge() { a } else { b };
        self.durations = Some(match self.durations {
            Some((all, sum, low, high)) => {
                (all + count, sum + sum_ms, least(low, least_ms), greatest(high, greatest_ms))
            }
            None => (count, sum_ms, least_ms, greatest_ms),
        });
    }

    fn finish(self, names: [Option<u32>; NAMES.len()]) -> Row {
        let (first_ms, last_ms) = self.times.unwrap_or_default();
        let durations = self.durations.map(|(count, sum_ms, least_ms, greatest_ms)| Durations {
            count,
            sum_ms,
            least_ms,
            greatest_ms,
            sketch: self.bins.sketch(),
        });
        Row { hour_ms: 0, names, events: self.events, first_ms, last_ms, durations }
    }
}

/// Bins of one power of two, of which a sketch keeps nine digits.
const PAGE: u32 = 1 << 9;
/// Bins of all durations.
const BINS: u32 = 1 << (64 - DROPPED_BITS);

/// The bins of many sketches, by pages: durations lie close together, and most pages are never there.
#[derive(Default)]
struct Bins(Vec<Option<Box<[u64; PAGE as usize]>>>);

impl Bins {
    fn add_all(&mut self, sketch: &Sketch) {
        each_bin(sketch.as_bytes(), |bin, count| {
            // Of others no duration can be.
            if bin < BINS {
                self.page((bin / PAGE) as usize)[(bin % PAGE) as usize] += count;
            }
        });
    }

    fn merge(&mut self, other: Self) {
        for (number, counts) in other.0.into_iter().enumerate() {
            let Some(counts) = counts else { continue };
            self.page(number).iter_mut().zip(counts.iter()).for_each(|(own, other)| *own += other);
        }
    }

    fn page(&mut self, number: usize) -> &mut [u64; PAGE as usize] {
        if self.0.len() <= number {
            self.0.resize_with(number + 1, || None);
        }
        self.0[number].get_or_insert_with(|| Box::new([0; PAGE as usize]))
    }

    fn sketch(&self) -> Sketch {
        let firsts = (0..).step_by(PAGE as usize);
        let pages = firsts.zip(&self.0).filter_map(|(first, counts)| Some((first, counts.as_deref()?)));
        let bins = pages.flat_map(|(first, counts)| (first..).zip(*counts)).filter(|(_, count)| *count > 0);
        Sketch::of(&bins.collect())
    }
}
