//! Skipping files while a query runs: by then a join or a `limit` may have narrowed it down.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileOpener, FileScanConfig, FileSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::object_store::ObjectStore;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_expr_common::physical_expr::{snapshot_generation, snapshot_physical_expr};
use datafusion::physical_plan::filter_pushdown::{FilterPushdownPropagation, PushedDown};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use datafusion::physical_plan::{DisplayFormatType, SortOrderPushdownResult};
use datafusion_datasource::morsel::{MorselPlan, MorselPlanner, Morselizer};

use emp_catalog::{BOUNDED_COLUMNS, Facts, SealedFiles};

use super::prune::Pruner;
use super::reader::Located;

/// Reads files as another source does, but asks the catalog before each whether the query, as far as
/// it has come, still needs it.
#[derive(Clone)]
pub(super) struct Skipping {
    inner: Arc<dyn FileSource>,
    files: Arc<SealedFiles>,
    order: Option<Order>,
    reads_whole: bool,
}

/// In which order the files are to be read.
#[derive(Clone, Copy)]
struct Order {
    /// The position of the column among [`BOUNDED_COLUMNS`].
    column: usize,
    descending: bool,
}

impl Order {
    /// Of rows that are wanted in that order.
    fn of(order: &[PhysicalSortExpr]) -> Option<Self> {
        let first = order.first()?;
        let name = first.expr.downcast_ref::<Column>()?.name();
        let column = BOUNDED_COLUMNS.iter().position(|bounded| *bounded == name)?;
        Some(Self { column, descending: first.options.descending })
    }

    /// Where a file belongs: files with less come first. One of which nothing is known comes before
    /// all, as it has to be read anyway.
    fn key(self, facts: &Facts) -> f64 {
        // Milliseconds of our era are exact as floats; and it is only an order in which to look.
        let times = |bounds: Option<(i64, i64)>| bounds.map(|(least, greatest)| (least as f64, greatest as f64));
        let bounds = match self.column {
            0 => times(facts.timestamps),
            1 => times(facts.ingested),
            _ => facts.durations,
        };
        bounds.map_or(f64::NEG_INFINITY, |(least, greatest)| if self.descending { -greatest } else { least })
    }
}

impl Skipping {
    /// With `reads_whole`, no file is asked which of its parts a query needs: of a small one that takes longer than to
    /// read it, since the library makes a predicate of its own for each file.
    pub fn new(inner: Arc<dyn FileSource>, files: Arc<SealedFiles>, reads_whole: bool) -> Self {
        Self { inner, files, order: None, reads_whole }
    }

    /// What reads the files, without what knows of the catalog.
    pub fn inner(&self) -> &Arc<dyn FileSource> {
        &self.inner
    }

    fn around(&self, inner: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(Self { inner, files: Arc::clone(&self.files), ..self.clone() })
    }
}

impl FileSource for Skipping {
    fn create_file_opener(
        &self,
        object_store: Arc<dyn ObjectStore>,
        base_config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        self.inner.create_file_opener(object_store, base_config, partition)
    }

    fn create_morselizer(
        &self,
        object_store: Arc<dyn ObjectStore>,
        base_config: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        let inner = self.inner.create_morselizer(object_store, base_config, partition)?;
        let Some(filter) = self.inner.filter() else { return Ok(inner) };
        if snapshot_generation(&filter) == 0 {
            // A filter that never changes was used when the query was planned: it can skip no more files.
            return Ok(inner);
        }
        let skipped = MetricBuilder::new(self.inner.metrics()).counter("files_skipped_while_running", partition);
        let judge = Judge { filter, table: self.table_schema().clone(), files: Arc::clone(&self.files), skipped };
        Ok(Box::new(SkippingMorselizer { inner, judge, verdict: Mutex::default() }))
    }

    fn table_schema(&self) -> &TableSchema {
        self.inner.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        self.around(self.inner.with_batch_size(batch_size))
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.inner.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.inner.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.inner.metrics()
    }

    fn file_type(&self) -> &str {
        self.inner.file_type()
    }

    fn fmt_extra(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_extra(t, f)
    }

