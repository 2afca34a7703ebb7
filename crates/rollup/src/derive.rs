//! Reading from a sealed file what it contributes.

use std::collections::{BTreeMap, HashMap};
use std::io;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use serde::{Deserialize, Serialize};

use emp_store::Partition;

use super::day_names::{DayNames, NameHash};
use super::days::Contribution;
use super::names::Names;
use super::part::Kind;
use super::sketch::{DROPPED_BITS, Sketch};
use super::{Durations, HOUR_MS, NAMES, Row};

/// What one file contributes, with names of its own, each once.
#[derive(Default)]
pub(super) struct Kept {
    pub names: Vec<Box<str>>,
    pub rolled: Rolled,
}

/// What a file contributes.
#[derive(Default, Serialize, Deserialize)]
pub(super) enum Rolled {
    /// These rows, their hours counted from that one since the epoch.
    Rows(i64, Vec<KeptRow>),
    /// It has to be read: it could not be, or what it contributes is hardly shorter than itself.
    #[default]
    Unrolled,
}

/// A row, in fewer bytes.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptRow {
    /// How many hours after the first one.
    pub hour: u64,
    /// One more than where the name stands; 0 where the events have none.
    pub names: [u32; NAMES.len()],
    pub events: u64,
    /// When the first of them happened, and the last, in ms of the hour.
    pub times: (u32, u32),
    pub durations: Option<Durations>,
}

impl KeptRow {
    /// The row itself, of a file whose hours count from that one since the epoch, with other numbers for its names.
    pub fn row(self, first_hour: i64, number: impl Fn(u32) -> Option<u32>) -> Row {
        let hour_ms = first_hour.saturating_add_unsigned(self.hour).saturating_mul(HOUR_MS);
        Row {
            hour_ms,
            names: self.names.map(number),
            events: self.events,
            first_ms: hour_ms.saturating_add(i64::from(self.times.0)),
            last_ms: hour_ms.saturating_add(i64::from(self.times.1)),
            durations: self.durations,
        }
    }
}

/// Rows decoded at once: a collector does this beside its work.
const READ_ROWS: usize = 2_048;
/// A file is read itself where it has less than so many events for each row of what it contributes, and …
const EVENTS_A_ROW_MIN: usize = 4;
/// … so many rows. An import of years, every event of an hour of its own, is such a file.
const ROWS_FREE: usize = 1_024;
const TIME: &str = "timestamp";
const DURATION: &str = "duration_ms";

impl Contribution for Kept {
    const KIND: Kind = Kind::Events;

    /// In the order of hours.
    fn derive(file: &Partition) -> Self {
        read(file).unwrap_or_default()
    }

    fn encode(&self, names: &mut DayNames) -> Option<Vec<u8>> {
        postcard::to_stdvec(&(names.hashes_of(&self.names)?, &self.rolled)).ok()
    }

    fn decode(bytes: &[u8], names: &DayNames) -> Option<Self> {
        let (hashes, rolled): (Vec<NameHash>, Rolled) = postcard::from_bytes(bytes).ok()?;
        let names = hashes.into_iter().map(|hash| names.name(hash).map(Box::from)).collect::<Option<_>>()?;
        Some(Self { names, rolled })
    }
}

fn read(file: &Partition) -> Option<Kept> {
    let columns = NAMES.into_iter().chain([TIME, DURATION]);
    let mut groups = Groups::default();
    for batch in reader(file, columns).ok()? {
        groups.add(&batch.ok()?).ok()??;
        if groups.by_key.len() > ROWS_FREE.max(groups.events / EVENTS_A_ROW_MIN) {
            return None;
        }
    }
    Some(groups.finish())
}

/// Those columns of a file that it has, a few rows at a time.
pub(super) fn reader<'a>(
    file: &Partition,
    columns: impl Iterator<Item = &'a str>,
) -> io::Result<ParquetRecordBatchReader> {
    let file = file.open()?;
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?;
    let schema = metadata.schema();
    let indices = columns.filter_map(|name| Some(schema.column_with_name(name)?.0));
    let mask = ProjectionMask::roots(metadata.parquet_schema(), indices);
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone());
    Ok(reader.with_projection(mask).with_batch_size(READ_ROWS).build()?)
}

