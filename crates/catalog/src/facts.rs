//! What is known about a sealed file, learned from its footer.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use arrow::datatypes::{DataType, Schema, TimeUnit};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::errors::ParquetError;
use parquet::file::metadata::{FooterTail, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use serde::{Deserialize, Serialize};

use super::MissingFile;
use super::ids::Places;
use super::stamp::Stamp;
use super::values::Values;
use emp_store::{CHECKSUM_KEY, rows_at_once};

/// What a file holds, as far as its footer tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// How many events.
    pub rows: u64,
    /// The least and the greatest `timestamp`, in ms; `None` where the file does not tell.
    pub timestamps: Option<(i64, i64)>,
    /// The same of `ingested_at`.
    pub ingested: Option<(i64, i64)>,
    /// The same of `duration_ms`, in ms; `None` for files that another program wrote, too.
    pub durations: Option<(f64, f64)>,
    /// In how many rows each of [`BOUNDED_COLUMNS`] is null, where the file tells.
    pub nulls: [Option<u64>; BOUNDED_COLUMNS.len()],
    /// How many of its rows a question takes at once, which are fewer where they are large.
    pub rows_at_once: u32,
    /// Columns of the table that the file lacks, and others that it has: what is worth a note.
    pub note: Option<String>,
}

/// As many rows as a question takes at once, where they are small: as many as the query engine has in a batch.
pub const ROWS_AT_ONCE_MAX: usize = 8_192;

/// The columns whose least and greatest values are known.
pub const BOUNDED_COLUMNS: [&str; 3] = ["timestamp", "ingested_at", "duration_ms"];

/// What was learned about a file, and what it looked like then.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Knowledge {
    pub stamp: Stamp,
    /// The CRC-32 of the footer, where that holds the checksum of the whole file: then a file of
    /// another stamp and the same digest is a copy.
    digest: Option<u32>,
    /// The facts, or why the file cannot be read as events.
    pub facts: Result<Facts, String>,
    /// Where the index has its ids, and the words of its texts.
    pub places: Places,
    /// Which services, event types and levels occur in it; learned with the ids.
    pub values: Option<Values>,
}

/// The length of the footer and the letters `PAR1`.
const TAIL_BYTES: u64 = 8;
/// Read at once: most footers are smaller.
const READ_BYTES: u64 = 32 << 10;

impl Knowledge {
    /// Which contents these are, among those that a file of one name has had.
    pub fn identity(&self) -> u64 {
        self.digest.map_or(self.stamp.number(), u64::from)
    }

    /// Learns what the footer of the file at `path` tells. `before` is what was known about a file
    /// of that name: a copy keeps it.
    pub fn learn(path: &Path, stamp: Stamp, before: Option<&Self>) -> Result<Self, MissingFile> {
        let unusable =
            |reason| Self { stamp, digest: None, facts: Err(reason), places: Places::default(), values: None };
        let footer = match read_footer(path) {
            Ok(footer) => footer,
            Err(FooterError::Missing) => return Err(MissingFile(path.to_owned())),
            Err(FooterError::Unusable(reason)) => return Ok(unusable(reason)),
        };
        let digest = crc32fast::hash(&footer);
        if let Some(copied) = before.filter(|before| before.digest == Some(digest)) {
            return Ok(Self { stamp, ..copied.clone() });
        }
        let metadata = match ParquetMetaDataReader::decode_metadata(&footer) {
            Ok(metadata) => metadata,
            Err(error) => return Ok(unusable(not_whole(&parquet_message(&error)))),
        };
        let pairs = metadata.file_metadata().key_value_metadata();
        let has_checksum = pairs.is_some_and(|pairs| pairs.iter().any(|pair| pair.key == CHECKSUM_KEY));
        let facts = Facts::judge(&metadata, has_checksum);
        Ok(Self { stamp, digest: has_checksum.then_some(digest), facts, places: Places::default(), values: None })
    }
}

