//! Filters above files of large rows hand on as few of them at once as are decoded at once.

use std::sync::Arc;

use datafusion::catalog::memory::DataSourceExec;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;

/// A filter gathers thousands of rows before it hands them on: of rows of half a megabyte that are gigabytes.
#[derive(Debug)]
pub(super) struct LargeRows;

impl PhysicalOptimizerRule for LargeRows {
    fn name(&self) -> &str {
        "LargeRows"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_down(|plan| {
            let filter = plan.downcast_ref::<FilterExec>();
            let smaller = filter.zip(rows_at_once(&plan)).filter(|(filter, rows)| *rows < filter.batch_size());
            Ok(match smaller {
                Some((filter, rows)) => {
                    Transformed::yes(Arc::new(filter.with_batch_size(rows)?) as Arc<dyn ExecutionPlan>)
                }
                None => Transformed::no(plan),
            })
        })
        .data()
    }
}

/// The fewest rows that any scan below decodes at once, where one says so.
fn rows_at_once(plan: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    let own = plan
        .downcast_ref::<DataSourceExec>()
        .and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>().and_then(|config| config.batch_size));
    plan.children().into_iter().filter_map(rows_at_once).chain(own).min()
}
