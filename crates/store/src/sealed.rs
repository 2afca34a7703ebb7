//! Writing one Parquet file of a partition.

use std::path::{Path, PathBuf};

use arrow::array::{AsArray as _, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{BloomFilterPosition, EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

use super::checksum::{self, Summed};
use super::disk::Temporary;
use super::journal::Row;
use super::layout::{Hour, IdRange, Layout, SealedName, Writer};
use super::schema::{BatchBuilder, file_schema};
use super::{StoreError, disk};
use emp_event::{EntryId, ParseEntryIdError, TIMESTAMP_MS_MAX};

/// Rows handed to the Parquet library at once.
const BATCH_ROWS_MAX: usize = 1_024;
/// The same bound for rows with large `data`.
const BATCH_DATA_BYTES_MAX: usize = 1 << 20;
/// Rows of a row group: few enough that a question for one job decodes little.
const ROW_GROUP_ROWS_MAX: usize = 128 << 10;
/// Encoded bytes of a row group under construction: what bounds the writer's memory.
const ROW_GROUP_BYTES_MAX: usize = 4 << 20;
/// Bytes of a page and of a dictionary, before they are compressed: each of the columns has one of
/// both in the making.
const PAGE_BYTES_MAX: usize = 128 << 10;
/// A bloom filter answers "may this file hold this id" for engines that don't know our index.
const BLOOM_FALSE_POSITIVES: f64 = 0.01;

/// Writes rows of one hour, in ID order, into one sealed file.
pub struct PartitionWriter {
    layout: Layout,
    writer: Writer,
    parquet: ArrowWriter<Summed>,
    /// Where the file is until it is published.
    temporary: PathBuf,
    batch: BatchBuilder,
    hour_and_ids: Option<(Hour, IdRange)>,
}

impl PartitionWriter {
    /// Begins a file of that writer. It counts once [`Self::finish`] has returned.
    ///
    /// # Errors
    /// [`StoreError`] where the store's folder cannot be written.
    pub fn create(layout: &Layout, writer: &Writer) -> Result<Self, StoreError> {
        let file = Temporary::create(layout, &format!("{writer}.parquet"))?;
        let temporary = file.path().to_owned();
        let parquet = ArrowWriter::try_new(Summed::new(file), file_schema(), Some(properties()))
            .map_err(|source| StoreError::Parquet { path: temporary.clone(), source })?;
        Ok(Self {
            layout: layout.clone(),
            writer: writer.clone(),
            parquet,
            temporary,
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
        assert!(self.follow_row(row).is_some(), "rows of one hour, in ID order");
        self.add(row)
    }

    /// Adds a row that was read from the journal, at `source`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where it does not follow those before it; else what the disk refuses.
    pub(super) fn push_read(&mut self, row: &Row<'_>, source: &Path) -> Result<(), StoreError> {
        match self.follow_row(row) {
            Some(()) => self.add(row),
            None => Err(StoreError::Damaged { path: source.to_owned(), detail: out_of_place(row.id) }),
        }
    }

    fn follow_row(&mut self, row: &Row<'_>) -> Option<()> {
        self.follow(Hour::of_ms(row.ingested_at()), row.id)
    }

    fn add(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        self.batch.push(row);
        if self.batch.rows() >= BATCH_ROWS_MAX || self.batch.data_bytes() >= BATCH_DATA_BYTES_MAX {
            self.write_batch()?;
        }
        Ok(())
    }

    /// Adds the rows of another sealed file, which lies at `source`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where they are not events of the same hour that follow those
    /// before them; else what the disk refuses.
    pub(super) fn push_batch(&mut self, batch: &RecordBatch, source: &Path) -> Result<(), StoreError> {
        let damaged = |detail: String| StoreError::Damaged { path: source.to_owned(), detail };
        if batch.schema_ref().fields() != file_schema().fields() {
            return Err(damaged("its columns are not those of an events file".to_owned()));
        }
        if self.batch.rows() > 0 {
            self.write_batch()?;
        }
        for id in batch.column(0).as_string::<i32>().iter().flatten() {
            let id: EntryId = id.parse().map_err(|error: ParseEntryIdError| damaged(error.to_string()))?;
            let hour = Hour::of_ms(id.ingested_at().unwrap_or(TIMESTAMP_MS_MAX));
            if self.follow(hour, id).is_none() {
                return Err(damaged(out_of_place(id)));
            }
        }
        self.parquet.write(batch).map_err(|source| self.failed(source))?;
        self.flush_full_row_group()
    }

    /// Takes note of the next row; `None` where it does not belong behind the last one.
    fn follow(&mut self, hour: Hour, id: EntryId) -> Option<()> {
        let (first_hour, ids) = self.hour_and_ids.get_or_insert((hour, IdRange { first: id, last: EntryId::ZERO }));
        let follows = *first_hour == hour && ids.last < id;
        ids.last = ids.last.max(id);
        follows.then_some(())
    }

    fn write_batch(&mut self) -> Result<(), StoreError> {
        self.parquet.write(&self.batch.finish()).map_err(|source| self.failed(source))?;
        self.flush_full_row_group()
    }

    fn flush_full_row_group(&mut self) -> Result<(), StoreError> {
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
        let Some((hour, ids)) = self.hour_and_ids else { return Ok(None) };
        self.write_batch()?;
        let Self { layout, writer, temporary, parquet, .. } = self;
        let failed = |source| StoreError::Parquet { path: temporary.clone(), source };
        let file = parquet.into_inner().map_err(failed)?.finish()?;
        let folder = layout.partition(hour);
        disk::create_dir(&layout, &folder)?;
        let path = folder.join(SealedName { writer, ids }.with_extension(PARQUET));
        file.publish(&path)?;
        Ok(Some(path))
    }

    fn failed(&self, source: parquet::errors::ParquetError) -> StoreError {
        StoreError::Parquet { path: self.temporary.clone(), source }
    }
}

/// Who our files say wrote them.
const CREATED_BY: &str = concat!("emp-events ", env!("CARGO_PKG_VERSION"));

/// Does a file say that we wrote it, in whichever version?
pub(super) fn is_ours(created_by: &str) -> bool {
    created_by.starts_with("emp-events ")
}

/// The extension of sealed events.
pub(super) const PARQUET: &str = "parquet";

/// Every option of our Parquet files in one place; none is left to the library's defaults
/// where it matters to a reader.
fn properties() -> WriterProperties {
    let column = |name: &str| ColumnPath::from(name);
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_key_value_metadata(Some(vec![KeyValue::new(checksum::KEY.to_owned(), checksum::PLACEHOLDER.to_owned())]))
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
        .set_data_page_size_limit(PAGE_BYTES_MAX)
        .set_dictionary_page_size_limit(PAGE_BYTES_MAX)
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

/// What is wrong with a row that was read and cannot be sealed where it stands.
fn out_of_place(id: EntryId) -> String {
    format!("its ID {id} does not follow those before it, or is of another hour")
}