    fn supports_repartitioning(&self) -> bool {
        self.inner.supports_repartitioning()
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let asked = filters.len();
        // One that may still change skips whole files, too.
        let is_used = |filter: &Arc<dyn PhysicalExpr>| !self.reads_whole || snapshot_generation(filter) > 0;
        let mut pushed = self.inner.try_pushdown_filters(filters.into_iter().filter(is_used).collect(), config)?;
        pushed.updated_node = pushed.updated_node.map(|inner| self.around(inner));
        // Rows that were picked while decoding keep room for all that were decoded. The filter, where it stays above the
        // scan, puts the few of many files together.
        pushed.filters = vec![PushedDown::No; asked];
        Ok(pushed)
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        eq_properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        let ordered = Self { order: Order::of(order), ..self.clone() };
        Ok(self.inner.try_pushdown_sort(order, eq_properties)?.map(|inner| ordered.around(inner)))
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        let Some(order) = self.order else { return files };
        let key = |file: &PartitionedFile| {
            let sealed = file.extension::<Located>().map(|located| &self.files.files[located.position]);
            let facts = sealed.and_then(|sealed| sealed.facts.as_ref().ok());
            facts.map_or(f64::NEG_INFINITY, |facts| order.key(facts))
        };
        let mut keyed: Vec<(f64, PartitionedFile)> = files.into_iter().map(|file| (key(&file), file)).collect();
        keyed.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        keyed.into_iter().map(|(_, file)| file).collect()
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        Ok(self.inner.try_pushdown_projection(projection)?.map(|inner| self.around(inner)))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.inner.apply_expressions(f)
    }
}

/// Decides which files are still needed.
#[derive(Debug)]
struct Judge {
    filter: Arc<dyn PhysicalExpr>,
    table: TableSchema,
    files: Arc<SealedFiles>,
    skipped: Count,
}

/// What was decided last, and when to think again.
#[derive(Debug, Default)]
struct Verdict {
    generation: u64,
    needed: Option<Vec<bool>>,
    /// Files to pass before the next time: doubled where thinking did not help.
    wait: usize,
    passed: usize,
}

impl Judge {
    /// Is the file still needed, as the filter is by now?
    fn needs(&self, verdict: &mut Verdict, position: usize) -> bool {
        verdict.passed += 1;
        if verdict.passed > verdict.wait {
            let generation = snapshot_generation(&self.filter);
            if generation != verdict.generation {
                verdict.generation = generation;
                let before = count(verdict.needed.as_ref());
                verdict.needed = self.needed().or(verdict.needed.take());
                let has_helped = count(verdict.needed.as_ref()) < before;
                verdict.wait = if has_helped { 0 } else { (verdict.wait * 2).max(1) };
                verdict.passed = 0;
            }
        }
        verdict.needed.as_ref().is_none_or(|needed| needed.get(position).copied().unwrap_or(true))
    }

    fn needed(&self) -> Option<Vec<bool>> {
        let filter = snapshot_physical_expr(Arc::clone(&self.filter)).ok()?;
        let pruner = Pruner::of_physical(self.table.table_schema(), &filter);
        let mut needed = vec![false; self.files.files.len()];
        for file in pruner.keep_sealed(&self.files, self.files.files.iter().collect()) {
            needed[file.position] = true;
        }
        Some(needed)
    }
}

fn count(needed: Option<&Vec<bool>>) -> usize {
    needed.map_or(usize::MAX, |needed| needed.iter().filter(|needed| **needed).count())
}

#[derive(Debug)]
struct SkippingMorselizer {
    inner: Box<dyn Morselizer>,
    judge: Judge,
    verdict: Mutex<Verdict>,
}

impl Morselizer for SkippingMorselizer {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        if let Some(located) = file.extension::<Located>() {
            // A verdict is replaced whole.
            let mut verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
            if !self.judge.needs(&mut verdict, located.position) {
                self.judge.skipped.add(1);
                return Ok(Box::new(Skipped));
            }
        }
        self.inner.plan_file(file)
    }
}

/// A file with nothing to read.
#[derive(Debug)]
struct Skipped;

impl MorselPlanner for Skipped {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        Ok(None)
    }
}
