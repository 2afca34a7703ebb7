//! Questions about many events from what each sealed hour contributes, and only the ends of a range from events.
//!
//! An aggregate over `events` whose groups, filters and answers are the same for all events of one type, service and
//! level within an hour is rewritten into one over three tables: the rollups of whole hours, the events of the same files
//! outside of them, and the events of the journal and of files that are not rolled up. Counts, sums, least and greatest
//! are exact; of quantiles it answers `approx_quantile` alone, within the error that it states.

mod asked;
mod below;
mod durations;
mod hourly;
mod range;
mod split;
mod table;

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, LogicalPlanBuilder, cast};

use crate::optimize::OfAggregates;
use crate::view::Source;
use asked::Asked;
use below::Below;
use hourly::is_hourly;
use range::Range;
use split::Split;
use table::{Hours, Others, Read, of_events, of_hours};

pub use durations::DurationCounts;

/// The columns that say when an event happened, or in which file it is.
const OF_TIME: [&str; 3] = ["timestamp", "date", "hour"];

/// Rewrites such questions.
pub(crate) fn from_rollups(source: &Arc<Source>) -> OfAggregates {
    OfAggregates { name: "from_rollups", source: Arc::clone(source), rewritten }
}

fn rewritten(aggregate: &Aggregate, source: &Arc<Source>) -> Result<Option<LogicalPlan>> {
    let Some(below) = Below::of(&aggregate.input)? else { return Ok(None) };
    let Some(range) = Range::of(&below.conditions) else { return Ok(None) };
    let Some(hours) = range.whole_hours() else { return Ok(None) };
    let mut groups = Vec::with_capacity(aggregate.group_expr.len());
    for expr in &aggregate.group_expr {
        match below.resolve(expr)?.filter(is_hourly) {
            Some(expr) => groups.push(expr),
            None => return Ok(None),
        }
    }
    let mut asked = Vec::with_capacity(aggregate.aggr_expr.len());
    for expr in &aggregate.aggr_expr {
        match Asked::of(expr, &below)? {
            Some(one) => asked.push(one),
            None => return Ok(None),
        }
    }
    let by_hour =
        tells_hours_apart(groups.iter().chain(asked.iter().flat_map(|asked| &asked.parts)), &below.conditions);
    let split = Arc::new(Split::new(source, hours, by_hour));
    let parts = parts(&split, &below.conditions)?;
    answer(aggregate, parts, groups, &asked).map(Some)
}

/// Does an expression, or a condition beside the bounds of the range, look at the hour of an event?
fn tells_hours_apart<'a>(mut exprs: impl Iterator<Item = &'a Expr>, conditions: &[Expr]) -> bool {
    let names_time = |expr: &Expr| expr.column_refs().iter().any(|column| OF_TIME.contains(&column.name.as_str()));
    exprs.any(names_time) || conditions.iter().filter(|condition| !Range::is_bound(condition)).any(names_time)
}

/// What whole hours contribute, and the events that have to be read.
fn parts(split: &Arc<Split>, conditions: &[Expr]) -> Result<LogicalPlan> {
    let scan = |name: &str, table: Arc<dyn TableProvider>, conditions: &[Expr], columns: Vec<Expr>| {
        let scan = LogicalPlanBuilder::scan(name, provider_as_source(table), None)?;
        let filtered = conditions.iter().try_fold(scan, |scan, condition| scan.filter(condition.clone()))?;
        filtered.project(columns)
    };
    // Those about the time are met by the choice of hours.
    let of_names: Vec<Expr> = conditions.iter().filter(|condition| !Range::is_bound(condition)).cloned().collect();
    let mut all = scan("hours", Arc::new(Hours(Arc::clone(split))), &of_names, of_hours())?;
    let unrolled = Arc::new(Others::new(split, Read::Unrolled));
    all = all.union(scan("unrolled_events", unrolled, conditions, of_events())?.build()?)?;
    if let Some(outside) = split.hours.outside() {
        let conditions: Vec<Expr> = conditions.iter().cloned().chain([outside]).collect();
        let edges = Arc::new(Others::new(split, Read::Edges));
        all = all.union(scan("events_at_the_ends", edges, &conditions, of_events())?.build()?)?;
    }
    all.build()
}

/// The answer of the aggregate, under its own names and types.
fn answer(aggregate: &Aggregate, parts: LogicalPlan, groups: Vec<Expr>, asked: &[Asked]) -> Result<LogicalPlan> {
    let all = groups.len();
    // Two answers may be made of the same part.
    let numbered = asked.iter().flat_map(|asked| &asked.parts).enumerate();
    let aggregates: Vec<Expr> = numbered.map(|(at, part)| part.clone().alias(format!("part_{at}"))).collect();
    let groups = groups.into_iter().enumerate().map(|(at, group)| group.alias(format!("group_{at}")));
    let put_together = LogicalPlanBuilder::from(parts).aggregate(groups, aggregates)?.build()?;
    let mut columns = put_together.schema().columns().into_iter();
    let mut values: Vec<Expr> = columns.by_ref().take(all).map(Expr::Column).collect();
    values.extend(asked.iter().filter_map(|asked| asked.finish(columns.by_ref().take(asked.parts.len()))));
    let fields = (0..aggregate.schema.fields().len()).map(|at| aggregate.schema.qualified_field(at));
    let named = values.into_iter().zip(fields).map(|(value, (qualifier, field))| {
        cast(value, field.data_type().clone()).alias_qualified(qualifier.cloned(), field.name())
    });
    LogicalPlanBuilder::from(put_together).project(named)?.build()
}
