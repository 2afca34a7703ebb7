//! Writing one Parquet file of a partition.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{BloomFilterPosition, EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

use super::journal::Row;
use super::layout::{Hour, IdRange, Layout, SealedName, Writer};
use super::schema::{BatchBuilder, file_schema};
use super::{StoreError, disk};

/// Rows handed to the Parquet library at once.
const BATCH_ROWS_MAX: usize = 8_192;
/// The same bound for rows with large `data`.
const BATCH_DATA_BYTES_MAX: usize = 1 << 20;
/// Rows of a row group: few enough that a question for one job decodes little.
const ROW_GROUP_ROWS_MAX: usize = 128 << 10;
/// Encoded bytes of a row group under construction: what bounds the writer's memory.
const ROW_GROUP_BYTES_MAX: usize = 8 << 20;
/// A bloom filter answers "may this file hold this id" for engines that don't know our index.
const BLOOM_FALSE_POSITIVES: f64 = 0.01;

/// Writes rows of one hour, in ID order, into one sealed file.
pub struct PartitionWriter {
    layout: Layout,
    writer: Writer,
    temporary: PathBuf,
    file: File,
    parquet: ArrowWriter<File>,
    batch: BatchBuilder,
    hour_and_ids: Option<(Hour, IdRange)>,
}

impl PartitionWriter {
    /// Begins a file of that writer. It counts once [`Self::finish`] has returned.
    ///
    /// # Errors
    /// [`StoreError`] where the store's folder cannot be written.
    pub fn create(layout: &Layout, writer: &Writer) -> Result<Self, StoreError> {
        disk::create_dir(&layout.journal())?;
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let temporary = layout.journal().join(format!("{writer}.{number}.parquet.tmp"));
        let file = disk::create_temporary(&temporary)?;
        let clone =
            file.try_clone().map_err(|source| StoreError::Io { action: "open", path: temporary.clone(), source })?;
        let parquet = ArrowWriter::try_new(clone, file_schema(), Some(properties()))
            .map_err(|source| StoreError::Parquet { path: temporary.clone(), source })?;
        Ok(Self {
            layout: layout.clone(),
            writer: writer.clone(),
            temporary,
            file,
            parquet,
            batch: BatchBuilder::new(),
            hour_and_ids: None,
        })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`StoreError`] where the disk refuses.
    ///
    /// # Panics
    /// Where the row is not above the last one, or lies in another hour: the caller's bug.
    pub fn push(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        let hour = Hour::of_ms(row.ingested_at());
        match &mut self.hour_and_ids {
            None => self.hour_and_ids = Some((hour, IdRange { first: row.id, last: row.id })),
            Some((first_hour, ids)) => {
                assert!(*first_hour == hour && ids.last < row.id, "rows of one hour, in ID order");
                ids.last = row.id;
            }
        }
        self.batch.push(row);
        if self.batch.rows() >= BATCH_ROWS_MAX || self.batch.data_bytes() >= BATCH_DATA_BYTES_MAX {
            self.write_batch()?;
        }
        Ok(())
    }

    fn write_batch(&mut self) -> Result<(), StoreError> {
        self.parquet.write(&self.batch.finish()).map_err(|source| self.failed(source))?;
        if self.parquet.in_progress_size() >= ROW_GROUP_BYTES_MAX {
            self.parquet.flush().map_err(|source| self.failed(source))?;
        }
        Ok(())
    }

    /// Publishes the file under its final name, durably; where there were no rows, no file.
    ///
    /// # Errors
    /// [`StoreError`] where the disk refuses; nothing is published then.
    pub fn finish(mut self) -> Result<Option<PathBuf>, StoreError> {
        let Some((hour, ids)) = self.hour_and_ids else {
            disk::remove(&self.temporary)?;
            return Ok(None);
        };
        self.write_batch()?;
        self.parquet.finish().map_err(|source| self.failed(source))?;
        let folder = self.layout.partition(hour);
        disk::create_dir(&folder)?;
        let name = SealedName { writer: self.writer, ids };
        let path = folder.join(name.with_extension(PARQUET));
        disk::publish(&self.file, &self.temporary, &path)?;
        Ok(Some(path))
    }

    fn failed(&self, source: parquet::errors::ParquetError) -> StoreError {
        StoreError::Parquet { path: self.temporary.clone(), source }
    }
}

/// The extension of sealed events.
pub(super) const PARQUET: &str = "parquet";

/// Every option of our Parquet files in one place; none is left to the library's defaults
/// where it matters to a reader.
fn properties() -> WriterProperties {
    let column = |name: &str| ColumnPath::from(name);
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(concat!("emp-events ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_bloom_filter_position(BloomFilterPosition::AfterRowGroup)
        .set_sorting_columns(Some(vec![SortingColumn {
            column_idx: INGESTED_AT_INDEX,
            descending: false,
            nulls_first: false,
        }]))
        .set_column_statistics_enabled(column("data"), EnabledStatistics::None);
    for name in ["timestamp", "ingested_at"] {
        builder = builder
            .set_column_dictionary_enabled(column(name), false)
            .set_column_encoding(column(name), Encoding::DELTA_BINARY_PACKED);
    }
    // Distinct in nearly every row: a dictionary would only be begun and given up.
    for name in ["id", "trace_id"] {
        builder = builder
            .set_column_dictionary_enabled(column(name), false)
            .set_column_encoding(column(name), Encoding::DELTA_BYTE_ARRAY);
    }
    for name in ["trace_id", "job_id"] {
        builder = builder
            .set_column_bloom_filter_enabled(column(name), true)
            .set_column_bloom_filter_fpp(column(name), BLOOM_FALSE_POSITIVES);
    }
    builder.build()
}

/// Where `ingested_at` stands among the columns of a file.
const INGESTED_AT_INDEX: i32 = 2;
