//! What the query engine does not know by itself about a store of events.

mod aggregates;
mod counts;
mod large_rows;
mod newest_first;

use std::sync::Arc;

use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;

pub(super) use aggregates::OfAggregates;
pub(super) use counts::counts_from_catalog;

use large_rows::LargeRows;
use newest_first::NewestFirst;

type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// The engine's rules for physical plans, and ours: sorts reach files where the engine pushes sorts down, before the filters
/// of running sorts are; filters hand on fewer rows once all else is decided.
pub(super) fn with_our_rules() -> Vec<Rule> {
    let mut rules = PhysicalOptimizer::new().rules;
    let after = rules.iter().position(|rule| rule.name() == "PushdownSort").map_or(rules.len(), |at| at + 1);
    rules.insert(after, Arc::new(NewestFirst));
    rules.push(Arc::new(LargeRows));
    rules
}
