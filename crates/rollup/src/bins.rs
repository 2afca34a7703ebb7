//! Times of jobs, counted by size: a sketch that is being put together, or asked.

use super::sketch::{Sketch, each_bin, middle_of};

/// Binary digits that the sketches of jobs drop: of 52 they keep 6, so that a quantile is off by less than 1 %.
const DROPPED_BITS: u32 = 46;
/// The bin of 1 ms. Times are whole milliseconds: there is none between it and the bin of nothing.
const FIRST: u32 = (1.0_f64.to_bits() >> DROPPED_BITS) as u32;
/// No time is longer than fits 63 digits.
const PLACES_MAX: usize = 64 << (52 - DROPPED_BITS);

/// How often each size occurs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bins {
    /// Nothing first, then from 1 ms on.
    counts: Vec<u64>,
    all: u64,
}

impl Bins {
    /// Counts one; what is below zero counts as nothing.
    pub fn add(&mut self, ms: i64) {
        self.add_many(((ms.max(0) as f64).to_bits() >> DROPPED_BITS) as u32, 1);
    }

    /// Counts all that a sketch does.
    pub fn add_all(&mut self, sketch: &Sketch) {
        each_bin(sketch.as_bytes(), |bin, count| self.add_many(bin, count));
    }

    /// Counts all that others do.
    pub fn merge(&mut self, other: &Self) {
        self.counts.resize(self.counts.len().max(other.counts.len()), 0);
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, other)| *own += other);
        self.all += other.all;
    }

    fn add_many(&mut self, bin: u32, count: u64) {
        let place = if bin == 0 { Some(0) } else { bin.checked_sub(FIRST).map(|above| above as usize + 1) };
        // What is no time of whole milliseconds was written by nobody.
        let Some(place) = place.filter(|place| *place < PLACES_MAX) else { return };
        if place >= self.counts.len() {
            self.counts.resize(place + 1, 0);
        }
        self.counts[place] += count;
        self.all += count;
    }

    /// In few bytes.
    pub fn sketch(&self) -> Sketch {
        let counts = (0..).zip(&self.counts).filter(|(_, count)| **count > 0);
        Sketch::of(&counts.map(|(place, count)| (bin_of(place), *count)).collect())
    }

    /// That share of all is no longer, in ms, within 1 %: with linear interpolation between the two nearest.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let place = self.all.checked_sub(1)? as f64 * share;
        let (low, high) = (self.nth(place.floor() as u64)?, self.nth(place.ceil() as u64)?);
        Some(low + (high - low) * place.fract())
    }

    fn nth(&self, nth: u64) -> Option<f64> {
        let mut passed = 0;
        let mut counts = (0..).zip(&self.counts);
        let found = counts.find(|(_, count)| {
            passed += **count;
            nth < passed
        });
        found.map(|(place, _)| middle_of(u64::from(bin_of(place)), DROPPED_BITS))
    }
}

fn bin_of(place: u32) -> u32 {
    place.checked_sub(1).map_or(0, |above| FIRST + above)
}
