//! The small tables: `files`, `losses`, `quarantine`, `dead_letters`.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use emp_store::Segment;

use crate::view::{Source, View};

/// A table that is small enough to be built whole for each scan.
pub(crate) trait Record: Send + Sync + 'static {
    fn fields() -> Vec<Field>;
    /// The columns, in the order of the fields.
    fn columns(view: &View) -> Result<Vec<ArrayRef>>;
}

pub(crate) struct Records<R> {
    source: Arc<Source>,
    schema: SchemaRef,
    record: PhantomData<R>,
}

impl<R: Record> Records<R> {
    pub fn new(source: &Arc<Source>) -> Self {
        Self { source: Arc::clone(source), schema: schema::<R>(), record: PhantomData }
    }
}

pub(super) fn schema<R: Record>() -> SchemaRef {
    Arc::new(Schema::new(R::fields()))
}

impl<R> std::fmt::Debug for Records<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").field("schema", &self.schema).finish_non_exhaustive()
    }
}

#[async_trait]
impl<R: Record> TableProvider for Records<R> {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = R::columns(&*self.source.view()?)?;
        let batch = RecordBatch::try_new(self.schema(), columns)?;
        Ok(MemorySourceConfig::try_new_exec(&[vec![batch]], self.schema(), projection.cloned())?)
    }
}

fn text(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8, nullable)
}

fn number(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Int64, nullable)
}

fn time(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), nullable)
}

fn texts(values: impl Iterator<Item = String>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn numbers(values: impl Iterator<Item = Option<u64>>) -> ArrayRef {
    // No count of rows or bytes comes near the bound.
    Arc::new(values.map(|value| value.map(|value| i64::try_from(value).unwrap_or(i64::MAX))).collect::<Int64Array>())
}

fn times(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
}

/// What the stream trimmed before it was read.
pub(crate) struct Losses;

impl Record for Losses {
    fn fields() -> Vec<Field> {
        vec![
            text("writer", false),
            text("from_id", false),
            text("to_id", false),
            number("lost", false),
            time("noticed_at", false),
        ]
    }

    fn columns(view: &View) -> Result<Vec<ArrayRef>> {
        let losses = &view.snapshot.losses;
        Ok(vec![
            texts(losses.iter().map(|(writer, _)| writer.to_string())),
            texts(losses.iter().map(|(_, loss)| loss.from.to_string())),
            texts(losses.iter().map(|(_, loss)| loss.to.to_string())),
            numbers(losses.iter().map(|(_, loss)| Some(loss.lost))),
            times(losses.iter().map(|(_, loss)| Some(loss.noticed_at))),
        ])
    }
}

/// Entries that are no events.
pub(crate) struct Quarantine;

impl Record for Quarantine {
    fn fields() -> Vec<Field> {
        vec![text("id", false), text("reason", false), text("entry", false), time("noticed_at", false)]
    }

    fn columns(view: &View) -> Result<Vec<ArrayRef>> {
        let entries = &view.snapshot.quarantine;
        Ok(vec![
            texts(entries.iter().map(|(_, entry)| entry.id.to_string())),
            texts(entries.iter().map(|(_, entry)| entry.reason.clone())),
            texts(entries.iter().map(|(_, entry)| entry.entry.clone())),
            times(entries.iter().map(|(_, entry)| Some(entry.noticed_at))),
        ])
    }
}

/// Events that a receiver has refused for good.
pub(crate) struct DeadLetterRecords;

impl Record for DeadLetterRecords {
    fn fields() -> Vec<Field> {
        vec![
            text("id", false),
            text("signal", false),
            text("reason", false),
            text("service", false),
            text("event_type", false),
            text("event", false),
            time("noticed_at", false),
        ]
    }

    fn columns(view: &View) -> Result<Vec<ArrayRef>> {
        let letters = &view.snapshot.dead_letters;
        Ok(vec![
            texts(letters.iter().map(|letter| letter.id.to_string())),
            texts(letters.iter().map(|letter| letter.signal.clone())),
            texts(letters.iter().map(|letter| letter.reason.clone())),
            texts(letters.iter().map(|letter| letter.service.clone())),
            texts(letters.iter().map(|letter| letter.event_type.clone())),
            texts(letters.iter().map(|letter| letter.event.clone())),
            times(letters.iter().map(|letter| Some(letter.noticed_at))),
        ])
    }
}

/// The store's own files that hold events.
pub(crate) struct Files;

/// A row of `files`.
struct FileRow {
    path: String,
    kind: &'static str,
    writer: String,
    first_id: String,
    last_id: String,
    /// Null for a file that cannot be read.
    rows: Option<u64>,
    bytes: u64,
    timestamps: Option<(i64, i64)>,
}

impl Record for Files {
    fn fields() -> Vec<Field> {
        vec![
            text("path", false),
            text("kind", false),
            text("writer", false),
            text("first_id", false),
            text("last_id", false),
            number("rows", true),
            number("bytes", false),
            time("min_timestamp", true),
            time("max_timestamp", true),
        ]
    }

    fn columns(view: &View) -> Result<Vec<ArrayRef>> {
        let sealed = view.sealed();
        view.usable(sealed.files.iter().collect());
        let sealed = sealed.files.iter().map(|file| FileRow {
            path: file.partition.path.display().to_string(),
            kind: "parquet",
            writer: file.partition.name.writer.to_string(),
            first_id: file.partition.name.ids.first.to_string(),
            last_id: file.partition.name.ids.last.to_string(),
            rows: file.facts.as_ref().ok().map(|facts| facts.rows),
            bytes: file.partition.bytes,
            timestamps: file.facts.as_ref().ok().and_then(|facts| facts.timestamps),
        });
        let rows: Vec<FileRow> = sealed.chain(view.snapshot.segments.iter().map(segment_row)).collect();
        Ok(vec![
            texts(rows.iter().map(|row| row.path.clone())),
            texts(rows.iter().map(|row| row.kind.to_owned())),
            texts(rows.iter().map(|row| row.writer.clone())),
            texts(rows.iter().map(|row| row.first_id.clone())),
            texts(rows.iter().map(|row| row.last_id.clone())),
            numbers(rows.iter().map(|row| row.rows)),
            numbers(rows.iter().map(|row| Some(row.bytes))),
            times(rows.iter().map(|row| row.timestamps.map(|(least, _)| least))),
            times(rows.iter().map(|row| row.timestamps.map(|(_, greatest)| greatest))),
        ])
    }
}

fn segment_row(segment: &Segment) -> FileRow {
    FileRow {
        path: segment.path.display().to_string(),
        kind: "journal",
        writer: segment.name.writer.to_string(),
        first_id: segment.ids.first.to_string(),
        last_id: segment.ids.last.to_string(),
        rows: Some(segment.rows()),
        bytes: segment.bytes,
        timestamps: super::events::times(&segment.batches, "timestamp"),
    }
}
