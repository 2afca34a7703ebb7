//! How a scan reads a sealed file: at once, from the file itself.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, OnceLock};

use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::error::{DataFusionError, Result};
use datafusion::object_store::PutPayload;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use emp_catalog::MissingFile;
use emp_store::Partition;

/// The type that the Parquet library wants, under a name that it exports.
type Bytes = <PutPayload as IntoIterator>::Item;

/// Where a file lies and which number it has, for the scan that gets its [`PartitionedFile`].
pub(super) struct Located {
    pub file: Partition,
    /// Where the catalog has it.
    pub position: usize,
}

/// Opens files that come with [`Located`].
#[derive(Debug, Default)]
pub(super) struct Readers {
    /// One for all files: a metric for each of thousands takes more memory than their data.
    bytes_scanned: OnceLock<Count>,
}

impl ParquetFileReaderFactory for Readers {
    fn create_reader(
        &self,
        _partition_index: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let located = file
            .extension::<Located>()
            .ok_or_else(|| DataFusionError::Internal("a file of the store without its path".to_owned()))?;
        let bytes_scanned =
            self.bytes_scanned.get_or_init(|| MetricBuilder::new(metrics).global_counter("bytes_scanned")).clone();
        Ok(Box::new(Reader { place: located.file.clone(), bytes_scanned, file: None }))
    }
}

struct Reader {
    place: Partition,
    bytes_scanned: Count,
    /// Once opened it stays readable, even where the file is removed meanwhile.
    file: Option<File>,
}

impl Reader {
    fn open(&mut self) -> parquet::errors::Result<&File> {
        match &mut self.file {
            Some(file) => Ok(file),
            none => Ok(none.insert(self.place.open().map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => ParquetError::External(Box::new(MissingFile(self.place.path.clone()))),
                _ => ParquetError::from(error),
            })?)),
        }
    }

    fn read(&mut self, range: &Range<u64>) -> parquet::errors::Result<Bytes> {
        let length = usize::try_from(range.end.saturating_sub(range.start))?;
        self.bytes_scanned.add(length);
        let mut bytes = vec![0; length];
        self.open()?.read_exact_at(&mut bytes, range.start)?;
        Ok(bytes.into())
    }

    /// The footer, without the page index, which the scan asks for where it needs it.
    fn footer(&mut self) -> parquet::errors::Result<Arc<ParquetMetaData>> {
        let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Skip);
        Ok(Arc::new(reader.parse_and_finish(self.open()?)?))
    }
}

/// Reads at once, on the thread that asks. From the page cache that is shorter than the way to
/// another thread and back; from a disk it holds up one of the threads that have nothing to do
/// without the data anyway.
impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        ready(self.read(&range)).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        ready(self.footer()).boxed()
    }
}
