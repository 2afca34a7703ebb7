//! `order by timestamp desc limit 20` reads the newest files first, also where a filter stands
//! between the sort and the files.

use std::sync::Arc;

use datafusion::catalog::memory::DataSourceExec;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalSortExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, SortOrderPushdownResult};

#[derive(Debug)]
pub(super) struct NewestFirst;

impl PhysicalOptimizerRule for NewestFirst {
    fn name(&self) -> &str {
        "NewestFirst"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_down(|plan| {
            let sort = plan.downcast_ref::<SortExec>().and_then(|sort| Some((sort, sort.fetch()?)));
            let Some((sort, rows)) = sort else { return Ok(Transformed::no(plan)) };
            match ordered_like(sort.input(), sort.expr().first(), rows)? {
                // Made anew, as the filter that a running sort gives to the files comes later.
                Some(input) => {
                    let sorted = SortExec::new(sort.expr().clone(), input)
                        .with_fetch(sort.fetch())
                        .with_preserve_partitioning(sort.preserve_partitioning());
                    Ok(Transformed::yes(Arc::new(sorted) as Arc<dyn ExecutionPlan>))
                }
                None => Ok(Transformed::no(plan)),
            }
        })
        .data()
    }
}

/// The plan with the files below it in about that order, where only operators stand between that
/// keep rows as they are; `None` where nothing changes. So many `rows` are wanted of it.
fn ordered_like(
    plan: &Arc<dyn ExecutionPlan>,
    by: &PhysicalSortExpr,
    rows: usize,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(column) = by.expr.downcast_ref::<Column>() else { return Ok(None) };
    if let Some(scan) = plan.downcast_ref::<DataSourceExec>() {
        let Ok(index) = scan.schema().index_of(column.name()) else { return Ok(None) };
        let by = PhysicalSortExpr::new(Arc::new(Column::new(column.name(), index)), by.options);
        return Ok(match scan.try_pushdown_sort(&[by])? {
            SortOrderPushdownResult::Exact { inner } | SortOrderPushdownResult::Inexact { inner } => Some(inner),
            SortOrderPushdownResult::Unsupported => None,
        });
    }
    if !keeps_rows(plan, column.name()) {
        return Ok(None);
    }
    let mut has_changed = false;
    let mut children = Vec::new();
    for child in plan.children() {
        let ordered = ordered_like(child, by, rows)?;
        has_changed |= ordered.is_some();
        children.push(ordered.unwrap_or_else(|| Arc::clone(child)));
    }
    if !has_changed {
        return Ok(None);
    }
    let replaced = replace_children_if_necessary(Arc::clone(plan), children)?;
    // A filter hands on its rows once it has thousands of them. The sort has to see the first few
    // at once, or it cannot tell the scan when to stop.
    match replaced.downcast_ref::<FilterExec>().filter(|filter| filter.batch_size() > rows) {
        Some(filter) => Ok(Some(Arc::new(filter.with_batch_size(rows.max(1))?))),
        None => Ok(Some(replaced)),
    }
}

/// Does the operator hand on the rows of its inputs with the column of that name as it is?
fn keeps_rows(plan: &Arc<dyn ExecutionPlan>, column: &str) -> bool {
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let is_same = |expr: &Column| expr.name() == column;
        let mut exprs = projection.expr().iter().filter(|expr| expr.alias == column);
        return exprs.all(|expr| expr.expr.downcast_ref::<Column>().is_some_and(is_same));
    }
    plan.downcast_ref::<FilterExec>().is_some()
        || plan.downcast_ref::<UnionExec>().is_some()
        || plan.downcast_ref::<RepartitionExec>().is_some()
        || plan.downcast_ref::<CoalescePartitionsExec>().is_some()
}
