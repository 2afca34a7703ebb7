//! The answer of the query `timeline`, read into events.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMillisecondType};
use arrow::error::ArrowError;
use serde_json::{Map, Value};

use crate::paint::is_failure;
use crate::text::visible;
use emp_event::EntryId;
use emp_job::JobEvent;

/// Clocks that are kept in step differ by less.
const SKEW_MS_MIN: i64 = 20;

/// One row of the timeline. Its texts are safe to show, except for those inside `data`.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub time_ms: i64,
    /// When Redis was given it, by Redis' own clock, where the ID tells.
    pub arrived_ms: Option<i64>,
    pub delta_ms: Option<i64>,
    /// Whether the silence before this event is a gap.
    pub is_gap: bool,
    /// How unusual the gap is: `×31 typical, queue-wait`.
    pub gap_note: Option<String>,
    pub service: String,
    pub event_type: String,
    pub level: String,
    pub duration_ms: Option<f64>,
    pub worker_id: Option<String>,
    pub machine_id: Option<String>,
    pub data: Map<String, Value>,
}

impl From<&JobEvent> for Event {
    fn from(event: &JobEvent) -> Self {
        let shown = |text: &Option<String>| text.as_deref().map(|text| visible(text).into_owned());
        Self {
            time_ms: event.timestamp_ms,
            arrived_ms: Some(event.arrived_ms),
            delta_ms: None,
            is_gap: false,
            gap_note: None,
            service: visible(&event.service).into_owned(),
            event_type: visible(&event.event_type).into_owned(),
            level: visible(&event.level).into_owned(),
            duration_ms: event.duration_ms,
            worker_id: shown(&event.worker_id),
            machine_id: shown(&event.machine_id),
            data: event.data.clone(),
        }
    }
}

impl Event {
    pub fn is_error(&self) -> bool {
        self.level == "error" || is_failure(&self.event_type)
    }

    pub fn is_retry(&self) -> bool {
        self.event_type.contains("retry")
    }

    /// Whether nothing more is to be expected of the job itself.
    pub fn is_end(&self) -> bool {
        matches!(self.event_type.as_str(), "job.completed" | "job.failed" | "job.cancelled" | "job.creation_failed")
    }

    /// How much later than its arrival the event is stamped: no event arrives before it
    /// happens, so its producer's clock is ahead by at least that.
    pub fn ahead_ms(&self) -> Option<i64> {
        Some(self.time_ms - self.arrived_ms?).filter(|ahead| *ahead > SKEW_MS_MIN)
    }

    /// How long the job stood still before this event, if that was a gap.
    pub fn gap_ms(&self) -> Option<f64> {
        self.is_gap.then_some(self.delta_ms.unwrap_or(0) as f64)
    }
}

/// # Errors
/// Where a column is missing, or of a type that is no form of the one it should have.
pub(super) fn read(batches: &[RecordBatch]) -> Result<Vec<Event>, ArrowError> {
    let mut events = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for batch in batches {
        let columns = Columns::of(batch)?;
        events.extend((0..batch.num_rows()).map(|row| columns.event(row)));
    }
    Ok(events)
}

/// The columns of a batch, each as its plainest type: text may come as `Utf8View`.
struct Columns {
    time: ArrayRef,
    delta_ms: ArrayRef,
    is_gap: ArrayRef,
    service: ArrayRef,
    event_type: ArrayRef,
    level: ArrayRef,
    duration_ms: ArrayRef,
    worker_id: ArrayRef,
    machine_id: ArrayRef,
    data: ArrayRef,
    id: ArrayRef,
}

impl Columns {
    fn of(batch: &RecordBatch) -> Result<Self, ArrowError> {
        let column = |name: &str, data_type: DataType| {
            let missing = || ArrowError::SchemaError(format!("a timeline needs the column `{name}`"));
            cast(batch.column_by_name(name).ok_or_else(missing)?, &data_type)
        };
        let text = |name: &str| column(name, DataType::Utf8);
        Ok(Self {
            time: column("time", DataType::Timestamp(TimeUnit::Millisecond, None))?,
            delta_ms: column("delta_ms", DataType::Int64)?,
            is_gap: column("is_gap", DataType::Boolean)?,
            service: text("service")?,
            event_type: text("event_type")?,
            level: text("level")?,
            duration_ms: column("duration_ms", DataType::Float64)?,
            worker_id: text("worker_id")?,
            machine_id: text("machine_id")?,
            data: text("data")?,
            id: text("id")?,
        })
    }

    fn event(&self, row: usize) -> Event {
        Event {
            time_ms: self.time.as_primitive::<TimestampMillisecondType>().value(row),
            arrived_ms: text(&self.id, row).and_then(|id| id.parse::<EntryId>().ok()?.ingested_at()),
            delta_ms: self.delta_ms.is_valid(row).then(|| self.delta_ms.as_primitive::<Int64Type>().value(row)),
            gap_note: None,
            is_gap: self.is_gap.is_valid(row) && self.is_gap.as_boolean().value(row),
            service: text(&self.service, row).unwrap_or_default(),
            event_type: text(&self.event_type, row).unwrap_or_default(),
            level: text(&self.level, row).unwrap_or_default(),
            duration_ms: self
                .duration_ms
                .is_valid(row)
                .then(|| self.duration_ms.as_primitive::<Float64Type>().value(row)),
            worker_id: text(&self.worker_id, row),
            machine_id: text(&self.machine_id, row),
            data: data(&self.data, row),
        }
    }
}

fn text(column: &ArrayRef, row: usize) -> Option<String> {
    column.is_valid(row).then(|| visible(column.as_string::<i32>().value(row)).into_owned())
}

/// The keys of `data`; none where it is no JSON object, as in a row that was made by hand.
fn data(column: &ArrayRef, row: usize) -> Map<String, Value> {
    if column.is_null(row) {
        return Map::new();
    }
    serde_json::from_str(column.as_string::<i32>().value(row)).unwrap_or_default()
}
