//! Many events in few columns: what the detectors of anomalies look at.

use std::collections::HashMap;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, TimeUnit, TimestampMillisecondType};
use arrow::error::ArrowError;

use emp_event::Level;
use emp_job::happened_ms;
use emp_query::column_as;

/// The columns that a frame is made of, as SQL lists them.
pub(super) const COLUMNS: &str =
    "timestamp, ingested_at, service, event_type, level, worker_id, machine_id, duration_ms";

/// Events in the order in which they happened.
#[derive(Debug, Default)]
pub(super) struct Frame {
    rows: Vec<Row>,
    names: Vec<String>,
    numbers: HashMap<String, u16>,
}

/// An event. Names are numbers of the frame's own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub happened_ms: i64,
    /// How much later than its producer's clock says it arrived, in ms; below zero that clock is ahead.
    pub delay_ms: i64,
    pub service: u16,
    pub event_type: u16,
    pub worker: Option<u16>,
    pub machine: Option<u16>,
    pub is_error: bool,
    pub duration_ms: Option<f64>,
}

impl Frame {
    pub fn new(batches: &[RecordBatch]) -> Result<Self, ArrowError> {
        let mut frame = Self::default();
        for batch in batches {
            frame.extend(batch)?;
        }
        frame.rows.sort_by_key(|row| row.happened_ms);
        Ok(frame)
    }

    /// The events from then on until before then, ms since the epoch.
    pub fn between(&self, from_ms: i64, until_ms: i64) -> &[Row] {
        let first = self.rows.partition_point(|row| row.happened_ms < from_ms);
        let end = self.rows.partition_point(|row| row.happened_ms < until_ms);
        &self.rows[first..end.max(first)]
    }

    pub fn name(&self, number: u16) -> &str {
        &self.names[usize::from(number)]
    }

    fn extend(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let time = DataType::Timestamp(TimeUnit::Millisecond, None);
        let (timestamps, arrivals) = (column_as(batch, "timestamp", &time)?, column_as(batch, "ingested_at", &time)?);
        let (timestamps, arrivals) = (
            timestamps.as_primitive::<TimestampMillisecondType>(),
            arrivals.as_primitive::<TimestampMillisecondType>(),
        );
        let text = |name| column_as(batch, name, &DataType::Utf8);
        let (services, types, levels) = (text("service")?, text("event_type")?, text("level")?);
        let (workers, machines) = (text("worker_id")?, text("machine_id")?);
        let durations = column_as(batch, "duration_ms", &DataType::Float64)?;
        let durations = durations.as_primitive::<Float64Type>();
        for row in 0..batch.num_rows() {
            let named = |column: &arrow::array::ArrayRef| {
                column.is_valid(row).then(|| column.as_string::<i32>().value(row).to_owned())
            };
            let row = Row {
                happened_ms: happened_ms(timestamps.value(row), arrivals.value(row)),
                delay_ms: arrivals.value(row) - timestamps.value(row),
                service: self.number(named(&services).unwrap_or_default()),
                event_type: self.number(named(&types).unwrap_or_default()),
                worker: named(&workers).map(|name| self.number(name)),
                machine: named(&machines).map(|name| self.number(name)),
                is_error: named(&levels).is_some_and(|level| level == Level::Error.as_str()),
                duration_ms: durations.is_valid(row).then(|| durations.value(row)),
            };
            self.rows.push(row);
        }
        Ok(())
    }

    fn number(&mut self, name: String) -> u16 {
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        // Names beyond what a number can hold share the last one: so many are no services or types.
        let number = u16::try_from(self.names.len()).unwrap_or(u16::MAX - 1);
        if usize::from(number) == self.names.len() {
            self.names.push(name.clone());
        }
        self.numbers.insert(name, number);
        number
    }
}
