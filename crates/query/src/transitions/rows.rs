//! Transitions as rows of the table.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringViewBuilder, TimestampMillisecondArray, UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::error::Result;

use super::names::Texts;
use super::walk::{NONE, Transition};

/// The columns, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    JobId,
    Timestamp,
    IngestedAt,
    HappenedAt,
    EventType,
    Service,
    WorkerId,
    FromEvent,
    FromService,
    FromTime,
    FromAt,
    GapMs,
    HandedBy,
    HandedAt,
    HandoffMs,
    Attempt,
}

const COLUMNS: [(Column, &str); 16] = [
    (Column::JobId, "job_id"),
    (Column::Timestamp, "timestamp"),
    (Column::IngestedAt, "ingested_at"),
    (Column::HappenedAt, "happened_at"),
    (Column::EventType, "event_type"),
    (Column::Service, "service"),
    (Column::WorkerId, "worker_id"),
    (Column::FromEvent, "from_event"),
    (Column::FromService, "from_service"),
    (Column::FromTime, "from_time"),
    (Column::FromAt, "from_at"),
    (Column::GapMs, "gap_ms"),
    (Column::HandedBy, "handed_by"),
    (Column::HandedAt, "handed_at"),
    (Column::HandoffMs, "handoff_ms"),
    (Column::Attempt, "attempt"),
];

impl Column {
    fn data_type(self) -> DataType {
        match self {
            Self::Timestamp | Self::IngestedAt | Self::HappenedAt | Self::FromTime | Self::FromAt | Self::HandedAt => {
                DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
            }
            Self::GapMs | Self::HandoffMs | Self::Attempt => DataType::Int64,
            // Views: a text comes up in thousands of rows and stands in memory once.
            _ => DataType::Utf8View,
        }
    }
}

/// The table's columns.
pub(crate) fn schema() -> SchemaRef {
    let fields = COLUMNS.map(|(column, name)| {
        let is_always_there = matches!(
            column,
            Column::JobId | Column::Timestamp | Column::IngestedAt | Column::HappenedAt | Column::Attempt
        );
        Field::new(name, column.data_type(), !is_always_there)
    });
    Arc::new(Schema::new(fields.to_vec()))
}

/// The columns at these places of [`schema`]; all where none are named.
pub(super) fn columns(projection: Option<&Vec<usize>>) -> Vec<Column> {
    match projection {
        Some(places) => places.iter().map(|place| COLUMNS[*place].0).collect(),
        None => COLUMNS.iter().map(|(column, _)| *column).collect(),
    }
}

/// Rows that come into one batch.
const BATCH_ROWS: usize = 8_192;

/// Gathers transitions into batches.
pub(super) struct Rows {
    schema: SchemaRef,
    columns: Vec<Column>,
    transitions: Vec<Transition>,
    /// By row, of those of the batch.
    jobs: Vec<u32>,
    job_ids: StringViewBuilder,
    job_count: u32,
}

impl Rows {
    /// `schema` is that of the columns.
    pub fn new(schema: SchemaRef, columns: Vec<Column>) -> Self {
        Self {
            schema,
            columns,
            transitions: Vec::new(),
            jobs: Vec::new(),
            job_ids: StringViewBuilder::new(),
            job_count: 0,
        }
    }

    /// Adds rows of one job.
    pub fn push_all(&mut self, job_id: &str, transitions: &[Transition]) {
        if transitions.is_empty() {
            return;
        }
        if self.columns.contains(&Column::JobId) {
            self.job_ids.append_value(job_id);
            self.jobs.extend(std::iter::repeat_n(self.job_count, transitions.len()));
            self.job_count += 1;
        }
        self.transitions.extend_from_slice(transitions);
    }

    pub fn is_full(&self) -> bool {
        self.transitions.len() >= BATCH_ROWS
    }

    /// What was gathered; `None` where that is nothing.
    pub fn take(&mut self, texts: &Texts) -> Result<Option<RecordBatch>> {
        if self.transitions.is_empty() {
            return Ok(None);
        }
        let texts = texts.all();
        let of_texts = |number: &dyn Fn(&Transition) -> u32| -> Result<ArrayRef> {
            let numbers =
                self.transitions.iter().map(|transition| Some(number(transition)).filter(|number| *number != NONE));
            Ok(take(&texts, &numbers.collect::<UInt32Array>(), None)?)
        };
        let times = |ms: &dyn Fn(&Transition) -> Option<i64>| -> ArrayRef {
            let ms = self.transitions.iter().map(ms);
            Arc::new(ms.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
        };
        let numbers = |number: &dyn Fn(&Transition) -> Option<i64>| -> ArrayRef {
            Arc::new(self.transitions.iter().map(number).collect::<Int64Array>())
        };
        let job_ids = self.job_ids.finish();
        let arrays = self.columns.iter().map(|column| {
            Ok(match column {
                Column::JobId => take(&job_ids, &UInt32Array::from_iter_values(self.jobs.iter().copied()), None)?,
                Column::Timestamp => times(&|row| Some(row.event.timestamp_ms)),
                Column::IngestedAt => times(&|row| Some(row.event.arrived_ms)),
                Column::HappenedAt => times(&|row| Some(row.event.happened_ms)),
                Column::EventType => of_texts(&|row| row.event.event_type)?,
                Column::Service => of_texts(&|row| row.event.service)?,
                Column::WorkerId => of_texts(&|row| row.event.worker)?,
                Column::FromEvent => of_texts(&|row| row.from.map_or(NONE, |from| from.event_type))?,
                Column::FromService => of_texts(&|row| row.from.map_or(NONE, |from| from.service))?,
                Column::FromTime => times(&|row| row.from.map(|from| from.timestamp_ms)),
                Column::FromAt => times(&|row| row.from.map(|from| from.happened_ms)),
                Column::GapMs => numbers(&Transition::gap_ms),
                Column::HandedBy => of_texts(&|row| row.handed_by().map_or(NONE, |by| by.service))?,
                Column::HandedAt => times(&|row| row.handed_by().map(|by| by.happened_ms)),
                Column::HandoffMs => numbers(&Transition::handoff_ms),
                Column::Attempt => numbers(&|row| Some(i64::from(row.attempt))),
            })
        });
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.transitions.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?;
        self.transitions.clear();
        self.jobs.clear();
        self.job_count = 0;
        Ok(Some(batch))
    }
}
