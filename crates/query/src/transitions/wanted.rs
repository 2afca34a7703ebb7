//! Which transitions a question asks for, as far as its filters tell.
//!
//! A filter about one row decides which of the transitions are shown, and never which events a job is thought to have:
//! the one before an event is the one before it, whatever is asked.

use std::collections::HashSet;

use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use datafusion::scalar::ScalarValue;

use emp_store::Hour;

use super::walk::Transition;
use crate::prune::wanted_ids;

/// What a transition has to be.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Of one of these jobs.
    jobs: Option<HashSet<String>>,
    /// After a silence of so many ms.
    gap_ms_min: Option<i64>,
    /// From one service to another.
    is_handed_on: bool,
    /// Of events that happened from then on, in ms; both of them.
    since_ms: Option<i64>,
    /// Of events that happened before then, or no later.
    until_ms: Option<i64>,
}

impl Wanted {
    pub fn of(filters: &[Expr]) -> Self {
        let mut wanted = Self::default();
        filters.iter().flat_map(split_conjunction).for_each(|filter| wanted.take(filter));
        wanted
    }

    fn take(&mut self, filter: &Expr) {
        if let Some((_, ids)) = wanted_ids(filter).filter(|(column, _)| *column == "job_id") {
            let ids: HashSet<String> = ids.into_iter().map(str::to_owned).collect();
            self.jobs = Some(match self.jobs.take() {
                Some(jobs) => jobs.intersection(&ids).cloned().collect(),
                None => ids,
            });
            return;
        }
        match filter {
            Expr::IsNotNull(column) if is_column(column, "handed_by") => self.is_handed_on = true,
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                self.take_comparison(left, *op, right);
                if let Some(op) = op.swap() {
                    self.take_comparison(right, op, left);
                }
            }
            _ => {}
        }
    }

    fn take_comparison(&mut self, left: &Expr, op: Operator, right: &Expr) {
        let Some(bound) = number(right) else { return };
        let least = |known: &Option<i64>| Some(known.map_or(bound, |known| known.max(bound)));
        match op {
            Operator::Gt | Operator::GtEq if is_column(left, "gap_ms") => self.gap_ms_min = least(&self.gap_ms_min),
            Operator::Gt | Operator::GtEq if is_column(left, "from_at") || is_column(left, "handed_at") => {
                self.since_ms = least(&self.since_ms);
            }
            Operator::Lt | Operator::LtEq if is_column(left, "happened_at") => {
                self.until_ms = Some(self.until_ms.map_or(bound, |known| known.min(bound)));
            }
            _ => {}
        }
    }

    /// May events of this job be asked for?
    pub fn may_be_of(&self, job_id: &str) -> bool {
        self.jobs.as_ref().is_none_or(|jobs| jobs.contains(job_id))
    }

    /// The jobs that are asked for, where the question names them.
    pub fn jobs(&self) -> Option<Vec<&str>> {
        self.jobs.as_ref().map(|jobs| jobs.iter().map(String::as_str).collect())
    }

    /// May a transition be asked for? Which are, is decided by the filters above the scan.
    pub fn may_be(&self, transition: &Transition) -> bool {
        let is_long = |least: i64| transition.gap_ms().is_some_and(|gap_ms| gap_ms >= least);
        self.gap_ms_min.is_none_or(is_long) && (!self.is_handed_on || transition.handed_by().is_some())
    }

    /// The time in which the hours lie whose events can be one of two that are asked for, or come between them, in ms.
    /// `hours` are those of all files, with the bounds of their events by the producers' clocks where these are known.
    ///
    /// No event arrives before it happens, if clocks are corrected: the hours before the range have none of it. Late
    /// events come in hours after their own, so those behind it are read as far as one of them has some.
    pub fn hours(&self, hours: &[(Hour, Option<(i64, i64)>)], corrected: bool) -> (i64, i64) {
        let begin = self.since_ms.map_or(i64::MIN, |since_ms| {
            let may_have = hours.iter().filter(|(_, bounds)| bounds.is_none_or(|(_, last)| last >= since_ms));
            let first = may_have.map(|(hour, _)| hour.start_ms()).min().unwrap_or(i64::MAX);
            if corrected { since_ms } else { first.min(since_ms) }
        });
        let end = self.until_ms.map_or(i64::MAX, |until_ms| {
            let may_have = hours.iter().filter(|(_, bounds)| bounds.is_none_or(|(first, _)| first <= until_ms));
            may_have.map(|(hour, _)| hour.end_ms()).max().unwrap_or(i64::MIN).max(until_ms)
        });
        (begin, end)
    }
}

fn is_column(expr: &Expr, name: &str) -> bool {
    match expr {
        Expr::Column(column) => column.name == name,
        Expr::Cast(cast) => is_column(&cast.expr, name),
        _ => false,
    }
}

/// A number, or a moment in ms.
fn number(expr: &Expr) -> Option<i64> {
    let Expr::Literal(value, _) = expr else { return None };
    match value {
        ScalarValue::TimestampMillisecond(ms, _) => *ms,
        ScalarValue::Int64(number) => *number,
        _ => None,
    }
}
