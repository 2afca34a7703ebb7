//! What a query may skip, decided for all files at once from what is known about them.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, StringArray, TimestampMillisecondArray};
use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};

use crate::store::{Hour, IdRange};

/// The filters of a scan, as a question to the bounds of files.
pub(super) struct Pruner(Option<Arc<PruningPredicate>>);

impl Pruner {
    /// A filter that says nothing about bounds skips nothing: no error.
    pub fn new(state: &dyn Session, schema: &SchemaRef, filters: &[Expr]) -> Self {
        let predicate = conjunction(filters.iter().cloned()).and_then(|filter| {
            let columns = DFSchema::try_from(Arc::clone(schema)).ok()?;
            let filter = state.create_physical_expr(filter, &columns).ok()?;
            PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema)).build(filter)
        });
        Self(predicate)
    }

    /// The elements of `files` that may hold rows that match.
    pub fn keep<T>(&self, files: Vec<T>, bounds: impl Fn(&[T]) -> Bounds) -> Vec<T> {
        let Some(predicate) = &self.0 else { return files };
        if files.is_empty() {
            return files;
        }
        match predicate.prune(&bounds(&files)) {
            Ok(kept) => files.into_iter().zip(kept).filter_map(|(file, kept)| kept.then_some(file)).collect(),
            // What cannot be judged is read.
            Err(_) => files,
        }
    }
}

/// The least and the greatest value of some columns, one of each a file.
pub(super) struct Bounds {
    files: usize,
    columns: Vec<(&'static str, ArrayRef, ArrayRef)>,
}

impl Bounds {
    /// What the names of files and folders tell.
    pub fn of_names<'a>(names: impl Iterator<Item = (Hour, &'a IdRange)>) -> Self {
        let names: Vec<_> = names.collect();
        let (first_ids, last_ids): (Vec<_>, Vec<_>) = names.iter().map(|(_, ids)| id_bounds(ids)).unzip();
        let date: ArrayRef = Arc::new(StringArray::from_iter_values(names.iter().map(|(hour, _)| hour.date())));
        let hour: ArrayRef = Arc::new(StringArray::from_iter_values(names.iter().map(|(hour, _)| hour.hour())));
        let columns = vec![
            ("date", Arc::clone(&date), date),
            ("hour", Arc::clone(&hour), hour),
            (
                "ingested_at",
                times(names.iter().map(|(hour, _)| Some(hour.start_ms()))),
                times(names.iter().map(|(hour, _)| Some(hour.end_ms() - 1))),
            ),
            ("id", Arc::new(StringArray::from(first_ids)), Arc::new(StringArray::from(last_ids))),
        ];
        Self { files: names.len(), columns }
    }

    /// What the footers of files tell about `timestamp`, where they do.
    pub fn of_timestamps(bounds: impl Iterator<Item = Option<(i64, i64)>>) -> Self {
        let bounds: Vec<_> = bounds.collect();
        let least = times(bounds.iter().map(|bounds| bounds.map(|(least, _)| least)));
        let greatest = times(bounds.iter().map(|bounds| bounds.map(|(_, greatest)| greatest)));
        Self { files: bounds.len(), columns: vec![("timestamp", least, greatest)] }
    }

    fn column(&self, column: &Column) -> Option<&(&'static str, ArrayRef, ArrayRef)> {
        self.columns.iter().find(|(name, ..)| *name == column.name)
    }
}

fn times(ms: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(ms.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
}

/// Bounds of the IDs as text. Text and number agree on the order of milliseconds of the same
/// number of digits only; sequences are left out, as `10` comes before `9` in text.
fn id_bounds(ids: &IdRange) -> (Option<String>, Option<String>) {
    let (first, last) = (ids.first.ms.to_string(), ids.last.ms.to_string());
    if first.len() != last.len() {
        return (None, None);
    }
    // `.` is the character after `-`.
    (Some(first), Some(last + "."))
}

impl PruningStatistics for Bounds {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.column(column).map(|(_, least, _)| Arc::clone(least))
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.column(column).map(|(_, _, greatest)| Arc::clone(greatest))
    }

    fn num_containers(&self) -> usize {
        self.files
    }

    fn null_counts(&self, _column: &Column) -> Option<ArrayRef> {
        None
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
