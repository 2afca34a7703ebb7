//! When what each producer sent has arrived, minute by minute: what tells whose clock is wrong.
//!
//! Nearly every question about jobs asks that of the last week. So of the files of the last days it is kept; of older ones it is
//! read.

use std::collections::{BTreeMap, HashMap};
use std::io;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatchReader as _;
use serde::{Deserialize, Serialize};

use emp_catalog::Sealed;
use emp_store::{Layout, Partition};
use emp_system::{all_threads, for_each_share, share};

use super::day_names::DayNames;
use super::days::{Contribution, contributions};
use super::derive::{millis, reader};
use super::kept::begins;
use super::names::Names;
use super::part::Kind;

const MINUTE_MS: i64 = 60_000;
/// An event that arrives so much before it happened proves nothing: both clocks are read in ms, and at two moments.
const PROVEN_MS: i64 = 20;
/// Of a file with more rows than these nothing is kept: it would be as long as the file.
const ROWS_MAX: usize = 1 << 16;
/// Who sent it.
const NAMES: [&str; 3] = ["worker_id", "machine_id", "service"];
/// When it happened, and when it arrived; of a file of another writer without the last, the ID of the entry tells.
const HAPPENED: &str = "timestamp";
const ARRIVED: &str = "ingested_at";
const ID: &str = "id";

/// Whoever sends events, by the names that these have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Producer {
    /// The worker, where it is one.
    pub worker: Option<Box<str>>,
    /// The machine that it says it is on.
    pub machine: Option<Box<str>>,
    /// The service.
    pub service: Option<Box<str>>,
}

impl Producer {
    /// Whose clock it goes by: the worker's, else the machine's, else the service's.
    pub fn clock(&self) -> Option<&str> {
        self.worker.as_deref().or(self.machine.as_deref()).or(self.service.as_deref())
    }
}

/// What has arrived of a producer in one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minute {
    /// When the minute begins, in minutes since the epoch.
    pub minute: i64,
    /// How many events.
    pub events: u64,
    /// How many of them arrived before they happened, by more than two clocks that are right can differ.
    pub ahead: u64,
    /// How long before it happened one arrived at most, in ms; below zero where the quickest took so long.
    pub ahead_ms: i64,
}

impl Minute {
    /// Its first ms since the epoch.
    pub const fn start_ms(self) -> i64 {
        self.minute * MINUTE_MS
    }

    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.ahead += other.ahead;
        self.ahead_ms = self.ahead_ms.max(other.ahead_ms);
    }
}

/// What has arrived of each producer, the minutes in their order, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrivals(BTreeMap<Producer, Vec<Minute>>);

impl Arrivals {
    /// What arrived between two moments, ms since the epoch, both within: of all files of a store, and of other events. Of
    /// the files of its last days it is kept for the next question.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn within(
        layout: &Layout,
        (files, others): (&[Sealed], &[&RecordBatch]),
        (since_ms, until_ms): (i64, i64),
    ) -> io::Result<Self> {
        let arrived = |file: &Sealed| file.facts.as_ref().ok().and_then(|facts| facts.ingested);
        let is_touched = |file: &&Sealed| {
            file.facts.is_ok() && arrived(file).is_none_or(|(first, last)| first <= until_ms && since_ms <= last)
        };
        let is_whole = |file: &Sealed| arrived(file).is_some_and(|(first, last)| since_ms <= first && last <= until_ms);
        let touched = || files.iter().filter(is_touched);
        let begins = begins(files);
        // What only the bucket has is fetched a few columns at a time, and kept there.
        let kept: Vec<&Sealed> = match layout.away() {
            None => touched()
                .filter(|file| is_whole(file) && begins.is_some_and(|begins| file.partition.hour >= begins))
                .collect(),
            Some(_) => Vec::new(),
        };
        let mut all = Self::default();
        let mut are_told = vec![false; files.len()];
        for (position, arrivals) in contributions::<Option<Self>>(layout, &kept, &|_, _| ()) {
            if let Some(arrivals) = arrivals {
                are_told[position] = true;
                all.append(arrivals);
            }
        }
        let read: Vec<&Sealed> = touched().filter(|file| !are_told[file.position]).collect();
        emp_store::expect(read.iter().map(|file| &file.partition));
        let arrivals = for_each_share(read.chunks(share(read.len(), all_threads())), |files| {
            let failed = |file: &Sealed, error: io::Error| {
                io::Error::new(error.kind(), format!("{}: {error}", file.partition.shown().display()))
            };
            let mut all = Self::default();
            for file in files {
                let read = Self::read(&file.partition, (since_ms, until_ms), usize::MAX);
                all.append(read.map_err(|error| failed(file, error))?.unwrap_or_default());
            }
            Ok::<_, io::Error>(all)
        });
        arrivals.into_iter().try_for_each(|arrivals| arrivals.map(|arrivals| all.append(arrivals)))?;
        let mut read = Reading::new((since_ms, until_ms));
        others.iter().try_for_each(|batch| read.add(batch)).map_err(io::Error::other)?;
        all.append(read.finish());
        all.0.values_mut().for_each(sort);
        Ok(all)
    }

    /// Each producer, with the minutes in which something of it arrived.
    pub fn iter(&self) -> impl Iterator<Item = (&Producer, &[Minute])> {
        self.0.iter().map(|(producer, minutes)| (producer, minutes.as_slice()))
    }

    /// The minutes of each clock, by [`Producer::clock`].
    pub fn by_clock(&self) -> BTreeMap<&str, Vec<Minute>> {
        let mut all: BTreeMap<&str, Vec<Minute>> = BTreeMap::new();
        for (producer, minutes) in &self.0 {
            let Some(clock) = producer.clock() else { continue };
            all.entry(clock).or_default().extend_from_slice(minutes);
        }
        all.values_mut().for_each(sort);
        all
    }

    /// `None` where there are more rows than that.
    fn read(file: &Partition, within: (i64, i64), rows_max: usize) -> io::Result<Option<Self>> {
        let mut reading = Reading::new(within);
        let columns = |arrived| NAMES.into_iter().chain([HAPPENED, arrived]);
        let mut batches = reader(file, columns(ARRIVED))?;
        if batches.schema().column_with_name(ARRIVED).is_none() {
            batches = reader(file, columns(ID))?;
        }
        for batch in batches {
            reading.add(&batch.map_err(io::Error::other)?).map_err(io::Error::other)?;
            if reading.minutes.len() > rows_max {
                return Ok(None);
            }
        }
        Ok(Some(reading.finish()))
    }

    /// The minutes have to be put in order after it.
    fn append(&mut self, other: Self) {
        other.0.into_iter().for_each(|(producer, minutes)| self.0.entry(producer).or_default().extend(minutes));
    }
}

