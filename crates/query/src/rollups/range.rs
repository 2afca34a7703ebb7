//! The time that a question is about, and the whole hours in it.

use datafusion::logical_expr::{BinaryExpr, Expr, Operator, col, lit};
use datafusion::scalar::ScalarValue;

use emp_rollup::HOUR_MS;

use super::hourly::{is_hourly, moment_ms};

/// Fewer hours are read as they are.
const HOURS_MIN: i64 = 12;

/// From when on, and until when, in ms since the epoch; all time where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Range {
    since_ms: Option<i64>,
    until_ms: Option<i64>,
}

impl Range {
    /// Of a question with these conditions; `None` where one of them is about single events.
    pub fn of(conditions: &[Expr]) -> Option<Self> {
        let mut range = Self::default();
        for condition in conditions {
            if !(range.take(condition) || is_hourly(condition)) {
                return None;
            }
        }
        Some(range)
    }

    /// Is it about when events happened?
    pub fn is_bound(condition: &Expr) -> bool {
        Self::default().take(condition)
    }

    fn take(&mut self, condition: &Expr) -> bool {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else { return false };
        let is_time = |expr: &Expr| matches!(expr, Expr::Column(column) if column.name == "timestamp");
        let (op, bound) = match (is_time(left), is_time(right)) {
            (true, false) => (Some(*op), moment_ms(right)),
            (false, true) => (op.swap(), moment_ms(left)),
            _ => return false,
        };
        let Some(bound_ms) = bound else { return false };
        let later = |ms: i64| Some(self.since_ms.map_or(ms, |known| known.max(ms)));
        let earlier = |ms: i64| Some(self.until_ms.map_or(ms, |known| known.min(ms)));
        match op {
            Some(Operator::GtEq) => self.since_ms = later(bound_ms),
            Some(Operator::Gt) => self.since_ms = later(bound_ms.saturating_add(1)),
            Some(Operator::Lt) => self.until_ms = earlier(bound_ms),
            Some(Operator::LtEq) => self.until_ms = earlier(bound_ms.saturating_add(1)),
            _ => return false,
        }
        true
    }

    /// The hours that lie in it whole; `None` where they are too few to be worth it.
    pub fn whole_hours(self) -> Option<WholeHours> {
        let hours = WholeHours::of(self.since_ms, self.until_ms);
        let is_long = |(since_ms, until_ms): (i64, i64)| until_ms.saturating_sub(since_ms) >= HOURS_MIN * HOUR_MS;
        hours.since_ms.zip(hours.until_ms).is_none_or(is_long).then_some(hours)
    }
}

/// Hours, from the first of them to before the one after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WholeHours {
    since_ms: Option<i64>,
    until_ms: Option<i64>,
}

impl WholeHours {
    /// Those that lie in a range, however few they are.
    pub fn of(since_ms: Option<i64>, until_ms: Option<i64>) -> Self {
        let begun = |ms: i64| ms.div_euclid(HOUR_MS) * HOUR_MS;
        let next = |ms: i64| begun(ms) + if ms % HOUR_MS == 0 { 0 } else { HOUR_MS };
        Self { since_ms: since_ms.map(next), until_ms: until_ms.map(begun) }
    }

    /// Does this moment lie in one of them?
    pub fn contain(&self, ms: i64) -> bool {
        self.since_ms.is_none_or(|since_ms| ms >= since_ms) && self.until_ms.is_none_or(|until_ms| ms < until_ms)
    }

    /// May an event that happened between these moments lie in one of them?
    pub fn touch(&self, first_ms: i64, last_ms: i64) -> bool {
        self.since_ms.is_none_or(|since_ms| last_ms >= since_ms)
            && self.until_ms.is_none_or(|until_ms| first_ms < until_ms)
    }

    /// What holds of the events of a range outside of them; `None` where there is nothing outside.
    pub fn outside(&self) -> Option<Expr> {
        let moment = |ms: i64| lit(ScalarValue::TimestampMillisecond(Some(ms), Some("UTC".into())));
        let before = self.since_ms.map(|ms| col("timestamp").lt(moment(ms)));
        let behind = self.until_ms.map(|ms| col("timestamp").gt_eq(moment(ms)));
        before.into_iter().chain(behind).reduce(Expr::or)
    }
}
