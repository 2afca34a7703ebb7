//! What all events of one file contribute, as it is kept.

use std::sync::OnceLock;

use emp_catalog::Sealed;
use emp_job::{Offsets, vocabulary};
use emp_store::Partition;
use xxhash_rust::xxh3::xxh3_64;

use super::reading::Reading;
use super::row::{Compared, ComparedRows};
use super::{Clocks, Slots};
use crate::day_names::{DayNames, NameHash};
use crate::days::{Contribution, number};
use crate::part::Kind;

/// Of a file with more jobs and durations than these nothing is kept: reading it takes long enough as it is.
const ROWS_MAX: usize = 1 << 16;

/// What a file contributes, whatever ranges are asked about.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Whole {
    /// When the first of its events happened, and the last, put right where no clock is behind, in ms since the epoch.
    pub put_right: (i64, i64),
    pub compared: Compared,
}

impl Whole {
    fn of(file: &Partition) -> Option<Self> {
        let (whole, offsets) = (|_| Some(0), Offsets::default());
        let slots = Slots { ranges: &[], slot_of: &whole, clocks: Clocks::PutRight(&offsets) };
        let reading = Reading::through(file, &slots, ROWS_MAX).ok()??;
        let put_right = reading.put_right.known()?;
        let (_, compared) = reading.finish().into_iter().next()?;
        Some(Self { put_right, compared })
    }

    /// Does it have errors that are told by the minute in which they happened?
    pub fn has_minutes(&self) -> bool {
        self.compared.rows.errors.iter().any(|row| row.minutes.iter().any(|minutes| !minutes.is_empty()))
    }
}

/// Nothing is kept of a file that cannot be read, or of which an event does not say when it happened.
impl Contribution for Option<Whole> {
    const KIND: Kind = Kind::Compared;

    fn derive(file: &Partition) -> Self {
        Whole::of(file)
    }

    fn encode(&self, names: &mut DayNames) -> Option<Vec<u8>> {
        let Some(whole) = self else { return postcard::to_stdvec(&None::<Encoded>).ok() };
        let hashes = names.hashes_of(&whole.compared.names)?;
        postcard::to_stdvec(&Some((whole.put_right, hashes, &whole.compared.rows))).ok()
    }

    fn decode(bytes: &[u8], names: &DayNames) -> Option<Self> {
        let kept: Option<Encoded> = postcard::from_bytes(bytes).ok()?;
        let Some((put_right, hashes, rows)) = kept else { return Some(None) };
        let names: Option<Vec<Box<str>>> = hashes.into_iter().map(|hash| names.name(hash).map(Box::from)).collect();
        let names = names?;
        let are_named = rows.each_name().all(|number| number as usize <= names.len());
        are_named.then(|| Some(Whole { put_right, compared: Compared { names: names.into(), rows } }))
    }

    fn number(file: &Sealed) -> u64 {
        let numbers = [by_vocabulary(), number(file)];
        xxh3_64(&numbers.map(u64::to_le_bytes).concat())
    }
}

/// By its keys data tell of connectors, kinds of jobs and errors, and its types begin jobs.
fn by_vocabulary() -> u64 {
    static NUMBER: OnceLock<u64> = OnceLock::new();
    *NUMBER.get_or_init(|| vocabulary().fingerprint())
}

type Encoded = ((i64, i64), Vec<NameHash>, ComparedRows);
