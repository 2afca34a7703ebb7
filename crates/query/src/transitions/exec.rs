//! The scan as a node of the query engine's plan.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use super::scan::Scan;

/// Shows each event of a job with the one before it.
pub(crate) struct TransitionsExec {
    scan: Arc<Scan>,
    shares: usize,
    properties: Arc<PlanProperties>,
}

impl TransitionsExec {
    /// The scan, done by so many threads.
    pub(super) fn new(scan: Scan, shares: usize) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&scan.schema)),
            Partitioning::UnknownPartitioning(shares),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { scan: Arc::new(scan), shares, properties: Arc::new(properties) }
    }

    /// How many files and segments were taken to be read, and how many there are.
    pub fn files(&self) -> (usize, usize) {
        self.scan.files()
    }
}

impl fmt::Debug for TransitionsExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransitionsExec").field("shares", &self.shares).finish_non_exhaustive()
    }
}

impl DisplayAs for TransitionsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransitionsExec: files={}, threads={}", self.files().1, self.shares)
    }
}

impl ExecutionPlan for TransitionsExec {
    fn name(&self) -> &str {
        "TransitionsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition >= self.shares {
            return Err(DataFusionError::Internal(format!("there are {} shares of the scan", self.shares)));
        }
        Ok(Arc::clone(&self.scan).share(self.shares, &context))
    }
}
