//! What an aggregate asks about events, and how that is put together from what hours contribute.

use std::sync::LazyLock;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::error::Result;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::{max, min, sum};
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::{AggregateUDF, Expr, ExprFunctionExt as _, cast, lit};

use super::below::Below;
use super::hourly::is_hourly;
use super::table::part;
use crate::functions;

/// A part of an answer: what is put together, and how the answer comes of it.
pub(super) struct Asked {
    /// Aggregates over the parts that hours and single events contribute.
    pub parts: Vec<Expr>,
    finish: Finish,
}

enum Finish {
    /// The part itself.
    Itself,
    /// The part, and 0 where there is none.
    Count,
    /// The first part for each of the second.
    Average,
}

static OF_SKETCHES: LazyLock<AggregateUDF> = LazyLock::new(functions::quantile_of_sketches);

impl Asked {
    /// `None` where hours cannot tell.
    pub fn of(expr: &Expr, below: &Below) -> Result<Option<Self>> {
        let Expr::AggregateFunction(AggregateFunction { func, params }) = expr.clone().unalias() else {
            return Ok(None);
        };
        let AggregateFunctionParams { args, distinct, filter, order_by, null_treatment } = params;
        if !order_by.is_empty() || null_treatment.is_some() {
            return Ok(None);
        }
        let mut resolved = Vec::with_capacity(args.len());
        for arg in &args {
            let Some(arg) = below.resolve(arg)? else { return Ok(None) };
            resolved.push(arg);
        }
        let filter = match filter {
            Some(filter) => match below.resolve(&filter)?.filter(is_hourly) {
                Some(filter) => Some(filter),
                None => return Ok(None),
            },
            None => None,
        };
        let Some(asked) = of_function(&func, &resolved, distinct) else { return Ok(None) };
        let Some(filter) = filter else { return Ok(Some(asked)) };
        let filtered = asked.parts.into_iter().map(|part| part.filter(filter.clone()).build());
        Ok(Some(Self { parts: filtered.collect::<Result<_>>()?, ..asked }))
    }

    /// The answer, from the columns of its parts.
    pub fn finish(&self, mut parts: impl Iterator<Item = Column>) -> Option<Expr> {
        let mut next = || parts.next().map(Expr::Column);
        let first = next()?;
        Some(match self.finish {
            Finish::Itself => first,
            Finish::Count => coalesce(vec![first, lit(0_i64)]),
            Finish::Average => first / cast(next()?, DataType::Float64),
        })
    }
}

fn of_function(func: &AggregateUDF, args: &[Expr], distinct: bool) -> Option<Asked> {
    let itself = |part: Expr| Some(Asked { parts: vec![part], finish: Finish::Itself });
    let count = |of: &str| Some(Asked { parts: vec![sum(part(of))], finish: Finish::Count });
    match (func.name(), args) {
        // What comes twice changes nothing.
        ("min" | "max", [arg]) if is_hourly(arg) => itself(func.call(args.to_vec())),
        ("count", [arg]) if distinct && is_hourly(arg) => {
            itself(datafusion::functions_aggregate::expr_fn::count_distinct(arg.clone()))
        }
        _ if distinct => None,
        ("count", [Expr::Literal(value, _)]) if !value.is_null() => count(part::EVENTS),
        ("count", [arg]) if is_duration(arg) => count(part::DURATIONS),
        ("sum", [arg]) if is_duration(arg) => itself(sum(part(part::SUM))),
        ("avg", [arg]) if is_duration(arg) => {
            Some(Asked { parts: vec![sum(part(part::SUM)), sum(part(part::DURATIONS))], finish: Finish::Average })
        }
        ("min", [arg]) if is_duration(arg) => itself(min(part(part::LEAST))),
        ("max", [arg]) if is_duration(arg) => itself(max(part(part::GREATEST))),
        ("min", [arg]) if is_timestamp(arg) => itself(min(part(part::FIRST))),
        ("max", [arg]) if is_timestamp(arg) => itself(max(part(part::LAST))),
        (functions::APPROXIMATE_QUANTILE, [arg, share]) if is_duration(arg) => {
            itself(OF_SKETCHES.call(vec![part(part::SKETCH), part(part::DURATION), share.clone()]))
        }
        _ => None,
    }
}

fn is_duration(expr: &Expr) -> bool {
    is_column(expr, "duration_ms")
}

fn is_timestamp(expr: &Expr) -> bool {
    is_column(expr, "timestamp")
}

fn is_column(expr: &Expr, name: &str) -> bool {
    matches!(expr, Expr::Column(column) if column.name == name)
}
