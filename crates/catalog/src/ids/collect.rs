//! Collecting the ids of one sealed file, and the words of its texts.

use std::collections::BTreeSet;
use std::fs::File;

use arrow::array::{Array as _, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use emp_store::{Partition, rows_at_once};

use super::grams::Grams;
use super::{ID_COLUMNS, IdScope, Indexed, JOB_COLUMN, hash, job_hash};
use crate::values::VALUE_COLUMNS;

/// Rows decoded at once: one column at a time, so that this stays small.
const READ_ROWS: usize = 8_192;
/// Hashes held before those that occur twice are dropped.
const HASHES_MAX: usize = 1 << 17;
/// More different values of a column of [`VALUE_COLUMNS`] than can be told apart anyway.
const VALUES_MAX: usize = 256;

/// In these a person looks for a text.
const TEXT_COLUMNS: [&str; 2] = ["data", "event_type"];

/// What a file holds, for the index.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    /// The hashes of all its ids, or of all grams of its texts, ascending, each once.
    pub hashes: Vec<u64>,
    /// The values of [`VALUE_COLUMNS`], each once; none with texts.
    values: [BTreeSet<String>; VALUE_COLUMNS.len()],
}

impl Entries {
    /// The values of [`VALUE_COLUMNS`], each once.
    pub fn values(&self) -> [impl Iterator<Item = &str>; VALUE_COLUMNS.len()] {
        self.values.each_ref().map(|values| values.iter().map(String::as_str))
    }
}

/// Reads the columns of ids, or of texts, of that file, one after the other. `None` where it cannot be
/// read: then the index does not know the file, and a query looks into it.
pub(crate) fn collect(file: &Partition, what: Indexed) -> Option<Entries> {
    let columns = Columns::open(file)?;
    match what {
        Indexed::Ids => collect_ids(&columns),
        Indexed::Texts => collect_texts(&columns),
    }
}

fn collect_texts(columns: &Columns) -> Option<Entries> {
    let mut grams = Grams::new();
    for name in TEXT_COLUMNS {
        columns.each(name, false, &mut |text, _| grams.add(text))?;
    }
    Some(Entries { hashes: grams.hashes(), ..Entries::default() })
}

fn collect_ids(columns: &Columns) -> Option<Entries> {
    let mut set = Entries::default();
    for (column, name) in ID_COLUMNS.iter().enumerate() {
        let (mut last, mut unsorted): (Option<String>, _) = (None, set.hashes.len());
        columns.each(name, true, &mut |id, is_error| {
            if is_error {
                set.hashes.push(hash(column, id, IdScope::ErrorEvents));
            }
            // Events of one job tend to follow each other.
            if last.as_deref() != Some(id) {
                set.hashes.push(hash(column, id, IdScope::AllEvents));
                last.get_or_insert_default().replace_range(.., id);
            }
            if set.hashes.len() - unsorted >= HASHES_MAX {
                sort(&mut set.hashes);
                unsorted = set.hashes.len();
            }
        })?;
        sort(&mut set.hashes);
    }
    for (values, name) in set.values.iter_mut().zip(VALUE_COLUMNS) {
        columns.each(name, false, &mut |value, _| {
            if !values.contains(value) && values.len() < VALUES_MAX {
                values.insert(value.to_owned());
            }
        })?;
    }
    Some(set)
}

/// The hashes of the jobs in that file, each once. `None` where it cannot be read.
pub(crate) fn collect_jobs(file: &Partition) -> Option<Vec<u64>> {
    let (mut hashes, mut last) = (Vec::new(), String::new());
    Columns::open(file)?.each(ID_COLUMNS[JOB_COLUMN], false, &mut |id, _| {
        if last != id {
            hashes.push(job_hash(id));
            last.replace_range(.., id);
        }
        if hashes.len() >= HASHES_MAX {
            sort(&mut hashes);
        }
    })?;
    sort(&mut hashes);
    Some(hashes)
}

fn sort(hashes: &mut Vec<u64>) {
    hashes.sort_unstable();
    hashes.dedup();
}

const LEVEL: &str = "level";

/// The columns of a file.
struct Columns {
    file: File,
    metadata: ArrowReaderMetadata,
}

impl Columns {
    fn open(file: &Partition) -> Option<Self> {
        let file = file.open().ok()?;
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).ok()?;
        Some(Self { file, metadata })
    }

    /// Every value of a column that is not null, and, where that is asked for, whether its event is
    /// an error.
    fn each(&self, name: &str, with_level: bool, take: &mut dyn FnMut(&str, bool)) -> Option<()> {
        let schema = self.metadata.schema();
        // A column that the file lacks is null in each row.
        let Some((index, _)) = schema.column_with_name(name) else { return Some(()) };
        let level = schema.column_with_name(LEVEL).map(|(index, _)| index).filter(|_| with_level);
        let columns = ProjectionMask::roots(self.metadata.parquet_schema(), level.into_iter().chain([index]));
        let file = self.file.try_clone().ok()?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        let rows = rows_at_once(self.metadata.metadata(), READ_ROWS);
        for batch in reader.with_projection(columns).with_batch_size(rows).build().ok()? {
            let batch = batch.ok()?;
            // Other writers may have chosen another type of text.
            let text = |name| cast(batch.column_by_name(name)?, &DataType::Utf8).ok();
            let values = text(name)?;
            let levels = if level.is_some() { Some(text(LEVEL)?) } else { None };
            let levels = levels.as_ref().map(|levels| levels.as_string::<i32>());
            for (row, value) in values.as_string::<i32>().iter().enumerate() {
                let is_error = levels.is_some_and(|levels| levels.is_valid(row) && levels.value(row) == "error");
                if let Some(value) = value {
                    take(value, is_error);
                }
            }
        }
        Some(())
    }
}
