//! The tables beside `events`: `files`, `losses`, `quarantine`, `dead_letters`.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};

use emp_store::{DeadLetter, Loss, Quarantined, Segment, StoreError, Writer};

use crate::view::{Source, View};

/// A table beside `events`: it is read when it is asked for.
pub(crate) trait Record: Send + Sync + 'static {
    fn fields() -> Vec<Field>;
    /// The rows, a batch at a time, each as columns in the order of the fields.
    fn batches(view: &Arc<View>) -> Batches;
}

type Batches = Box<dyn Iterator<Item = Vec<ArrayRef>> + Send>;

/// Rows in memory at once, and the bytes of their entries: an entry may be large.
const BATCH_ROWS: usize = 512;
const BATCH_BYTES: usize = 4 << 20;

/// The records of a kind in batches. Of one that is damaged a line goes to the view's warnings.
fn in_batches<R: Send + 'static>(
    view: &Arc<View>,
    records: impl Iterator<Item = Result<(Writer, R), StoreError>> + Send + 'static,
    bytes_of: fn(&R) -> usize,
    columns: fn(&[(Writer, R)]) -> Vec<ArrayRef>,
) -> Batches {
    let view = Arc::clone(view);
    let mut readable = records.filter_map(move |record| record.map_err(|error| view.skip(&error)).ok());
    Box::new(std::iter::from_fn(move || {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while rows.len() < BATCH_ROWS
            && bytes < BATCH_BYTES
            && let Some((writer, record)) = readable.next()
        {
            bytes += bytes_of(&record);
            rows.push((writer, record));
        }
        (!rows.is_empty()).then(|| columns(&rows))
    }))
}

/// The rows of one scan.
struct Rows<R> {
    view: Arc<View>,
    schema: SchemaRef,
    record: PhantomData<R>,
}

impl<R> std::fmt::Debug for Rows<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl<R: Record> PartitionStream for Rows<R> {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let batches = R::batches(&self.view);
        let batches = batches.map(move |columns| Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), futures::stream::iter(batches)))
    }
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
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = Rows { view: self.source.view()?, schema: self.schema(), record: PhantomData::<R> };
        let plan = StreamingTableExec::try_new(self.schema(), vec![Arc::new(rows)], projection, [], false, limit)?;
        Ok(Arc::new(plan))
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

    fn batches(view: &Arc<View>) -> Batches {
        in_batches(view, view.snapshot.losses.iter(), |_| 0, loss_columns)
    }
}

fn loss_columns(losses: &[(Writer, Loss)]) -> Vec<ArrayRef> {
    vec![
        texts(losses.iter().map(|(writer, _)| writer.to_string())),
        texts(losses.iter().map(|(_, loss)| loss.from.to_string())),
        texts(losses.iter().map(|(_, loss)| loss.to.to_string())),
        numbers(losses.iter().map(|(_, loss)| Some(loss.lost))),
        times(losses.iter().map(|(_, loss)| Some(loss.noticed_at))),
    ]
}

/// Entries that are no events.
pub(crate) struct Quarantine;

impl Record for Quarantine {
    fn fields() -> Vec<Field> {
        vec![text("id", false), text("reason", false), text("entry", false), time("noticed_at", false)]
    }

    fn batches(view: &Arc<View>) -> Batches {
        in_batches(view, view.snapshot.quarantine.iter(), |entry| entry.entry.len(), quarantine_columns)
    }
}

fn quarantine_columns(entries: &[(Writer, Quarantined)]) -> Vec<ArrayRef> {
    vec![
        texts(entries.iter().map(|(_, entry)| entry.id.to_string())),
        texts(entries.iter().map(|(_, entry)| entry.reason.clone())),
        texts(entries.iter().map(|(_, entry)| entry.entry.clone())),
        times(entries.iter().map(|(_, entry)| Some(entry.noticed_at))),
    ]
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

    fn batches(view: &Arc<View>) -> Batches {
        in_batches(view, view.snapshot.dead_letters.iter(), |letter| letter.event.len(), dead_letter_columns)
    }
}

fn dead_letter_columns(letters: &[(Writer, DeadLetter)]) -> Vec<ArrayRef> {
    vec![
        texts(letters.iter().map(|(_, letter)| letter.id.to_string())),
        texts(letters.iter().map(|(_, letter)| letter.signal.clone())),
        texts(letters.iter().map(|(_, letter)| letter.reason.clone())),
        texts(letters.iter().map(|(_, letter)| letter.service.clone())),
        texts(letters.iter().map(|(_, letter)| letter.event_type.clone())),
        texts(letters.iter().map(|(_, letter)| letter.event.clone())),
        times(letters.iter().map(|(_, letter)| Some(letter.noticed_at))),
    ]
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

    fn batches(view: &Arc<View>) -> Batches {
        let sealed = view.sealed();
        view.usable(sealed.files.iter().collect());
        let sealed = sealed.files.iter().map(|file| FileRow {
            path: file.partition.shown().display().to_string(),
            kind: "parquet",
            writer: file.partition.name.writer.to_string(),
            first_id: file.partition.name.ids.first.to_string(),
            last_id: file.partition.name.ids.last.to_string(),
            rows: file.facts.as_ref().ok().map(|facts| facts.rows),
            bytes: file.partition.bytes,
            timestamps: file.facts.as_ref().ok().and_then(|facts| facts.timestamps),
        });
        let rows: Vec<FileRow> = sealed.chain(view.snapshot.segments.iter().map(segment_row)).collect();
        Box::new(std::iter::once(vec![
            texts(rows.iter().map(|row| row.path.clone())),
            texts(rows.iter().map(|row| row.kind.to_owned())),
            texts(rows.iter().map(|row| row.writer.clone())),
            texts(rows.iter().map(|row| row.first_id.clone())),
            texts(rows.iter().map(|row| row.last_id.clone())),
            numbers(rows.iter().map(|row| row.rows)),
            numbers(rows.iter().map(|row| Some(row.bytes))),
            times(rows.iter().map(|row| row.timestamps.map(|(least, _)| least))),
            times(rows.iter().map(|row| row.timestamps.map(|(_, greatest)| greatest))),
        ]))
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
