//! Events as rows of the store.

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, TimeUnit, TimestampMillisecondType};
use arrow::error::ArrowError;

use emp_event::EntryId;
use emp_job::JobEvent;

/// The columns of the table `events` that events are read from, as SQL lists them.
pub const EVENT_COLUMNS: &str = "id, timestamp, ingested_at, service, event_type, level, job_id, trace_id, worker_id, \
     machine_id, user_id, duration_ms, data";

/// The same columns, but for data that takes more bytes than that: it is left out.
#[must_use]
pub fn event_columns(data_bytes_max: usize) -> String {
    let small = format!("case when octet_length(data) <= {data_bytes_max} then data else '{{}}' end as data");
    match EVENT_COLUMNS.strip_suffix("data") {
        Some(others) => format!("{others}{small}"),
        None => EVENT_COLUMNS.to_owned(),
    }
}

/// The events of these rows, which have the columns of [`EVENT_COLUMNS`].
///
/// # Errors
/// Where one is missing, or of a type that is no form of the one it should have.
pub fn read_events(batches: &[RecordBatch]) -> Result<Vec<JobEvent>, ArrowError> {
    let mut events = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for batch in batches {
        let text = |name: &str| column_as(batch, name, &DataType::Utf8);
        let texts = [
            "id",
            "service",
            "event_type",
            "level",
            "job_id",
            "trace_id",
            "worker_id",
            "machine_id",
            "user_id",
            "data",
        ]
        .map(text);
        let [id, service, event_type, level, job_id, trace_id, worker_id, machine_id, user_id, data] = texts;
        let (id, service, event_type, level) = (id?, service?, event_type?, level?);
        let (job_id, trace_id, worker_id, machine_id) = (job_id?, trace_id?, worker_id?, machine_id?);
        let (user_id, data) = (user_id?, data?);
        let time = DataType::Timestamp(TimeUnit::Millisecond, None);
        let (timestamp, ingested_at) = (column_as(batch, "timestamp", &time)?, column_as(batch, "ingested_at", &time)?);
        let duration_ms = column_as(batch, "duration_ms", &DataType::Float64)?;
        for row in 0..batch.num_rows() {
            let millis = |column: &ArrayRef| column.as_primitive::<TimestampMillisecondType>().value(row);
            let optional =
                |column: &ArrayRef| column.is_valid(row).then(|| column.as_string::<i32>().value(row).to_owned());
            let plain = |column: &ArrayRef| optional(column).unwrap_or_default();
            let is_stated = duration_ms.is_valid(row);
            events.push(JobEvent {
                id: plain(&id).parse().unwrap_or(EntryId::ZERO),
                timestamp_ms: millis(&timestamp),
                arrived_ms: millis(&ingested_at),
                behind_ms: 0,
                service: plain(&service),
                event_type: plain(&event_type),
                level: plain(&level),
                job_id: optional(&job_id),
                trace_id: optional(&trace_id),
                worker_id: optional(&worker_id),
                machine_id: optional(&machine_id),
                user_id: optional(&user_id),
                duration_ms: is_stated.then(|| duration_ms.as_primitive::<Float64Type>().value(row)),
                // A row that was made by hand may hold anything there.
                data: optional(&data).and_then(|data| serde_json::from_str(&data).ok()).unwrap_or_default(),
            });
        }
    }
    Ok(events)
}

/// A column of these rows, cast to a type.
///
/// # Errors
/// Where there is none of that name, or it cannot be cast.
pub fn column_as(batch: &RecordBatch, name: &str, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    let missing = || ArrowError::SchemaError(format!("there is no column `{name}`"));
    cast(batch.column_by_name(name).ok_or_else(missing)?, data_type)
}
