//! Reading from files what the walk looks at.

use std::fs::File;

use arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};

use emp_job::{Data, Meaning, Offsets, Order, Texts, job_type_of, vocabulary};
use emp_store::{Partition, rows_at_once};

use super::table::Typical;
use super::walk::{Step, Walk};

/// Rows decoded at once.
const READ_ROWS: usize = 1_024;
const CLOCKS: [&str; 5] = ["timestamp", "ingested_at", "worker_id", "machine_id", "service"];
const COLUMNS: [&str; 7] = ["timestamp", "ingested_at", "event_type", "job_id", "worker_id", "machine_id", "service"];

/// Walks over what had arrived of a sealed file until then. `None` where it cannot be read: then what is
/// typical is known from the others. A collector does this beside its work, so no more than a few thousand
/// rows are held.
pub(super) fn walk_file(file: &Partition, walk: &mut Walk, table: &mut Typical, until_ms: i64) -> Option<()> {
    let file = file.open().ok()?;
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).ok()?;
    let telling: Vec<BooleanArray> = read(&file, &metadata, &["event_type"], None)?
        .map(|batch| is_telling(&batch?))
        .collect::<Result<_, _>>()
        .ok()?;
    let selection = RowSelection::from_filters(&telling);
    let data = read(&file, &metadata, &["data"], Some(selection))?;
    let mut data = data.filter_map(|batch| text(&batch.ok()?, "data").ok()).flat_map(|column| {
        let column = column.as_string::<i32>().clone();
        (0..column.len()).map(move |row| kind(&column, row))
    });
    let mut offsets = Offsets::default();
    for batch in read(&file, &metadata, &CLOCKS, None)? {
        note_clocks(&batch.ok()?, &mut offsets).ok()?;
    }
    if !offsets.suspects().is_empty() {
        let mut order = Order::default();
        for batch in read(&file, &metadata, &COLUMNS, None)? {
            note_order(&batch.ok()?, &mut order).ok()?;
        }
        offsets.prove(&order);
    }
    for batch in read(&file, &metadata, &COLUMNS, None)? {
        walk_batch(&batch.ok()?, (walk, table, &offsets), until_ms, &mut |_| data.next().flatten()).ok()?;
    }
    Some(())
}

/// Takes note of what these events tell of the clocks.
fn note_clocks(batch: &RecordBatch, offsets: &mut Offsets) -> Result<(), ArrowError> {
    let (timestamps, arrivals) = (millis(batch, "timestamp")?, millis(batch, "ingested_at")?);
    let (timestamps, arrivals) = (timestamps.as_primitive::<Int64Type>(), arrivals.as_primitive::<Int64Type>());
    let producers = Producers::of(batch)?;
    for row in 0..batch.num_rows() {
        offsets.note(producers.at(row), timestamps.value(row), arrivals.value(row));
    }
    Ok(())
}

/// Takes note of the order in which the steps of jobs were told.
fn note_order(batch: &RecordBatch, order: &mut Order) -> Result<(), ArrowError> {
    let (timestamps, arrivals) = (millis(batch, "timestamp")?, millis(batch, "ingested_at")?);
    let (timestamps, arrivals) = (timestamps.as_primitive::<Int64Type>(), arrivals.as_primitive::<Int64Type>());
    let (event_types, job_ids) = (text(batch, "event_type")?, text(batch, "job_id")?);
    let (event_types, job_ids) = (event_types.as_string::<i32>(), job_ids.as_string::<i32>());
    let producers = Producers::of(batch)?;
    for row in (0..batch.num_rows()).filter(|row| job_ids.is_valid(*row)) {
        let (job_id, event_type) = (job_ids.value(row), event_types.value(row));
        order.note(job_id, event_type, producers.at(row), timestamps.value(row), arrivals.value(row));
    }
    Ok(())
}

/// Whose clock each event goes by.
struct Producers([StringArray; 3]);

impl Producers {
    fn of(batch: &RecordBatch) -> Result<Self, ArrowError> {
        let column = |name| Ok::<_, ArrowError>(text(batch, name)?.as_string::<i32>().clone());
        Ok(Self([column("worker_id")?, column("machine_id")?, column("service")?]))
    }

    fn at(&self, row: usize) -> &str {
        self.0.iter().find(|column| column.is_valid(row)).map_or("", |column| column.value(row))
    }
}

