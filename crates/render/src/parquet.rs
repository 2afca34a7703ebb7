//! An answer as a Parquet file.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::rows::unreadable;

/// Encoded bytes of a row group under construction: what bounds the memory.
const ROW_GROUP_BYTES_MAX: usize = 16 << 20;
/// A row group of a narrow table is not larger than that, so that readers can skip parts of it.
const ROW_GROUP_ROWS_MAX: usize = 1 << 20;

/// Writes batches of an answer into a Parquet file, compressed with ZSTD. It holds a row group in
/// memory, whatever the size of the answer.
pub struct ParquetFile<W: Write + Send> {
    writer: ArrowWriter<W>,
    schema: SchemaRef,
}

impl<W: Write + Send> ParquetFile<W> {
    /// Begins a file with these columns.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] for a column of a type that Parquet cannot hold.
    pub fn new(out: W, schema: &SchemaRef) -> io::Result<Self> {
        let schema = plain(schema);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
            .set_created_by(concat!("emp-events ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties)).map_err(failed)?;
        Ok(Self { writer, schema })
    }

    /// Adds rows. The batch must have the columns that the file began with.
    ///
    /// # Errors
    /// What `out` says, or [`io::ErrorKind::InvalidData`].
    pub fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let fields = self.schema.fields();
        let columns = batch.columns().iter().zip(fields).map(|(column, field)| cast(column, field.data_type()));
        let columns = columns.collect::<Result<_, _>>().map_err(unreadable)?;
        let plain = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(unreadable)?;
        self.writer.write(&plain).map_err(failed)?;
        if self.writer.in_progress_size() >= ROW_GROUP_BYTES_MAX {
            self.writer.flush().map_err(failed)?;
        }
        Ok(())
    }

    /// Writes the footer, and gives back what was written to.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn finish(self) -> io::Result<W> {
        self.writer.into_inner().map_err(failed)
    }
}

/// What the file below said, unchanged, so that a full disk is told as one.
fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::new(io::ErrorKind::InvalidData, other),
        },
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}

/// The columns as any reader of Parquet knows them: views of text, which only Arrow has, are text.
fn plain(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let plain = match field.data_type() {
            DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
            DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
            // A column of nulls alone, as `select null` makes it.
            DataType::Null => DataType::Utf8,
            other => other.clone(),
        };
        Field::new(field.name(), plain, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