enum FooterError {
    Missing,
    Unusable(String),
}

/// The encoded footer, without the eight bytes behind it.
fn read_footer(path: &Path) -> Result<Vec<u8>, FooterError> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => FooterError::Missing,
        _ => FooterError::Unusable(format!("it cannot be opened ({error})")),
    };
    let damaged = |detail: String| FooterError::Unusable(not_whole(&detail));
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    if length < TAIL_BYTES {
        return Err(damaged(format!("Parquet file too small. Size is {length} but need {TAIL_BYTES}")));
    }
    let mut end = vec![0; length.min(READ_BYTES) as usize];
    let start = length - end.len() as u64;
    file.read_exact_at(&mut end, start).map_err(unreadable)?;
    // It is at least as long as a tail.
    let Some((rest, tail)) = end.split_last_chunk() else { return Err(damaged("Corrupt footer".to_owned())) };
    let tail = FooterTail::try_new(tail).map_err(|error| damaged(parquet_message(&error)))?;
    let footer_bytes = tail.metadata_length() as u64;
    if footer_bytes > length - TAIL_BYTES {
        return Err(damaged("Corrupt footer".to_owned()));
    }
    if let Some(footer) = rest.len().checked_sub(footer_bytes as usize).map(|start| &rest[start..]) {
        return Ok(footer.to_vec());
    }
    let mut footer = vec![0; footer_bytes as usize];
    file.read_exact_at(&mut footer, length - TAIL_BYTES - footer_bytes).map_err(unreadable)?;
    Ok(footer)
}

fn not_whole(detail: &str) -> String {
    format!("it is no whole Parquet file ({detail})")
}

impl Facts {
    fn judge(metadata: &ParquetMetaData, is_ours: bool) -> Result<Self, String> {
        let file = metadata.file_metadata();
        let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())
            .map_err(|error| format!("its columns cannot be read ({})", parquet_message(&error)))?;
        check_columns(&schema)?;
        let rows = metadata.row_groups().iter().map(RowGroupMetaData::num_rows).sum::<i64>();
        let rows = u64::try_from(rows).map_err(|_| "its footer counts its rows below zero".to_owned())?;
        Ok(Self {
            rows,
            timestamps: time_bounds(metadata, &schema, "timestamp"),
            ingested: time_bounds(metadata, &schema, "ingested_at"),
            // Bounds leave NaN out, which is above all numbers in SQL. Our own files have none.
            durations: bounds(metadata, "duration_ms", |statistics| match statistics {
                Statistics::Double(of) if is_ours => Some((*of.min_opt()?, *of.max_opt()?)),
                _ => None,
            }),
            nulls: BOUNDED_COLUMNS.map(|name| nulls(metadata, name)),
            // No more than that many.
            rows_at_once: rows_at_once(metadata, ROWS_AT_ONCE_MAX) as u32,
            note: note(&schema),
        })
    }
}

/// The library's words without its name in front.
fn parquet_message(error: &ParquetError) -> String {
    let message = match error {
        ParquetError::General(message) | ParquetError::EOF(message) => message.clone(),
        other => other.to_string(),
    };
    message.lines().next().unwrap_or_default().trim_start_matches("Invalid Parquet file. ").to_owned()
}

/// A file need not have every column, and may have others; but it needs an `id`, or its rows
/// are no events, and a column of our name must hold what ours does.
fn check_columns(schema: &Schema) -> Result<(), String> {
    if schema.column_with_name("id").is_none() {
        return Err("its rows are no events: it has no column `id`".to_owned());
    }
    for wanted in emp_store::file_schema().fields() {
        let Some((_, found)) = schema.column_with_name(wanted.name()) else { continue };
        if !holds(found.data_type(), wanted.data_type()) {
            return Err(format!(
                "its column `{}` is {}, not {}",
                wanted.name(),
                kind(found.data_type()),
                kind(wanted.data_type())
            ));
        }
    }
    Ok(())
}

