//! `count(*)`, `min(timestamp)`, `max(timestamp)`, in all or by `date` and `hour`, from what the
//! catalog knows: no file is opened, and no scan of thousands of files is planned.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::TreeNode as _;
use datafusion::common::{Column, TableReference};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::error::Result;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::{max, min, sum};
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::{
    Aggregate, Expr, Filter, LogicalPlan, LogicalPlanBuilder, SubqueryAlias, TableScan, cast, lit,
};

use super::OfAggregates;
use crate::tables;
use crate::view::{Source, View};

/// Rewrites such questions into ones to a small table with a row for each file.
pub(crate) fn counts_from_catalog(source: &Arc<Source>) -> OfAggregates {
    OfAggregates { name: "counts_from_catalog", source: Arc::clone(source), rewritten }
}

fn rewritten(aggregate: &Aggregate, source: &Arc<Source>) -> Result<Option<LogicalPlan>> {
    if !aggregate.group_expr.iter().all(is_one_group_about_hours) {
        return Ok(None);
    }
    let Some(asked) = aggregate.aggr_expr.iter().map(asked).collect::<Option<Vec<Asked>>>() else { return Ok(None) };
    if !reads_events_by_hours(&aggregate.input) {
        return Ok(None);
    }
    let view = source.view()?;
    // A scan tells of the files that cannot be read only where the filters don't rule them out.
    let is_damaged = view.sealed().files.iter().any(|file| file.facts.is_err());
    if is_damaged && has_filters(&aggregate.input) {
        return Ok(None);
    }
    let Some(files) = table_of_files(&view, &asked)? else { return Ok(None) };
    let input = with_files(&aggregate.input, &files)?;
    // The rows of no file are none, of which there is no sum.
    let answers: Vec<Expr> = asked.iter().map(|asked| asked.aggregate()).collect();
    let counted = LogicalPlanBuilder::from(input).aggregate(aggregate.group_expr.clone(), answers)?.build()?;
    let columns = counted.schema().columns();
    let mut exprs = Vec::with_capacity(columns.len());
    for (index, column) in columns.into_iter().enumerate() {
        let (qualifier, field) = aggregate.schema.qualified_field(index);
        let asked = index.checked_sub(aggregate.group_expr.len()).map(|at| &asked[at]);
        let value = Expr::Column(column);
        let value = match asked {
            Some(Asked::Rows) => coalesce(vec![value, lit(0_i64)]),
            _ => value,
        };
        exprs.push(cast(value, field.data_type().clone()).alias_qualified(qualifier.cloned(), field.name()));
    }
    LogicalPlanBuilder::from(counted).project(exprs)?.build().map(Some)
}