/// The hour since the epoch, and the names, as [`KeptRow`] has them.
type Key = (i64, [u32; NAMES.len()]);

#[derive(Default)]
struct Groups {
    events: usize,
    names: Names,
    by_key: HashMap<Key, Group>,
}

#[derive(Default)]
struct Group {
    events: u64,
    times: Option<(u32, u32)>,
    durations: u64,
    sum_ms: f64,
    least_ms: Option<f64>,
    greatest_ms: Option<f64>,
    bins: BTreeMap<u32, u64>,
}

impl Groups {
    /// `None` where an event does not say when it happened.
    fn add(&mut self, batch: &RecordBatch) -> Result<Option<()>, ArrowError> {
        let Some(times) = millis(batch, TIME)? else { return Ok(None) };
        let times = times.as_primitive::<Int64Type>();
        if times.null_count() > 0 {
            return Ok(None);
        }
        let [event_type, service, level] = NAMES.map(|column| self.names.of_column(batch, column));
        let names = [event_type?, service?, level?];
        let durations = match batch.column_by_name(DURATION) {
            Some(column) => Some(cast(column, &DataType::Float64)?),
            None => None,
        };
        let durations = durations.as_ref().map(|column| column.as_primitive::<Float64Type>());
        self.events += batch.num_rows();
        for row in 0..batch.num_rows() {
            let time = times.value(row);
            let (hour, time) = (time.div_euclid(HOUR_MS), time.rem_euclid(HOUR_MS) as u32);
            let group = self.by_key.entry((hour, names.each_ref().map(|numbers| numbers[row]))).or_default();
            group.events += 1;
            group.times = Some(group.times.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
            if let Some(durations) = durations.filter(|durations| durations.is_valid(row)) {
                group.add(durations.value(row));
            }
        }
        Ok(Some(()))
    }

    fn finish(self) -> Kept {
        let first_hour = self.by_key.keys().map(|(hour, _)| *hour).min().unwrap_or_default();
        let row = |((hour, names), group): (Key, Group)| group.finish(hour.abs_diff(first_hour), names);
        let mut rows: Vec<KeptRow> = self.by_key.into_iter().map(row).collect();
        rows.sort_unstable_by_key(|row| (row.hour, row.names));
        Kept { names: self.names.into_names(), rolled: Rolled::Rows(first_hour, rows) }
    }
}

impl Group {
    fn add(&mut self, ms: f64) {
        self.durations += 1;
        self.sum_ms += ms;
        self.least_ms = Some(self.least_ms.map_or(ms, |least| if ms.total_cmp(&least).is_lt() { ms } else { least }));
        self.greatest_ms =
            Some(self.greatest_ms.map_or(ms, |most| if ms.total_cmp(&most).is_gt() { ms } else { most }));
        // Of what is no number no quantile can say anything.
        if !ms.is_nan() {
            // The digits that are left fit.
            *self.bins.entry((ms.to_bits() >> DROPPED_BITS) as u32).or_default() += 1;
        }
    }

    fn finish(self, hour: u64, names: [u32; NAMES.len()]) -> KeptRow {
        let durations = self.least_ms.zip(self.greatest_ms).map(|(least_ms, greatest_ms)| Durations {
            count: self.durations,
            sum_ms: self.sum_ms,
            least_ms,
            greatest_ms,
            sketch: Sketch::of(&self.bins),
        });
        KeptRow { hour, names, events: self.events, times: self.times.unwrap_or_default(), durations }
    }
}

/// A column of moments, in ms since the epoch; `None` where the file has no such column.
pub(super) fn millis(batch: &RecordBatch, column: &str) -> Result<Option<ArrayRef>, ArrowError> {
    let Some(column) = batch.column_by_name(column) else { return Ok(None) };
    let column = cast(column, &DataType::Timestamp(TimeUnit::Millisecond, None))?;
    cast(&column, &DataType::Int64).map(Some)
}
