//! The footer of a Parquet file: what the file holds, and whether it may be read as events.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use crate::store;

/// What the end of a readable file tells.
#[derive(Debug)]
pub(super) struct Footer {
    /// Everything, for the scan to go on with.
    pub metadata: Arc<ParquetMetaData>,
    /// The file's own columns.
    pub schema: SchemaRef,
    /// How many events.
    pub rows: usize,
    /// The least and the greatest `timestamp`, in ms; `None` where the file does not tell.
    pub timestamps: Option<(i64, i64)>,
    /// The same of `ingested_at`.
    pub ingested: Option<(i64, i64)>,
}

/// Why there is no footer.
#[derive(Debug, Clone)]
pub(super) enum FooterError {
    /// The file is gone since it was listed: it was superseded, or its time was over.
    Vanished,
    /// It cannot be read as events; the reason.
    Unusable(String),
}

impl Footer {
    /// Reads the footer of a file, and no more.
    pub fn read(path: &Path) -> Result<Self, FooterError> {
        let file = File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => FooterError::Vanished,
            _ => FooterError::Unusable(format!("it cannot be opened ({error})")),
        })?;
        let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Skip);
        let metadata = reader.parse_and_finish(&file).map_err(|error| {
            FooterError::Unusable(format!("it is no whole Parquet file ({})", parquet_message(&error)))
        })?;
        Self::judge(metadata).map_err(FooterError::Unusable)
    }

    fn judge(metadata: ParquetMetaData) -> Result<Self, String> {
        let file = metadata.file_metadata();
        let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())
            .map_err(|error| format!("its columns cannot be read ({})", parquet_message(&error)))?;
        check_columns(&schema)?;
        let rows = metadata.row_groups().iter().map(RowGroupMetaData::num_rows).sum::<i64>();
        let timestamps = time_bounds(&metadata, &schema, "timestamp");
        let ingested = time_bounds(&metadata, &schema, "ingested_at");
        let rows = usize::try_from(rows).map_err(|_| "its footer counts its rows below zero".to_owned())?;
        Ok(Self { metadata: Arc::new(metadata), schema: Arc::new(schema), rows, timestamps, ingested })
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
    for wanted in store::file_schema().fields() {
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
    let columns = metadata.file_metadata().schema_descr().columns();
    let column = columns.iter().position(|column| column.path().string() == name).filter(|_| is_ms)?;
    let mut bounds = None;
    for group in metadata.row_groups() {
        let Some(Statistics::Int64(statistics)) = group.column(column).statistics() else { return None };
        let (least, greatest) = (*statistics.min_opt()?, *statistics.max_opt()?);
        let (all_least, all_greatest) = bounds.unwrap_or((least, greatest));
        bounds = Some((least.min(all_least), greatest.max(all_greatest)));
    }
    bounds
}