/// What is asked of the events.
enum Asked {
    Rows,
    Least(&'static str),
    Greatest(&'static str),
}

impl Asked {
    fn aggregate(&self) -> Expr {
        let column = |name: &str| Expr::Column(Column::new_unqualified(name));
        match self {
            Self::Rows => sum(column(ROWS)),
            Self::Least(time) => min(column(&format!("min_{time}"))),
            Self::Greatest(time) => max(column(&format!("max_{time}"))),
        }
    }
}

const ROWS: &str = "rows";
const TIMES: [&str; 2] = ["timestamp", "ingested_at"];

/// The question, where it is one that can be answered so.
fn asked(expr: &Expr) -> Option<Asked> {
    let Expr::AggregateFunction(AggregateFunction { func, params }) = expr else { return None };
    let AggregateFunctionParams { args, distinct: false, filter: None, order_by, .. } = params else { return None };
    let [argument] = args.as_slice() else { return None };
    if !order_by.is_empty() {
        return None;
    }
    let time = match argument {
        Expr::Column(column) => TIMES.into_iter().find(|name| *name == column.name),
        _ => None,
    };
    match func.name() {
        "count" if matches!(argument, Expr::Literal(value, _) if !value.is_null()) => Some(Asked::Rows),
        "min" => Some(Asked::Least(time?)),
        "max" => Some(Asked::Greatest(time?)),
        _ => None,
    }
}

/// Grouping sets (`rollup`, `cube`) stand as one expression for several columns of the answer, and have a
/// row of sums beside the groups; they are left to the engine.
fn is_one_group_about_hours(expr: &Expr) -> bool {
    !matches!(expr, Expr::GroupingSet(_)) && is_about_hours(expr)
}

/// Is it made of the partition's columns alone, so that it is the same for all rows of a file?
fn is_about_hours(expr: &Expr) -> bool {
    let is_constant = !expr.is_volatile();
    is_constant && expr.column_refs().iter().all(|column| matches!(column.name.as_str(), "date" | "hour"))
}

/// Is it the table `events`, be it under another name, with filters about hours only?
fn reads_events_by_hours(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::TableScan(scan) => {
            // The table of files takes the same name, so that columns keep theirs.
            let is_events = scan.table_name.table() == tables::NAMES[0] && scan.source.schema().index_of(ROWS).is_err();
            is_events && scan.fetch.is_none() && scan.filters.iter().all(is_about_hours)
        }
        LogicalPlan::Filter(Filter { predicate, input, .. }) => {
            is_about_hours(predicate) && reads_events_by_hours(input)
        }
        LogicalPlan::SubqueryAlias(alias) => reads_events_by_hours(&alias.input),
        LogicalPlan::Projection(projection) => {
            projection.expr.iter().all(|expr| matches!(expr, Expr::Column(_)))
                && reads_events_by_hours(&projection.input)
        }
        _ => false,
    }
}

fn has_filters(plan: &LogicalPlan) -> bool {
    let is_filter = |plan: &LogicalPlan| match plan {
        LogicalPlan::TableScan(scan) => !scan.filters.is_empty(),
        plan => matches!(plan, LogicalPlan::Filter(_)),
    };
    plan.exists(|plan| Ok(is_filter(plan))).unwrap_or(true)
}

/// A row for each file; `None` where one of them does not tell what is asked.
fn table_of_files(view: &View, asked: &[Asked]) -> Result<Option<Arc<MemTable>>> {
    let sealed = view.sealed();
    let usable = view.usable(sealed.files.iter().collect());
    let mut rows: Vec<Row> = Vec::with_capacity(usable.len());
    for file in usable {
        let Ok(facts) = &file.facts else { continue };
        rows.push(Row { hour: file.partition.hour, rows: facts.rows, times: [facts.timestamps, facts.ingested] });
    }
    for segment in &view.snapshot.segments {
        let times = TIMES.map(|name| tables::times(&segment.batches, name));
        rows.push(Row { hour: segment.hour, rows: segment.rows(), times });
    }
    let is_asked = |time: usize| {
        let column = TIMES[time];
        asked.iter().any(|asked| matches!(asked, Asked::Least(name) | Asked::Greatest(name) if *name == column))
    };
    let has_all_asked = |row: &Row| (0..TIMES.len()).all(|time| row.times[time].is_some() || !is_asked(time));
    if !rows.iter().all(|row| row.rows == 0 || has_all_asked(row)) {
        return Ok(None);
    }
    rows.retain(|row| row.rows > 0);
    table(&rows).map(Some)
}

struct Row {
    hour: emp_store::Hour,
    rows: u64,
    times: [Option<(i64, i64)>; TIMES.len()],
}

fn table(rows: &[Row]) -> Result<Arc<MemTable>> {
    let mut fields = vec![
        Field::new("date", DataType::Utf8, true),
        Field::new("hour", DataType::Utf8, true),
        Field::new(ROWS, DataType::Int64, true),
    ];
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.hour.date()))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.hour.hour()))),
        // No store has that many rows.
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| i64::try_from(row.rows).unwrap_or(i64::MAX)))),
    ];
    for (index, name) in TIMES.into_iter().enumerate() {
        let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        let mut add = |name: String, bound: fn((i64, i64)) -> i64| {
            let values: TimestampMillisecondArray = rows.iter().map(|row| row.times[index].map(bound)).collect();
            fields.push(Field::new(name, time.clone(), true));
            columns.push(Arc::new(values.with_timezone("UTC")));
        };
        add(format!("min_{name}"), |(least, _)| least);
        add(format!("max_{name}"), |(_, greatest)| greatest);
    }
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
}

/// The plan with the table of files in place of the events.
fn with_files(plan: &LogicalPlan, files: &Arc<MemTable>) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::TableScan(TableScan { table_name, filters, .. }) => {
            let name: TableReference = table_name.clone();
            let table = Arc::clone(files) as Arc<dyn TableProvider>;
            let scan = LogicalPlanBuilder::scan(name, provider_as_source(table), None)?;
            filters.iter().try_fold(scan, |scan, filter| scan.filter(filter.clone()))?.build()
        }
        LogicalPlan::Filter(filter) => {
            let input = with_files(&filter.input, files)?;
            LogicalPlanBuilder::from(input).filter(filter.predicate.clone())?.build()
        }
        LogicalPlan::SubqueryAlias(SubqueryAlias { input, alias, .. }) => {
            LogicalPlanBuilder::from(with_files(input, files)?).alias(alias.clone())?.build()
        }
        // It only picks columns, and those that are asked for are all there.
        LogicalPlan::Projection(projection) => with_files(&projection.input, files),
        other => Ok(other.clone()),
    }
}
