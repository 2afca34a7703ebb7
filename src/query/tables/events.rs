//! The table `events`: the sealed files that may hold what a query asks for, and the
//! journal's events from memory.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, RecordBatch, StringArray};
use arrow::compute::{max, min};
use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef, TimestampMillisecondType};
use async_trait::async_trait;
use datafusion::catalog::memory::{DataSourceExec, MemorySourceConfig};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Statistics, project_schema};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::object_store::path::Path as ObjectPath;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::scalar::ScalarValue;

use crate::query::footer::Footer;
use crate::query::prune::{Bounds, Pruner};
use crate::query::reader::{Located, Readers};
use crate::query::view::{Source, View};
use crate::store::{self, Partition, Segment};

/// A sealed file that is to be read.
type Sealed<'a> = (&'a Partition, Arc<Footer>);

#[derive(Debug)]
pub(in crate::query) struct Events {
    source: Arc<Source>,
}

impl Events {
    pub fn new(source: &Arc<Source>) -> Self {
        Self { source: Arc::clone(source) }
    }
}

/// The columns of the table. Every column of a file may be null here, as files of other
/// writers may lack it.
pub(super) fn schema() -> SchemaRef {
    let mut fields = file_fields();
    fields.extend(store::partition_fields());
    Arc::new(Schema::new(fields))
}

fn file_fields() -> Vec<Field> {
    store::file_schema().fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect()
}

#[async_trait]
impl TableProvider for Events {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // A scan skips what cannot match; which rows do match is decided above it.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let view = self.source.view();
        let schema = schema();
        let pruner = Pruner::new(state, &schema, filters);
        let mut inputs: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        let sealed = sealed_files(&view, &pruner).await?;
        if !sealed.is_empty() {
            inputs.push(scan_sealed(state, &view, &sealed, projection, limit, picks_few(filters))?);
        }
        let segments = pruner.keep(view.snapshot.segments.iter().collect(), |segments| {
            Bounds::of_names(segments.iter().map(|segment: &&Segment| (segment.hour, &segment.ids)))
        });
        if !segments.is_empty() {
            inputs.push(scan_segments(&schema, &segments, projection, limit)?);
        }
        match inputs.len() {
            0 => Ok(Arc::new(EmptyExec::new(project_schema(&schema, projection)?))),
            1 => Ok(inputs.remove(0)),
            _ => UnionExec::try_new(inputs),
        }
    }
}

/// The sealed files that may hold matching rows: judged by their names first, so that the
/// others are not even opened, then by their footers.
async fn sealed_files<'a>(view: &'a View, pruner: &Pruner) -> Result<Vec<Sealed<'a>>> {
    let named = pruner.keep(view.snapshot.partitions.iter().collect(), |partitions| {
        Bounds::of_names(partitions.iter().map(|partition: &&Partition| (partition.hour, &partition.name.ids)))
    });
    let footers = view.footers(&named).await.map_err(|vanished| DataFusionError::External(Box::new(vanished)))?;
    let readable = named.into_iter().zip(footers).filter_map(|(partition, footer)| Some((partition, footer?)));
    Ok(pruner.keep(readable.collect(), |files: &[Sealed<'_>]| {
        Bounds::of_timestamps(files.iter().map(|(_, footer)| footer.timestamps))
    }))
}

/// Does a filter ask for the few rows of one id? Filtering while decoding pays then: whole
/// pages of the other columns stay packed. On broad filters it costs more than it saves.
fn picks_few(filters: &[Expr]) -> bool {
    const IDS: [&str; 4] = ["id", "trace_id", "job_id", "user_id"];
    let is_id = |expr: &Expr| matches!(expr, Expr::Column(column) if IDS.contains(&column.name.as_str()));
    filters.iter().any(|filter| match filter {
        Expr::BinaryExpr(binary) => binary.op == Operator::Eq && (is_id(&binary.left) || is_id(&binary.right)),
        Expr::InList(list) => !list.negated && is_id(&list.expr),
        _ => false,
    })
}

