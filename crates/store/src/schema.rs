//! The table `events` as Arrow: its columns, and rows turned into batches of them.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Float64Builder, RecordBatch, StringBuilder, TimestampMillisecondBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::journal::Row;
use emp_event::Level;

/// The columns that a Parquet file holds. `date` and `hour` are in its folder's name.
pub fn file_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(file_fields())));
    Arc::clone(&SCHEMA)
}

/// The partition columns: text, zero-padded, as the folders spell them.
pub fn partition_fields() -> Vec<Field> {
    vec![text("date", false), text("hour", false)]
}

fn file_fields() -> Vec<Field> {
    let time = || DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    vec![
        text("id", false),
        Field::new("timestamp", time(), false),
        Field::new("ingested_at", time(), false),
        text("service", false),
        text("event_type", false),
        text("level", false),
        text("trace_id", true),
        text("job_id", true),
        text("worker_id", true),
        text("machine_id", true),
        text("user_id", true),
        Field::new("duration_ms", DataType::Float64, true),
        text("data", false),
    ]
}

fn text(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8, nullable)
}

/// Gathers rows into batches of [`file_schema`].
pub(super) struct BatchBuilder {
    id: StringBuilder,
    timestamp: TimestampMillisecondBuilder,
    ingested_at: TimestampMillisecondBuilder,
    service: StringBuilder,
    event_type: StringBuilder,
    level: StringBuilder,
    trace_id: StringBuilder,
    job_id: StringBuilder,
    worker_id: StringBuilder,
    machine_id: StringBuilder,
    user_id: StringBuilder,
    duration_ms: Float64Builder,
    data: StringBuilder,
    rows: usize,
}

impl BatchBuilder {
    pub fn new() -> Self {
        let time = || TimestampMillisecondBuilder::new().with_timezone("UTC");
        Self {
            id: StringBuilder::new(),
            timestamp: time(),
            ingested_at: time(),
            service: StringBuilder::new(),
            event_type: StringBuilder::new(),
            level: StringBuilder::new(),
            trace_id: StringBuilder::new(),
            job_id: StringBuilder::new(),
            worker_id: StringBuilder::new(),
            machine_id: StringBuilder::new(),
            user_id: StringBuilder::new(),
            duration_ms: Float64Builder::new(),
            data: StringBuilder::new(),
            rows: 0,
        }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of `data` gathered so far: by far the widest column.
    pub fn data_bytes(&self) -> usize {
        self.data.values_slice().len()
    }

    pub fn push(&mut self, row: &Row<'_>) {
        use std::fmt::Write as _;
        // Writing into a builder's own buffer cannot fail.
        let _ = write!(self.id, "{}", row.id);
        self.id.append_value("");
        self.timestamp.append_value(row.timestamp);
        self.ingested_at.append_value(row.ingested_at());
        self.service.append_value(row.service);
        self.event_type.append_value(row.event_type);
        self.level.append_value(Level::as_str(row.level));
        self.trace_id.append_option(row.trace_id);
        self.job_id.append_option(row.job_id);
        self.worker_id.append_option(row.worker_id);
        self.machine_id.append_option(row.machine_id);
        self.user_id.append_option(row.user_id);
        self.duration_ms.append_option(row.duration_ms);
        self.data.append_value(row.data);
        self.rows += 1;
    }

    /// The rows gathered so far, as one batch; the builder starts anew.
    pub fn finish(&mut self) -> RecordBatch {
        self.rows = 0;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.id.finish()),
            Arc::new(self.timestamp.finish()),
            Arc::new(self.ingested_at.finish()),
            Arc::new(self.service.finish()),
            Arc::new(self.event_type.finish()),
            Arc::new(self.level.finish()),
            Arc::new(self.trace_id.finish()),
            Arc::new(self.job_id.finish()),
            Arc::new(self.worker_id.finish()),
            Arc::new(self.machine_id.finish()),
            Arc::new(self.user_id.finish()),
            Arc::new(self.duration_ms.finish()),
            Arc::new(self.data.finish()),
        ];
        // Every column was given one value a row, in the schema's own types.
        RecordBatch::try_new(file_schema(), columns).expect("columns of one length that match the schema")
    }
}
