//! The table `events`: the sealed files that may hold what a query asks for, and the
//! journal's events from memory.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, RecordBatch, StringArray};
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimestampMillisecondType};
use async_trait::async_trait;
use datafusion::catalog::memory::{DataSourceExec, MemorySourceConfig};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, Statistics, project_schema};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, FileSource as _, ParquetSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::functions::string::expr_fn::split_part;
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown, TableType, cast, col, lit, when};
use datafusion::object_store::path::Path as ObjectPath;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::scalar::ScalarValue;

use emp_catalog::{BOUNDED_COLUMNS, ClosedDay, Indexed, ROWS_AT_ONCE_MAX, Sealed, SealedFiles};
use emp_store::Segment;

use crate::functions::MENTIONS;
use crate::prune::{Pruner, holding};
use crate::reader::{Located, Readers};
use crate::skip::Skipping;
use crate::view::{Source, View};

#[derive(Debug)]
pub(crate) struct Events {
    source: Arc<Source>,
}

impl Events {
    pub fn new(source: &Arc<Source>) -> Self {
        Self { source: Arc::clone(source) }
    }
}

/// Tells of a sealed file whether it is to be read.
pub(crate) type IsRead<'a> = &'a (dyn Fn(&Sealed) -> bool + Sync);

/// The columns of the table. Every column of a file may be null here, as files of other
/// writers may lack it.
pub(super) fn schema() -> SchemaRef {
    let mut fields = file_fields();
    fields.extend(emp_store::partition_fields());
    Arc::new(Schema::new(fields))
}

fn file_fields() -> Vec<Field> {
    emp_store::file_schema().fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect()
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
        self.scan_those(state, projection, filters, limit, (&|_| true, true)).await
    }
}