fn scan_sealed(
    state: &dyn Session,
    view: &View,
    files: &[Sealed<'_>],
    projection: Option<&Vec<usize>>,
    limit: Option<usize>,
    filter_while_decoding: bool,
) -> Result<Arc<dyn ExecutionPlan>> {
    let partition_fields: Vec<FieldRef> = store::partition_fields().into_iter().map(Arc::new).collect();
    let table =
        TableSchema::builder(Arc::new(Schema::new(file_fields()))).with_table_partition_cols(partition_fields).build();
    let partitioned: Result<Vec<_>> =
        files.iter().map(|(partition, footer)| partitioned_file(view, partition, footer)).collect();
    // Row group statistics, page index and bloom filters are on, each by name: our own
    // settings, not the library's defaults.
    let source = ParquetSource::new(table)
        .with_parquet_file_reader_factory(Arc::new(Readers))
        .with_enable_page_index(true)
        .with_bloom_filter_on_read(true)
        .with_pushdown_filters(filter_while_decoding);
    let groups = FileGroup::new(partitioned?).split_files(state.config().target_partitions());
    let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
        .with_file_groups(groups)
        .with_statistics(statistics_of_all(files))
        .with_projection_indices(projection.cloned())?
        .with_limit(limit)
        .build();
    Ok(DataSourceExec::from_data_source(config))
}

fn partitioned_file(view: &View, partition: &Partition, footer: &Footer) -> Result<PartitionedFile> {
    let text = |value: String| ScalarValue::Utf8(Some(value));
    let mut file = PartitionedFile::new("", partition.bytes)
        .with_partition_values(vec![text(partition.hour.date()), text(partition.hour.hour())])
        .with_arrow_schema(Arc::clone(&footer.schema))
        .with_extension(Located { path: partition.path.clone(), metadata: Arc::clone(&footer.metadata) })
        .with_statistics(Arc::new(statistics(
            store::file_schema().fields().len(),
            footer.rows,
            footer.timestamps,
            footer.ingested,
        )));
    file.object_meta.location = ObjectPath::from_absolute_path(view.absolute(&partition.path))?;
    Ok(file)
}

fn statistics_of_all(files: &[Sealed<'_>]) -> Statistics {
    let rows = files.iter().map(|(_, footer)| footer.rows).sum();
    let timestamps = widest(files.iter().map(|(_, footer)| footer.timestamps));
    let ingested = widest(files.iter().map(|(_, footer)| footer.ingested));
    statistics(schema().fields().len(), rows, timestamps, ingested)
}

/// The bounds of all; `None` where one of them is not known.
fn widest(bounds: impl Iterator<Item = Option<(i64, i64)>>) -> Option<(i64, i64)> {
    bounds.reduce(|all, one| {
        let ((least, greatest), (all_least, all_greatest)) = (one?, all?);
        Some((least.min(all_least), greatest.max(all_greatest)))
    })?
}

/// Exact counts and times let `count(*)` and `max(timestamp)` be answered without data.
fn statistics(columns: usize, rows: usize, timestamps: Option<(i64, i64)>, ingested: Option<(i64, i64)>) -> Statistics {
    let time = |ms: i64| Precision::Exact(ScalarValue::TimestampMillisecond(Some(ms), Some("UTC".into())));
    let mut statistics = Statistics { num_rows: Precision::Exact(rows), ..Statistics::default() };
    statistics.column_statistics.resize_with(columns, Default::default);
    for (name, bounds) in [("timestamp", timestamps), ("ingested_at", ingested)] {
        // Both columns stand in the files' own schema, which the table's begins with.
        let column = store::file_schema().index_of(name).ok().and_then(|at| statistics.column_statistics.get_mut(at));
        if let (Some(column), Some((least, greatest))) = (column, bounds) {
            column.min_value = time(least);
            column.max_value = time(greatest);
        }
    }
    statistics
}

fn scan_segments(
    schema: &SchemaRef,
    segments: &[&Segment],
    projection: Option<&Vec<usize>>,
    limit: Option<usize>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let mut partitions = Vec::with_capacity(segments.len());
    for segment in segments {
        let batches = segment.batches.iter().map(|batch| with_partition_columns(schema, segment, batch));
        partitions.push(batches.collect::<Result<Vec<_>>>()?);
    }
    let source = MemorySourceConfig::try_new(&partitions, Arc::clone(schema), projection.cloned())?.with_limit(limit);
    Ok(DataSourceExec::from_data_source(source))
}

fn with_partition_columns(schema: &SchemaRef, segment: &Segment, batch: &RecordBatch) -> Result<RecordBatch> {
    let constant = |value: String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(std::iter::repeat_n(value, batch.num_rows())))
    };
    let mut columns = batch.columns().to_vec();
    columns.push(constant(segment.hour.date()));
    columns.push(constant(segment.hour.hour()));
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

/// The least and the greatest `timestamp` of a segment's batches.
pub(super) fn timestamps(batches: &[RecordBatch]) -> Option<(i64, i64)> {
    let columns = batches.iter().filter_map(|batch| batch.column_by_name("timestamp"));
    let columns: Vec<_> = columns.filter_map(|column| column.as_primitive_opt::<TimestampMillisecondType>()).collect();
    let least = columns.iter().filter_map(|column| min(column)).min()?;
    Some((least, columns.iter().filter_map(|column| max(column)).max()?))
}