/// Walks over events from memory, which have all columns; those that had arrived until then.
pub(super) fn walk_memory(
    batch: &RecordBatch,
    walk: &mut Walk,
    table: &mut Typical,
    until_ms: i64,
) -> Result<(), ArrowError> {
    let data = text(batch, "data")?;
    let data = data.as_string::<i32>();
    let mut offsets = Offsets::default();
    note_clocks(batch, &mut offsets)?;
    if !offsets.suspects().is_empty() {
        let mut order = Order::default();
        note_order(batch, &mut order)?;
        offsets.prove(&order);
    }
    walk_batch(batch, (walk, table, &offsets), until_ms, &mut |row| kind(data, row))
}

/// `kind` is asked once for each telling event, in order.
fn walk_batch(
    batch: &RecordBatch,
    (walk, table, offsets): (&mut Walk, &mut Typical, &Offsets),
    until_ms: i64,
    kind: &mut dyn FnMut(usize) -> Option<String>,
) -> Result<(), ArrowError> {
    let (timestamps, arrivals) = (millis(batch, "timestamp")?, millis(batch, "ingested_at")?);
    let (timestamps, arrivals) = (timestamps.as_primitive::<Int64Type>(), arrivals.as_primitive::<Int64Type>());
    let (event_types, job_ids, worker_ids) =
        (text(batch, "event_type")?, text(batch, "job_id")?, text(batch, "worker_id")?);
    let event_types = event_types.as_string::<i32>();
    let (job_ids, worker_ids) = (job_ids.as_string::<i32>(), worker_ids.as_string::<i32>());
    let producers = Producers::of(batch)?;
    for row in 0..batch.num_rows() {
        let event_type = event_types.value(row);
        let job_type = if tells_kind(event_type) { kind(row) } else { None };
        if arrivals.value(row) > until_ms {
            continue;
        }
        walk.step(
            table,
            offsets,
            Step {
                timestamp_ms: timestamps.value(row),
                arrived_ms: arrivals.value(row),
                event_type,
                job_id: job_ids.is_valid(row).then(|| job_ids.value(row)),
                worker_id: worker_ids.is_valid(row).then(|| worker_ids.value(row)),
                producer: producers.at(row),
                job_type: job_type.as_deref(),
            },
        );
    }
    Ok(())
}

fn read(
    file: &File,
    metadata: &ArrowReaderMetadata,
    columns: &[&str],
    selection: Option<RowSelection>,
) -> Option<ParquetRecordBatchReader> {
    let schema = metadata.schema();
    let indices = columns.iter().filter_map(|name| Some(schema.column_with_name(name)?.0));
    let mask = ProjectionMask::roots(metadata.parquet_schema(), indices);
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file.try_clone().ok()?, metadata.clone());
    let at_once = match columns.contains(&"data") {
        true => rows_at_once(metadata.metadata(), READ_ROWS),
        false => READ_ROWS,
    };
    let reader = reader.with_projection(mask).with_batch_size(at_once);
    let reader = if let Some(selection) = selection { reader.with_row_selection(selection) } else { reader };
    reader.build().ok()
}

fn is_telling(batch: &RecordBatch) -> Result<BooleanArray, ArrowError> {
    let event_types = text(batch, "event_type")?;
    Ok(event_types.as_string::<i32>().iter().map(|event_type| event_type.map(tells_kind).or(Some(false))).collect())
}

/// Does it say of which kind its job is? Of the others `data`, which is large, is not read.
fn tells_kind(event_type: &str) -> bool {
    vocabulary().meaning_anywhere(event_type).is_some_and(Meaning::is_beginning)
}

fn kind(data: &StringArray, row: usize) -> Option<String> {
    let data = Data::read(data.is_valid(row).then(|| data.value(row))?, &mut Texts::default());
    job_type_of(&data).map(str::to_owned)
}

/// A column as text; nothing in each row where the file lacks it.
fn text(batch: &RecordBatch, name: &str) -> Result<ArrayRef, ArrowError> {
    match batch.column_by_name(name) {
        Some(column) => cast(column, &DataType::Utf8),
        None => Ok(arrow::array::new_null_array(&DataType::Utf8, batch.num_rows())),
    }
}

fn millis(batch: &RecordBatch, name: &str) -> Result<ArrayRef, ArrowError> {
    let missing = || ArrowError::SchemaError(format!("there is no column `{name}`"));
    let column = batch.column_by_name(name).ok_or_else(missing)?;
    cast(&cast(column, &DataType::Timestamp(TimeUnit::Millisecond, None))?, &DataType::Int64)
}
