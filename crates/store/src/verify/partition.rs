use std::fs::File;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::TimestampMillisecondType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use crate::at_once::rows_at_once;
use crate::checksum::{self, Checksum};
use crate::error::IoContext as _;
use crate::layout::Hour;
use crate::sealed::is_ours;
use crate::{Partition, StoreError};
use emp_event::{EntryId, ParseEntryIdError};

/// Rows decoded at once.
const READ_ROWS: usize = 8_192;

/// Reads a sealed file; how many events it holds.
///
/// # Errors
/// [`StoreError::Damaged`] with what is wrong with it.
pub(super) fn check(file: &Partition) -> Result<u64, StoreError> {
    let damaged = |detail: String| StoreError::Damaged { path: file.path.clone(), detail };
    let unreadable = |error: ParquetError| damaged(format!("it cannot be read ({error})"));
    let checksum = checksum::check(&file.path)?;
    if checksum == Checksum::Broken {
        return Err(damaged("its checksum does not hold".to_owned()));
    }
    let opened = File::open(&file.path).doing("open", &file.path)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(opened).map_err(unreadable)?;
    let at_once = rows_at_once(reader.metadata(), READ_ROWS);
    let reader = reader.with_batch_size(at_once);
    let metadata = reader.metadata().file_metadata();
    if checksum == Checksum::Missing && metadata.created_by().is_some_and(is_ours) {
        return Err(damaged("its checksum is gone".to_owned()));
    }
    let promised = metadata.num_rows().max(0).unsigned_abs();
    let mut order = Order { file, first: None, last: None, rows: 0 };
    for batch in reader.build().map_err(unreadable)? {
        order.take(&batch.map_err(|error| unreadable(error.into()))?).map_err(damaged)?;
    }
    order.check_ends(promised).map_err(damaged)?;
    Ok(order.rows)
}

/// The IDs of a file, as far as they were read.
struct Order<'a> {
    file: &'a Partition,
    first: Option<EntryId>,
    last: Option<EntryId>,
    rows: u64,
}

impl Order<'_> {
    fn take(&mut self, batch: &RecordBatch) -> Result<(), String> {
        let ids = batch.column_by_name("id").and_then(|column| column.as_string_opt::<i32>());
        let ids = ids.ok_or("it has no column `id` of text")?;
        let times = batch.column_by_name("ingested_at");
        let times = times.and_then(|column| column.as_primitive_opt::<TimestampMillisecondType>());
        for (index, id) in ids.iter().enumerate() {
            let id: EntryId = id.unwrap_or_default().parse().map_err(|error: ParseEntryIdError| error.to_string())?;
            let ingested_at = id.ingested_at().ok_or_else(|| format!("the ID {id} lies beyond any calendar"))?;
            if self.last.is_some_and(|last| id <= last) {
                return Err(format!("the ID {id} does not follow those before it"));
            }
            if Hour::of_ms(ingested_at) != self.file.hour {
                return Err(format!("the ID {id} is not of the hour of its folder"));
            }
            if times.is_some_and(|times| times.value(index) != ingested_at) {
                return Err(format!("`ingested_at` of {id} is not the time in the ID"));
            }
            self.first = self.first.or(Some(id));
            self.last = Some(id);
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    fn check_ends(&self, promised: u64) -> Result<(), String> {
        let ids = self.file.name.ids;
        if self.rows != promised {
            return Err(format!("it holds {} rows, and its footer promises {promised}", self.rows));
        }
        if (self.first, self.last) != (Some(ids.first), Some(ids.last)) {
            return Err("its first and last ID are not those of its name".to_owned());
        }
        Ok(())
    }
}