impl Events {
    /// As [`TableProvider::scan`], of the sealed files that are to be read, and with the journal's events or without.
    pub async fn scan_those(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
        (is_read, with_journal): (IsRead<'_>, bool),
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let view = self.source.view_in_part()?;
        let schema = schema();
        let pruner = Pruner::new(state, &schema, filters);
        let mut inputs: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        let mut all = self.source.look_at(&view, |closed| pruner.needed_days(closed, filters))?;
        // Of each kind of question to the index, the files that may hold what is asked for.
        let mut held: Vec<Vec<bool>> = Vec::new();
        for what in [Indexed::Ids, Indexed::Texts] {
            let Some(mut found) = holding(&*all, filters, what) else { continue };
            // Whoever asks about an hour need not wait until a year is known.
            let within_bounds = || pruner.keep_sealed(&all, all.files.iter().filter(|file| is_read(file)).collect());
            if all.not_indexed(what) > 0 && view.should_index(what, &within_bounds()) {
                all = view.with_all_indexed(what, &self.source.on_learning).await;
                found = holding(&*all, filters, what).unwrap_or(found);
            }
            held.push(found);
        }
        let mut chosen = choose(&view, &all, &pruner, (&held, is_read));
        chosen.are_closed(view.closed().days.iter().map(ClosedDay::files).sum(), !held.is_empty());
        emp_store::expect(chosen.files.iter().map(|file| &file.partition));
        let scan = Scan { state, view: &view, all: &all, limit, filter_while_decoding: picks_few(filters) };
        let (without_arrival, chosen) = chosen.part(lacks_arrival);
        // One large file takes no others' rows apart.
        let (large, chosen) = chosen.part(|file| rows_at_once(file) < ROWS_AT_ONCE_MAX / 8);
        for chosen in [chosen, large].iter().filter(|chosen| !chosen.files.is_empty()) {
            inputs.push(scan.sealed(chosen, projection)?);
        }
        if !without_arrival.files.is_empty() {
            inputs.push(scan.sealed_without_arrival(&without_arrival, projection)?);
        }
        let segments = if with_journal { pruner.keep_segments(&view.snapshot.segments) } else { Vec::new() };
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

/// The sealed files that are to be read, and how many need not be, and why.
struct Chosen<'a> {
    files: Vec<&'a Sealed>,
    all: usize,
    not_holding: usize,
    out_of_bounds: usize,
}

impl<'a> Chosen<'a> {
    /// Files of days that need not be looked at, either since they do not hold what is asked for or for other reasons.
    fn are_closed(&mut self, files: usize, by_index: bool) {
        self.all += files;
        *(if by_index { &mut self.not_holding } else { &mut self.out_of_bounds }) += files;
    }

    /// Those of its files that are so, and the others.
    fn part(self, is_so: fn(&Sealed) -> bool) -> (Self, Self) {
        let (files, others) = self.files.iter().copied().partition(|file| is_so(file));
        (Self { files, all: 0, not_holding: 0, out_of_bounds: 0 }, Self { files: others, ..self })
    }
}

/// The files that may hold matching rows, of those that are to be read: those that hold the ids and words that are asked
/// for, if any are, and of these those whose bounds and values allow for it.
fn choose<'a>(
    view: &View,
    all: &'a SealedFiles,
    pruner: &Pruner,
    (held, is_read): (&[Vec<bool>], IsRead<'_>),
) -> Chosen<'a> {
    let read: Vec<&Sealed> = all.files.iter().filter(|file| is_read(file)).collect();
    let files = read.len();
    let holds = |file: &&Sealed| held.iter().all(|holding| holding[file.position]);
    let holding_all: Vec<&Sealed> = read.into_iter().filter(holds).collect();
    let not_holding = files - holding_all.len();
    let within_bounds = pruner.keep_sealed(all, holding_all);
    let out_of_bounds = files - not_holding - within_bounds.len();
    Chosen { files: view.usable(within_bounds), all: files, not_holding, out_of_bounds }
}

/// Does a filter ask for the few rows of one id, or that mention a text? Filtering while decoding pays then: whole
/// pages of the other columns stay packed. On broad filters it costs more than it saves.
fn picks_few(filters: &[Expr]) -> bool {
    const IDS: [&str; 4] = ["id", "trace_id", "job_id", "user_id"];
    let is_id = |expr: &Expr| matches!(expr, Expr::Column(column) if IDS.contains(&column.name.as_str()));
    filters.iter().any(|filter| match filter {
        Expr::BinaryExpr(binary) if binary.op == Operator::Or => {
            [&binary.left, &binary.right].into_iter().all(|side| picks_few(std::slice::from_ref(side)))
        }
        Expr::ScalarFunction(called) => called.func.name() == MENTIONS,
        Expr::BinaryExpr(binary) => binary.op == Operator::Eq && (is_id(&binary.left) || is_id(&binary.right)),
        Expr::InList(list) => !list.negated && is_id(&list.expr),
        _ => false,
    })
}

/// How many of a file's rows are decoded at once.
fn rows_at_once(file: &Sealed) -> usize {
    file.facts.as_ref().map_or(ROWS_AT_ONCE_MAX, |facts| facts.rows_at_once as usize)
}

/// May a file of another writer lack `ingested_at`?
fn lacks_arrival(file: &Sealed) -> bool {
    let arrival = BOUNDED_COLUMNS.iter().position(|name| *name == ARRIVAL);
    // A column that is there says at least how many of its values are missing.
    file.facts
        .as_ref()
        .is_ok_and(|facts| facts.ingested.is_none() && arrival.is_none_or(|at| facts.nulls[at].is_none()))
}

const ARRIVAL: &str = "ingested_at";
/// Files that are smaller on average have one row group, and hardly more than a page a column; what the catalog knows of
/// them has been asked.
const SMALL_BYTES: u64 = 512 << 10;

/// What all scans of one question's sealed files share.
struct Scan<'a> {
    state: &'a dyn Session,
    view: &'a View,
    all: &'a Arc<SealedFiles>,
    limit: Option<usize>,
    filter_while_decoding: bool,
}

impl Scan<'_> {
    fn sealed(&self, chosen: &Chosen<'_>, projection: Option<&Vec<usize>>) -> Result<Arc<dyn ExecutionPlan>> {
        let partition_fields: Vec<FieldRef> = emp_store::partition_fields().into_iter().map(Arc::new).collect();
        let table = TableSchema::builder(Arc::new(Schema::new(file_fields())))
            .with_table_partition_cols(partition_fields)
            .build();
        let partitioned: Result<Vec<_>> = chosen.files.iter().map(|file| partitioned_file(self.view, file)).collect();
        // Row group statistics, page index and bloom filters are on, each by name: our own
        // settings, not the library's defaults.
        let source = ParquetSource::new(table)
            .with_parquet_file_reader_factory(Arc::new(Readers::default()))
            .with_enable_page_index(true)
            .with_bloom_filter_on_read(true)
            .with_pushdown_filters(self.filter_while_decoding);
        tell(source.metrics(), chosen);
        let groups = FileGroup::new(partitioned?).split_files(self.state.config().target_partitions());
        let bytes: u64 = chosen.files.iter().map(|file| file.partition.bytes).sum();
        let are_small = bytes < SMALL_BYTES * chosen.files.len() as u64;
        let reads_whole = are_small && !self.filter_while_decoding;
        let source = Arc::new(Skipping::new(Arc::new(source), Arc::clone(self.all), reads_whole));
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), source)
            .with_file_groups(groups)
            .with_statistics(statistics(&chosen.files))
            .with_projection_indices(projection.cloned())?
            .with_limit(self.limit)
            .with_batch_size(chosen.files.iter().map(|file| rows_at_once(file)).min())
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// As [`Self::sealed`]; where a file has no `ingested_at`, the milliseconds of the IDs stand in for it.
    fn sealed_without_arrival(
        &self,
        chosen: &Chosen<'_>,
        projection: Option<&Vec<usize>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = schema();
        let all: Vec<usize> = (0..schema.fields().len()).collect();
        let wanted = projection.unwrap_or(&all);
        let (id, arrival) = (schema.index_of("id")?, schema.index_of(ARRIVAL)?);
        if !wanted.contains(&arrival) {
            return self.sealed(chosen, projection);
        }
        let mut read = wanted.clone();
        if !read.contains(&id) {
            read.push(id);
        }
        let rows = self.sealed(chosen, Some(&read))?;
        let columns = DFSchema::try_from(rows.schema())?;
        let of_id = cast(cast(split_part(col("id"), lit("-"), lit(1)), DataType::Int64), arrival_type(&schema)?);
        let known_or_of_id = when(col(ARRIVAL).is_not_null(), col(ARRIVAL)).otherwise(of_id)?;
        let expressions = wanted.iter().map(|index| {
            let name = schema.field(*index).name();
            let read = if *index == arrival { known_or_of_id.clone() } else { col(name) };
            Ok((self.state.create_physical_expr(read, &columns)?, name.clone()))
        });
        Ok(Arc::new(ProjectionExec::try_new(expressions.collect::<Result<Vec<_>>>()?, rows)?))
    }
}

