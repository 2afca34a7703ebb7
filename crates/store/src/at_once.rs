//! How much of a sealed file is decoded at once.

use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};

/// Bytes of rows decoded at once, about.
const BYTES_MAX: u64 = 4 << 20;

/// How many rows of a file to decode at once: so many, and fewer where they are large.
#[must_use]
pub fn rows_at_once(metadata: &ParquetMetaData, at_most: usize) -> usize {
    let largest = metadata.row_groups().iter().map(row_bytes).max().unwrap_or(0);
    usize::try_from(BYTES_MAX / largest.max(1)).unwrap_or(at_most).clamp(1, at_most)
}

/// What a row of this group takes once it is decoded, on average.
fn row_bytes(group: &RowGroupMetaData) -> u64 {
    let rows = group.num_rows().max(1).unsigned_abs();
    group.columns().iter().map(decoded_bytes).fold(0, u64::saturating_add) / rows
}

/// A damaged footer may say anything, which costs no more than that few rows are decoded at once.
fn decoded_bytes(column: &ColumnChunkMetaData) -> u64 {
    // Equal texts are stored once, and come out as often as they stand there.
    let texts = column.unencoded_byte_array_data_bytes().unwrap_or(0);
    texts.max(column.uncompressed_size()).max(0).unsigned_abs()
}
