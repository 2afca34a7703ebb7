//! The rows of a Parquet file, each as a line of JSON in the wire's names.

use std::fs::File;
use std::io;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow_json::LineDelimitedWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::ImportError;
use crate::pieces::End;

/// Rows that are held at a time.
const BATCH_ROWS: usize = 1_024;

/// Columns of the table `events`, and what the wire calls them.
const WIRE_NAMES: [(&str, &str); 6] = [
    ("event_type", "eventType"),
    ("trace_id", "traceId"),
    ("job_id", "jobId"),
    ("worker_id", "workerId"),
    ("machine_id", "machineId"),
    ("user_id", "userId"),
];
/// Columns that say where and when an event was stored: an import stores it anew.
const OF_ANOTHER_STORE: [&str; 4] = ["id", "ingested_at", "date", "hour"];

/// A Parquet file that is read row by row.
pub(crate) struct Rows {
    reader: ParquetRecordBatchReader,
    /// Lines of the batch that is under way, and how much of them was handed out.
    lines: Vec<u8>,
    taken: usize,
    rows: u64,
    rows_read: u64,
    file_bytes: u64,
}

impl Rows {
    /// Opens a file.
    ///
    /// # Errors
    /// [`ImportError::Parquet`] where it is damaged, or packed in a way that is not known here.
    pub fn open(file: File) -> Result<Self, ImportError> {
        let file_bytes = file.metadata()?.len();
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| ImportError::Parquet(error.to_string()))?;
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        let reader = builder.with_batch_size(BATCH_ROWS).build();
        let reader = reader.map_err(|error| ImportError::Parquet(error.to_string()))?;
        Ok(Self { reader, lines: Vec::new(), taken: 0, rows, rows_read: 0, file_bytes })
    }

    /// The share of the file's bytes that the rows read so far make up.
    pub fn bytes_read(&self) -> u64 {
        let share = u128::from(self.file_bytes) * u128::from(self.rows_read) / u128::from(self.rows.max(1));
        u64::try_from(share).unwrap_or(self.file_bytes)
    }

    /// Reads the next row into `piece`; `None` where there is none.
    ///
    /// # Errors
    /// What reading fails with.
    pub fn next(&mut self, piece: &mut Vec<u8>) -> io::Result<Option<End>> {
        piece.clear();
        while self.taken == self.lines.len() {
            let Some(batch) = self.reader.next() else { return Ok(None) };
            let batch = batch.map_err(io::Error::other)?;
            self.rows_read += batch.num_rows() as u64;
            (self.lines, self.taken) = (as_lines(&batch).map_err(io::Error::other)?, 0);
        }
        let rest = &self.lines[self.taken..];
        let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        piece.extend_from_slice(&rest[..length]);
        self.taken += (length + 1).min(rest.len());
        Ok(Some(End::Whole))
    }
}

fn as_lines(batch: &RecordBatch) -> Result<Vec<u8>, arrow::error::ArrowError> {
    let mut writer = LineDelimitedWriter::new(Vec::new());
    writer.write(&in_wire_names(batch)?)?;
    writer.finish()?;
    Ok(writer.into_inner())
}

fn in_wire_names(batch: &RecordBatch) -> Result<RecordBatch, arrow::error::ArrowError> {
    let schema = batch.schema();
    // What an event took is told by its data; only where there is none, the column says it.
    let has_data = schema.column_with_name("data").is_some();
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let name = match field.name().as_str() {
            name if OF_ANOTHER_STORE.contains(&name) => continue,
            "duration_ms" if has_data => continue,
            "duration_ms" => "durationMs",
            name => WIRE_NAMES.iter().find(|(column, _)| *column == name).map_or(name, |(_, wire)| wire),
        };
        let column = match column.data_type() {
            DataType::Timestamp(..) if name == "timestamp" => milliseconds(column)?,
            _ => Arc::clone(column),
        };
        fields.push(Field::new(name, column.data_type().clone(), true));
        columns.push(column);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// Times as ms since the epoch, as the wire has them; one without a zone is of UTC.
fn milliseconds(times: &ArrayRef) -> Result<ArrayRef, arrow::error::ArrowError> {
    let times = cast(times, &DataType::Timestamp(TimeUnit::Millisecond, None))?;
    cast(&times, &DataType::Int64)
}
