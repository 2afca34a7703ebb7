//! Collecting the ids of one sealed file.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use arrow::array::AsArray as _;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use super::{ID_COLUMNS, hash};
use crate::catalog::values::VALUE_COLUMNS;

/// Rows decoded at once: one column at a time, so that this stays small.
const READ_ROWS: usize = 8_192;
/// Hashes held before those that occur twice are dropped.
const HASHES_MAX: usize = 1 << 17;
/// More different values of a column of [`VALUE_COLUMNS`] than can be told apart anyway.
const VALUES_MAX: usize = 256;

/// What a file holds, for the index.
#[derive(Debug, Default)]
pub(in crate::catalog) struct IdSet {
    /// The hashes of all its ids, ascending, each once.
    pub hashes: Vec<u64>,
    /// The values of [`VALUE_COLUMNS`], each once.
    values: [BTreeSet<String>; VALUE_COLUMNS.len()],
}

impl IdSet {
    /// The values of [`VALUE_COLUMNS`], each once.
    pub fn values(&self) -> [impl Iterator<Item = &str>; VALUE_COLUMNS.len()] {
        self.values.each_ref().map(|values| values.iter().map(String::as_str))
    }
}

/// Reads the columns of ids of the file at `path`, one after the other. `None` where it cannot be
/// read: then the index does not know the file, and a query looks into it.
pub(in crate::catalog) fn collect(path: &Path) -> Option<IdSet> {
    let mut set = IdSet::default();
    let file = File::open(path).ok()?;
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).ok()?;
    let schema = metadata.schema();
    let each = |name: &str, take: &mut dyn FnMut(&str)| -> Option<()> {
        // A column that the file lacks is null in each row.
        let Some((index, _)) = schema.column_with_name(name) else { return Some(()) };
        let column = ProjectionMask::roots(metadata.parquet_schema(), [index]);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file.try_clone().ok()?, metadata.clone());
        let reader = reader.with_projection(column).with_batch_size(READ_ROWS).build().ok()?;
        each_text(reader, take)
    };
    for (column, name) in ID_COLUMNS.iter().enumerate() {
        let (mut last, mut unsorted) = (String::new(), set.hashes.len());
        each(name, &mut |id| {
            // Events of one job tend to follow each other.
            if id != last {
                set.hashes.push(hash(column, id));
                last.replace_range(.., id);
                if set.hashes.len() - unsorted >= HASHES_MAX {
                    sort(&mut set.hashes);
                    unsorted = set.hashes.len();
                }
            }
        })?;
        sort(&mut set.hashes);
    }
    for (values, name) in set.values.iter_mut().zip(VALUE_COLUMNS) {
        each(name, &mut |value| {
            if !values.contains(value) && values.len() < VALUES_MAX {
                values.insert(value.to_owned());
            }
        })?;
    }
    Some(set)
}

fn sort(hashes: &mut Vec<u64>) {
    hashes.sort_unstable();
    hashes.dedup();
}

fn each_text(reader: ParquetRecordBatchReader, take: &mut dyn FnMut(&str)) -> Option<()> {
    for batch in reader {
        let batch = batch.ok()?;
        // Other writers may have chosen another type of text.
        let column = cast(batch.column(0), &DataType::Utf8).ok()?;
        column.as_string::<i32>().iter().flatten().for_each(&mut *take);
    }
    Some(())
}