/// Puts minutes in their order, each once.
fn sort(minutes: &mut Vec<Minute>) {
    if minutes.is_sorted_by(|a, b| a.minute < b.minute) {
        return;
    }
    minutes.sort_by_key(|minute| minute.minute);
    minutes.dedup_by(|later, first| {
        let is_same = later.minute == first.minute;
        if is_same {
            first.add(*later);
        }
        is_same
    });
}

fn count_minutes_by(arrivals: &mut Option<Arrivals>, change: impl Fn(i64) -> i64) {
    let minutes = arrivals.iter_mut().flat_map(|arrivals| arrivals.0.values_mut().flatten());
    minutes.for_each(|minute| minute.minute = change(minute.minute));
}

/// Nothing is kept of a file that cannot be read, or has too many rows.
impl Contribution for Option<Arrivals> {
    const KIND: Kind = Kind::Arrivals;

    fn derive(file: &Partition) -> Self {
        Arrivals::read(file, (i64::MIN, i64::MAX), ROWS_MAX).ok().flatten()
    }

    /// Minutes count from the first one of the file.
    fn encode(&self, _names: &mut DayNames) -> Option<Vec<u8>> {
        let first = self.iter().flat_map(|arrivals| arrivals.0.values().flatten()).map(|minute| minute.minute).min();
        let mut counted = self.clone();
        count_minutes_by(&mut counted, |minute| minute - first.unwrap_or_default());
        postcard::to_stdvec(&(first, counted)).ok()
    }

    fn decode(bytes: &[u8], _names: &DayNames) -> Option<Self> {
        let (first, mut counted): (Option<i64>, Self) = postcard::from_bytes(bytes).ok()?;
        count_minutes_by(&mut counted, |minute| minute.saturating_add(first.unwrap_or_default()));
        Some(counted)
    }
}

/// Events of some files or segments, while they are counted.
struct Reading {
    within: (i64, i64),
    names: Names,
    minutes: HashMap<([u32; 3], i64), Minute>,
}

impl Reading {
    fn new(within: (i64, i64)) -> Self {
        Self { within, names: Names::default(), minutes: HashMap::new() }
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let (Some(happened), Some(arrived)) = (millis(batch, HAPPENED)?, arrived(batch)?) else { return Ok(()) };
        let (happened, arrived) = (happened.as_primitive::<Int64Type>(), arrived.as_primitive::<Int64Type>());
        let [worker, machine, service] = NAMES.map(|column| self.names.of_column(batch, column));
        let (workers, machines, services) = (worker?, machine?, service?);
        for row in (0..batch.num_rows()).filter(|row| happened.is_valid(*row) && arrived.is_valid(*row)) {
            let (happened_ms, arrived_ms) = (happened.value(row), arrived.value(row));
            if !(self.within.0..=self.within.1).contains(&arrived_ms) {
                continue;
            }
            let ahead_ms = happened_ms.saturating_sub(arrived_ms);
            let minute = arrived_ms.div_euclid(MINUTE_MS);
            let one = Minute { minute, events: 1, ahead: u64::from(ahead_ms > PROVEN_MS), ahead_ms };
            let producer = [workers[row], machines[row], services[row]];
            self.minutes.entry((producer, minute)).and_modify(|known| known.add(one)).or_insert(one);
        }
        Ok(())
    }

    fn finish(self) -> Arrivals {
        let mut all = Arrivals::default();
        let mut minutes: Vec<(([u32; 3], i64), Minute)> = self.minutes.into_iter().collect();
        minutes.sort_unstable_by_key(|(key, _)| *key);
        for of_producer in minutes.chunk_by(|(a, _), (b, _)| a.0 == b.0) {
            let [worker, machine, service] = of_producer[0].0.0.map(|number| self.names.name(number).map(Box::from));
            let minutes = of_producer.iter().map(|(_, minute)| *minute).collect();
            all.0.insert(Producer { worker, machine, service }, minutes);
        }
        all
    }
}

/// When each event arrived, in ms since the epoch; `None` where the batch has neither the column nor an ID.
pub(super) fn arrived(batch: &RecordBatch) -> Result<Option<ArrayRef>, ArrowError> {
    if let Some(arrived) = millis(batch, ARRIVED)? {
        return Ok(Some(arrived));
    }
    let Some(ids) = batch.column_by_name(ID) else { return Ok(None) };
    let ids = cast(ids, &DataType::Utf8)?;
    let ms = ids.as_string::<i32>().iter().map(|id| id?.split('-').next()?.parse().ok());
    Ok(Some(std::sync::Arc::new(ms.collect::<Int64Array>())))
}
