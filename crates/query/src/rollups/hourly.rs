//! Which expressions have one value for all events of one type, service and level that happened in one hour.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use datafusion::scalar::ScalarValue;

use emp_rollup::HOUR_MS;

/// What a row of the rollups knows of its events, beside the hour.
const KNOWN: [&str; 5] = ["event_type", "service", "level", "date", "hour"];
const TIME: &str = "timestamp";
/// Parts of a time that are as long as an hour, or longer.
const LONG: [&str; 12] =
    ["hour", "day", "week", "month", "quarter", "year", "dow", "doy", "isodow", "isoyear", "decade", "century"];
const HOUR_NS: i64 = HOUR_MS * 1_000_000;

/// Has it one value for all events of such a row? Then it has that value for the row's `timestamp`, which is when the
/// hour begins.
pub(super) fn is_hourly(expr: &Expr) -> bool {
    if steps_by_hours(expr) {
        return true;
    }
    match expr {
        Expr::Column(column) => KNOWN.contains(&column.name.as_str()),
        Expr::Literal(..) => true,
        Expr::AggregateFunction(_) | Expr::WindowFunction(_) | Expr::Placeholder(_) | Expr::GroupingSet(_) => false,
        _ if expr.is_volatile() => false,
        _ => {
            let mut is_so = true;
            // It is asked of each part, and none of them fails.
            let _ = expr.apply_children(|part| {
                is_so &= is_hourly(part);
                Ok(TreeNodeRecursion::Continue)
            });
            is_so && has_parts(expr)
        }
    }
}

/// Is it made of expressions that were looked at? A subquery is not, and a wildcard has no parts.
fn has_parts(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Alias(_)
            | Expr::BinaryExpr(_)
            | Expr::Not(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNotFalse(_)
            | Expr::Like(_)
            | Expr::SimilarTo(_)
            | Expr::Between(_)
            | Expr::Case(_)
            | Expr::Cast(_)
            | Expr::TryCast(_)
            | Expr::Negative(_)
            | Expr::ScalarFunction(_)
            | Expr::InList(_)
    )
}

/// Is it a function of `timestamp` that stays the same from the beginning of an hour to its end?
fn steps_by_hours(expr: &Expr) -> bool {
    match expr {
        Expr::Cast(cast) => matches!(cast.field.data_type(), DataType::Date32) && is_time(&cast.expr),
        Expr::ScalarFunction(ScalarFunction { func, args }) => match (func.name(), args.as_slice()) {
            ("date_trunc" | "date_part", [Expr::Literal(part, _), time]) => {
                let is_long = part.try_as_str().flatten().is_some_and(is_long);
                is_long && is_time(time)
            }
            ("date_bin" | "time_bucket", [Expr::Literal(length, _), time]) => is_in_hours(length) && is_time(time),
            ("date_bin" | "time_bucket", [Expr::Literal(length, _), time, origin]) => {
                is_in_hours(length) && is_time(time) && moment_ms(origin).is_some_and(|ms| ms % HOUR_MS == 0)
            }
            ("floor", [Expr::BinaryExpr(BinaryExpr { left, op: Operator::Divide, right })]) => {
                is_number_of_hours(right) && is_ms(left)
            }
            _ => false,
        },
        _ => false,
    }
}

fn is_long(part: &str) -> bool {
    LONG.iter().any(|long| part.eq_ignore_ascii_case(long))
}

/// The column `timestamp`, be it of another type of time.
fn is_time(expr: &Expr) -> bool {
    match expr {
        Expr::Column(column) => column.name == TIME,
        Expr::Cast(cast) => matches!(cast.field.data_type(), DataType::Timestamp(..)) && is_time(&cast.expr),
        _ => false,
    }
}

/// The column `timestamp` as a number of milliseconds.
fn is_ms(expr: &Expr) -> bool {
    match expr {
        Expr::Cast(cast) if matches!(cast.field.data_type(), DataType::Int64) => {
            matches!(cast.expr.as_ref(), Expr::Column(column) if column.name == TIME) || is_ms(&cast.expr)
        }
        Expr::Cast(cast) if matches!(cast.field.data_type(), DataType::Float64) => is_ms(&cast.expr),
        _ => false,
    }
}

fn is_number_of_hours(expr: &Expr) -> bool {
    let Expr::Literal(value, _) = expr else { return false };
    match value {
        ScalarValue::Float64(Some(ms)) => *ms > 0.0 && ms % HOUR_MS as f64 == 0.0,
        _ => false,
    }
}

fn is_in_hours(length: &ScalarValue) -> bool {
    match length {
        ScalarValue::IntervalMonthDayNano(Some(length)) => {
            length.nanoseconds % HOUR_NS == 0 && (length.months, length.days, length.nanoseconds) > (0, 0, 0)
        }
        _ => false,
    }
}

/// A moment that is whole milliseconds, as these.
pub(super) fn moment_ms(expr: &Expr) -> Option<i64> {
    let Expr::Literal(value, _) = expr else { return None };
    let whole =
        |value: Option<i64>, in_one_ms: i64| value.filter(|value| value % in_one_ms == 0).map(|v| v / in_one_ms);
    match value {
        ScalarValue::TimestampSecond(seconds, _) => (*seconds)?.checked_mul(1_000),
        ScalarValue::TimestampMillisecond(ms, _) => *ms,
        ScalarValue::TimestampMicrosecond(us, _) => whole(*us, 1_000),
        ScalarValue::TimestampNanosecond(ns, _) => whole(*ns, 1_000_000),
        _ => None,
    }
}
