//! Events as rows of the store.

use std::collections::HashMap;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, TimeUnit, TimestampMillisecondType};
use arrow::error::ArrowError;

use emp_event::EntryId;
use emp_job::{Data, EventFields, JobEvent, Texts};

/// The columns of the table `events` that events are read from, as SQL lists them.
pub const EVENT_COLUMNS: &str = "id, timestamp, ingested_at, service, event_type, level, job_id, trace_id, worker_id, \
     machine_id, user_id, duration_ms, data";

/// The events of these rows, which have the columns of [`EVENT_COLUMNS`].
///
/// # Errors
/// Where one is missing, or of a type that is no form of the one it should have.
pub fn read_events(batches: &[RecordBatch]) -> Result<Vec<JobEvent>, ArrowError> {
    let mut read = EventsRead::new(usize::MAX);
    batches.iter().try_for_each(|batch| read.add(batch))?;
    Ok(read.events)
}

/// Events, as they are read batch by batch.
#[derive(Debug)]
pub struct EventsRead {
    /// Those so far.
    pub events: Vec<JobEvent>,
    texts: Texts,
    /// What short JSON says that came already: many events say the same, and hold it once.
    known: HashMap<Box<str>, Data>,
    member_bytes_max: usize,
}

/// Longer JSON hardly comes twice.
const KNOWN_BYTES_MAX: usize = 128;
/// So many are remembered; then it begins anew, as most of them may have come but once.
const KNOWN_MAX: usize = 4_096;

impl EventsRead {
    /// None yet. Of members of `data` that take more bytes than that, texts are cut and all else is left out.
    #[must_use]
    pub fn new(member_bytes_max: usize) -> Self {
        Self { events: Vec::new(), texts: Texts::default(), known: HashMap::new(), member_bytes_max }
    }

    /// Those of some more rows, which have the columns of [`EVENT_COLUMNS`].
    ///
    /// # Errors
    /// As [`read_events`].
    pub fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
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
            let texts = &mut self.texts;
            let mut optional = |column: &ArrayRef| text_at(column, row).map(|text| texts.shared(text));
            let is_stated = duration_ms.is_valid(row);
            let fields = EventFields {
                id: text_at(&id, row).and_then(|id| id.parse().ok()).unwrap_or(EntryId::ZERO),
                timestamp_ms: millis(&timestamp),
                arrived_ms: millis(&ingested_at),
                behind_ms: 0,
                service: optional(&service).unwrap_or_default(),
                event_type: optional(&event_type).unwrap_or_default(),
                level: optional(&level).unwrap_or_default(),
                job_id: optional(&job_id),
                trace_id: optional(&trace_id),
                worker_id: optional(&worker_id),
                machine_id: optional(&machine_id),
                user_id: optional(&user_id),
                duration_ms: is_stated.then(|| duration_ms.as_primitive::<Float64Type>().value(row)),
                // A row that was made by hand may hold anything there.
                data: self.data(text_at(&data, row).unwrap_or_default()),
            };
            self.events.push(fields.into());
        }
        Ok(())
    }

    /// What is known of short JSON, else what it says.
    fn data(&mut self, json: &str) -> Data {
        if let Some(known) = self.known.get(json) {
            return known.clone();
        }
        let data = Data::in_brief(json, &mut self.texts, self.member_bytes_max);
        if json.len() <= KNOWN_BYTES_MAX {
            if self.known.len() == KNOWN_MAX {
                self.known.clear();
            }
            self.known.insert(json.into(), data.clone());
        }
        data
    }
}

/// A text of a column of texts.
fn text_at(column: &ArrayRef, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.as_string::<i32>().value(row))
}

/// A column of these rows, cast to a type.
///
/// # Errors
/// Where there is none of that name, or it cannot be cast.
pub fn column_as(batch: &RecordBatch, name: &str, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    let missing = || ArrowError::SchemaError(format!("there is no column `{name}`"));
    cast(batch.column_by_name(name).ok_or_else(missing)?, data_type)
}
