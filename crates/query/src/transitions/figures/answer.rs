//! Answers with the columns of the canned queries.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use datafusion::error::Result;

use emp_units::tenth;

use super::super::names::Texts;
use super::super::walk::NONE;
use super::Gap;
use super::tally::{Sum, Tally};

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    Ok(RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))?)
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn integers(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<Int64Array>())
}

/// With one digit behind the point.
fn tenths(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.map(|value| value.map(tenth)).collect::<Float64Array>())
}

fn count(count: u64) -> i64 {
    // No store has that many events.
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// As `gaps` answers.
pub(super) fn gaps(gaps: &[Gap]) -> Result<RecordBatch> {
    let name = |at: usize| texts(gaps.iter().map(move |gap| gap.names[at].as_deref()));
    let times = gaps.iter().map(|gap| Some(gap.from_time_ms.0)).collect::<TimestampMillisecondArray>();
    batch(vec![
        ("gap_ms", integers(gaps.iter().map(|gap| Some(gap.gap_ms)))),
        ("job_id", texts(gaps.iter().map(|gap| Some(gap.job.0.as_ref())))),
        ("from_event", name(0)),
        ("from_service", name(1)),
        ("to_event", name(2)),
        ("to_service", name(3)),
        ("from_time", Arc::new(times.with_timezone("UTC"))),
    ])
}

/// What one row of an answer is made of.
struct Row<'a> {
    names: Vec<Option<Arc<str>>>,
    sum: &'a Sum,
    skewed: u64,
    p95_ms: Option<f64>,
}

impl Row<'_> {
    fn longest_ms(&self) -> Option<i64> {
        self.sum.longest.as_ref().map(|(ms, _)| *ms)
    }

    fn all(&self) -> u64 {
        self.sum.count + self.skewed
    }
}

fn row<'a>(names: &[u32], (sum, skewed): (&'a Sum, u64), of: &Texts) -> Row<'a> {
    let names = names.iter().map(|number| (*number != NONE).then(|| of.text(*number))).collect();
    Row { names, sum, skewed, p95_ms: sum.bins.quantile(0.95).map(tenth) }
}

/// Nothing comes last, as in SQL.
fn by_name(a: &Row<'_>, b: &Row<'_>) -> Ordering {
    let key = |row: &Row<'_>| row.names.iter().map(|name| (name.is_none(), name.clone())).collect::<Vec<_>>();
    key(a).cmp(&key(b))
}

/// As `gap-classes` answers.
pub(super) fn gap_classes(tally: &Tally, of: &Texts, limit: usize) -> Result<RecordBatch> {
    let mut rows: Vec<Row<'_>> = tally.gaps.iter().map(|(class, sum)| row(class, (sum, 0), of)).collect();
    rows.sort_by(|a, b| (b.longest_ms(), b.sum.count).cmp(&(a.longest_ms(), a.sum.count)).then_with(|| by_name(a, b)));
    rows.truncate(limit);
    let name = |at: usize| texts(rows.iter().map(move |row| row.names[at].as_deref()));
    batch(vec![
        ("from_event", name(0)),
        ("from_service", name(1)),
        ("to_event", name(2)),
        ("to_service", name(3)),
        ("gaps", integers(rows.iter().map(|row| Some(count(row.sum.count))))),
        ("total_ms", integers(rows.iter().map(|row| Some(row.sum.sum_ms)))),
        ("p50_ms", tenths(rows.iter().map(|row| row.sum.bins.quantile(0.5)))),
        ("p95_ms", tenths(rows.iter().map(|row| row.p95_ms))),
        ("max_ms", integers(rows.iter().map(Row::longest_ms))),
        ("worst_job", texts(rows.iter().map(|row| row.sum.longest.as_ref().map(|(_, job)| job.as_ref())))),
    ])
}

/// As `handoffs` answers.
pub(super) fn handoffs(tally: &Tally, of: &Texts, limit: usize) -> Result<RecordBatch> {
    let mut rows: Vec<Row<'_>> =
        tally.handoffs.iter().map(|(pair, (sum, skewed))| row(pair, (sum, *skewed), of)).collect();
    let rank = |row: &Row<'_>| (row.p95_ms.is_none(), Reverse(row.all()));
    rows.sort_by(|a, b| {
        let by_p95 = b.p95_ms.unwrap_or_default().total_cmp(&a.p95_ms.unwrap_or_default());
        rank(a).0.cmp(&rank(b).0).then(by_p95).then(rank(a).1.cmp(&rank(b).1)).then_with(|| by_name(a, b))
    });
    rows.truncate(limit);
    let name = |at: usize| texts(rows.iter().map(move |row| row.names[at].as_deref()));
    let average = |row: &Row<'_>| (row.sum.count > 0).then(|| row.sum.sum_ms as f64 / row.sum.count as f64);
    batch(vec![
        ("from_service", name(0)),
        ("to_service", name(1)),
        ("handoffs", integers(rows.iter().map(|row| Some(count(row.all()))))),
        ("avg_ms", tenths(rows.iter().map(average))),
        ("p50_ms", tenths(rows.iter().map(|row| row.sum.bins.quantile(0.5)))),
        ("p95_ms", tenths(rows.iter().map(|row| row.p95_ms))),
        ("p99_ms", tenths(rows.iter().map(|row| row.sum.bins.quantile(0.99)))),
        ("max_ms", integers(rows.iter().map(Row::longest_ms))),
        ("skewed", integers(rows.iter().map(|row| Some(count(row.skewed))))),
        ("worst_job", texts(rows.iter().map(|row| row.sum.longest.as_ref().map(|(_, job)| job.as_ref())))),
    ])
}