fn arrival_type(schema: &Schema) -> Result<DataType> {
    Ok(schema.field_with_name(ARRIVAL)?.data_type().clone())
}

/// What `explain analyze` shows of the files that were skipped.
fn tell(metrics: &ExecutionPlanMetricsSet, chosen: &Chosen<'_>) {
    let count = |name: &'static str, files: usize| MetricBuilder::new(metrics).global_counter(name).add(files);
    count("files_of_the_store", chosen.all);
    count("files_skipped_by_index", chosen.not_holding);
    count("files_skipped_by_statistics", chosen.out_of_bounds);
}

fn partitioned_file(view: &View, file: &Sealed) -> Result<PartitionedFile> {
    let Sealed { partition, position, .. } = file;
    let text = |value: String| ScalarValue::Utf8(Some(value));
    let mut partitioned = PartitionedFile::new("", partition.bytes)
        .with_partition_values(vec![text(partition.hour.date()), text(partition.hour.hour())])
        .with_extension(Located { file: partition.clone(), position: *position });
    partitioned.object_meta.location = ObjectPath::from_absolute_path(view.absolute(&partition.path))?;
    Ok(partitioned)
}

/// Exact counts and times let `count(*)` and `max(timestamp)` be answered without data.
fn statistics(files: &[&Sealed]) -> Statistics {
    let facts = || files.iter().filter_map(|file| file.facts.as_ref().ok());
    let rows = usize::try_from(facts().map(|facts| facts.rows).sum::<u64>());
    let time = |ms: i64| Precision::Exact(ScalarValue::TimestampMillisecond(Some(ms), Some("UTC".into())));
    let mut statistics =
        Statistics { num_rows: rows.map_or(Precision::Absent, Precision::Exact), ..Statistics::default() };
    statistics.column_statistics.resize_with(schema().fields().len(), Default::default);
    let timestamps = widest(facts().map(|facts| facts.timestamps));
    let ingested = widest(facts().map(|facts| facts.ingested));
    for (name, bounds) in [("timestamp", timestamps), ("ingested_at", ingested)] {
        // Both columns stand in the files' own schema, which the table's begins with.
        let column =
            emp_store::file_schema().index_of(name).ok().and_then(|at| statistics.column_statistics.get_mut(at));
        if let (Some(column), Some((least, greatest))) = (column, bounds) {
            column.min_value = time(least);
            column.max_value = time(greatest);
        }
    }
    statistics
}

/// The bounds of all; `None` where one of them is not known.
fn widest(bounds: impl Iterator<Item = Option<(i64, i64)>>) -> Option<(i64, i64)> {
    bounds.reduce(|all, one| {
        let ((least, greatest), (all_least, all_greatest)) = (one?, all?);
        Some((least.min(all_least), greatest.max(all_greatest)))
    })?
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

/// The least and the greatest value of a column of times in these batches, in ms.
pub(crate) fn times(batches: &[RecordBatch], name: &str) -> Option<(i64, i64)> {
    let columns = batches.iter().filter_map(|batch| batch.column_by_name(name));
    let columns: Vec<_> = columns.filter_map(|column| column.as_primitive_opt::<TimestampMillisecondType>()).collect();
    let least = columns.iter().filter_map(|column| min(column)).min()?;
    Some((least, columns.iter().filter_map(|column| max(column)).max()?))
}
