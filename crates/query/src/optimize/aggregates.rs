//! Rules that answer an aggregate from less than the events below it.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::{Aggregate, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use crate::view::Source;

/// Puts another plan with the same answer in place of an aggregate.
pub(crate) struct OfAggregates {
    pub name: &'static str,
    pub source: Arc<Source>,
    /// The other plan; `None` where there is none.
    pub rewritten: fn(&Aggregate, &Arc<Source>) -> Result<Option<LogicalPlan>>,
}

impl OptimizerRule for OfAggregates {
    fn name(&self) -> &str {
        self.name
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Aggregate(aggregate) = &plan else { return Ok(Transformed::no(plan)) };
        match (self.rewritten)(aggregate, &self.source)? {
            Some(rewritten) => Ok(Transformed::yes(rewritten)),
            None => Ok(Transformed::no(plan)),
        }
    }
}

impl fmt::Debug for OfAggregates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfAggregates").field("name", &self.name).finish_non_exhaustive()
    }
}