/// What differs from the table's columns, in words.
fn note(schema: &Schema) -> Option<String> {
    let ours = emp_store::file_schema();
    let quoted = |names: Vec<&String>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let fields = ours.fields().iter().map(|field| field.name());
    let missing: Vec<&String> = fields.filter(|name| schema.column_with_name(name).is_none()).collect();
    let others = schema.fields().iter().map(|field| field.name());
    let extra: Vec<&String> = others.filter(|name| ours.column_with_name(name).is_none()).collect();
    match (missing.is_empty(), extra.is_empty()) {
        (true, true) => None,
        (false, true) => Some(format!("it lacks {}, which are null", quoted(missing))),
        (true, false) => Some(format!("its columns {} are ignored", quoted(extra))),
        (false, false) => {
            Some(format!("it lacks {}, which are null; its columns {} are ignored", quoted(missing), quoted(extra)))
        }
    }
}

/// Can a column of the type `found` be read as `wanted` without changing what it says?
fn holds(found: &DataType, wanted: &DataType) -> bool {
    match (found, wanted) {
        (DataType::Dictionary(_, value), _) => holds(value, wanted),
        (DataType::Timestamp(_, found_zone), DataType::Timestamp(..)) => {
            found_zone.as_deref().is_none_or(|zone| matches!(zone, "UTC" | "+00:00" | "Z"))
        }
        (found, DataType::Utf8) => matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
        (found, DataType::Float64) => found.is_floating() || found.is_integer(),
        (found, wanted) => found == wanted,
    }
}

/// A type in the words of SQL.
fn kind(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Timestamp(_, None) => "a time without a zone".to_owned(),
        DataType::Timestamp(_, Some(zone)) => format!("a time in {zone}"),
        data_type if data_type.is_integer() => "an integer".to_owned(),
        data_type if data_type.is_floating() => "a float".to_owned(),
        DataType::Boolean => "a boolean".to_owned(),
        other => format!("of type {other}"),
    }
}

/// The least and the greatest value of a column of times, where every row group tells.
fn time_bounds(metadata: &ParquetMetaData, schema: &Schema, name: &str) -> Option<(i64, i64)> {
    // Another unit would have to be scaled; our own files have this one.
    let is_ms = matches!(schema.field_with_name(name).ok()?.data_type(), DataType::Timestamp(TimeUnit::Millisecond, _));
    bounds(metadata, name, |statistics| match statistics {
        Statistics::Int64(of) if is_ms => Some((*of.min_opt()?, *of.max_opt()?)),
        _ => None,
    })
}

/// In how many rows a column is null; `None` where the file has no such column, or does not tell.
fn nulls(metadata: &ParquetMetaData, name: &str) -> Option<u64> {
    let column = position(metadata, name)?;
    metadata.row_groups().iter().map(|group| group.column(column).statistics()?.null_count_opt()).sum()
}

fn position(metadata: &ParquetMetaData, name: &str) -> Option<usize> {
    metadata.file_metadata().schema_descr().columns().iter().position(|column| column.path().string() == name)
}

/// The least and the greatest value of a column over all row groups that have values of it;
/// `None` where one does not tell, or there are no values.
fn bounds<T: PartialOrd + Copy>(
    metadata: &ParquetMetaData,
    name: &str,
    of: impl Fn(&Statistics) -> Option<(T, T)>,
) -> Option<(T, T)> {
    let column = position(metadata, name)?;
    let mut all: Option<(T, T)> = None;
    for group in metadata.row_groups() {
        let statistics = group.column(column).statistics()?;
        if statistics.null_count_opt() == Some(group.num_rows().max(0).unsigned_abs()) {
            continue;
        }
        let (least, greatest) = of(statistics)?;
        let (all_least, all_greatest) = all.unwrap_or((least, greatest));
        let least = if least < all_least { least } else { all_least };
        all = Some((least, if greatest > all_greatest { greatest } else { all_greatest }));
    }
    all
}
