//! What a query may skip, decided for all files at once from what is known about them.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, StringArray, TimestampMillisecondArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{BinaryExpr, Expr, Like, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};

use emp_catalog::{BOUNDED_COLUMNS, IdScope, Indexed, Sealed, SealedFiles};
use emp_store::{Hour, IdRange, Segment};

use crate::functions::MENTIONS;

/// The filters of a scan, as questions to what is known about files: those about times alone come first, as they leave few
/// files of a long store to the others, of which each compares as many texts as it has values.
pub(super) struct Pruner(Vec<Arc<PruningPredicate>>);

impl Pruner {
    /// A filter that says nothing about bounds skips nothing: no error.
    pub fn new(state: &dyn Session, schema: &SchemaRef, filters: &[Expr]) -> Self {
        let each = filters.iter().flat_map(split_conjunction).cloned();
        let (of_bounds, others): (Vec<Expr>, Vec<Expr>) = each.partition(is_about_bounds);
        let predicates = [of_bounds, others].into_iter().filter_map(|filters| {
            let filter = conjunction(filters)?;
            let columns = DFSchema::try_from(Arc::clone(schema)).ok()?;
            let filter = state.create_physical_expr(filter, &columns).ok()?;
            Some(Self::of_physical(schema, filter).0)
        });
        Self(predicates.flatten().collect())
    }

    /// As [`Self::new`], for a filter that is bound to the columns already.
    pub fn of_physical(schema: &SchemaRef, filter: Arc<dyn PhysicalExpr>) -> Self {
        Self(PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema)).build(filter).into_iter().collect())
    }

    /// Those of the sealed files that may hold rows that match.
    pub fn keep_sealed<'a>(&self, all: &'a SealedFiles, files: Vec<&'a Sealed>) -> Vec<&'a Sealed> {
        self.keep(files, |files| FileStatistics {
            names: files.iter().map(|file| (file.partition.hour, file.partition.name.ids)).collect(),
            facts: Some((all, files)),
        })
    }

    /// Those of the journal's segments that may hold rows that match.
    pub fn keep_segments<'a>(&self, segments: &'a [Segment]) -> Vec<&'a Segment> {
        self.keep(segments.iter().collect(), |segments| FileStatistics {
            names: segments.iter().map(|segment| (segment.hour, segment.ids)).collect(),
            facts: None,
        })
    }

    fn keep<'a, T>(
        &self,
        files: Vec<&'a T>,
        statistics: impl for<'b> Fn(&'b [&'a T]) -> FileStatistics<'b>,
    ) -> Vec<&'a T> {
        self.0.iter().fold(files, |files, predicate| {
            if files.is_empty() {
                return files;
            }
            let pruned = predicate.prune(&statistics(&files));
            match pruned {
                Ok(kept) => files.into_iter().zip(kept).filter_map(|(file, kept)| kept.then_some(file)).collect(),
                // What cannot be judged is read.
                Err(_) => files,
            }
        })
    }
}

/// Does a filter ask for nothing but columns whose least and greatest values are known?
fn is_about_bounds(filter: &Expr) -> bool {
    filter.column_refs().iter().all(|column| BOUNDED_COLUMNS.contains(&column.name.as_str()))
}

/// The bounds and values of some files, as far as they are known.
struct FileStatistics<'a> {
    names: Vec<(Hour, IdRange)>,
    facts: Option<(&'a SealedFiles, &'a [&'a Sealed])>,
}

impl FileStatistics<'_> {
    /// The least or the greatest value of a column, one a file, as `end` picks them.
    fn bounds(&self, column: &str, end: End) -> Option<ArrayRef> {
        let hours = || self.names.iter().map(|(hour, _)| *hour);
        let files = || self.facts.iter().flat_map(|(_, files)| files.iter()).map(|file| file.facts.as_ref().ok());
        match column {
            "date" => Some(Arc::new(StringArray::from_iter_values(hours().map(Hour::date)))),
            "hour" => Some(Arc::new(StringArray::from_iter_values(hours().map(Hour::hour)))),
            "id" => Some(Arc::new(self.names.iter().map(|(_, ids)| id_bound(ids, end)).collect::<StringArray>())),
            "ingested_at" if self.facts.is_none() => {
                Some(times(hours().map(|hour| Some(end.pick((hour.start_ms(), hour.end_ms() - 1))))))
            }
            "ingested_at" => Some(times(files().map(|facts| facts?.ingested.map(|bounds| end.pick(bounds))))),
            "timestamp" if self.facts.is_some() => {
                Some(times(files().map(|facts| facts?.timestamps.map(|bounds| end.pick(bounds)))))
            }
            "duration_ms" if self.facts.is_some() => {
                let bounds = files().map(|facts| facts?.durations.map(|bounds| end.pick(bounds)));
                Some(Arc::new(bounds.collect::<Float64Array>()))
            }
            _ => None,
        }
    }
}

#[derive(Clone, Copy)]
enum End {
    Least,
    Greatest,
}

impl End {
    fn pick<T>(self, (least, greatest): (T, T)) -> T {
        match self {
            Self::Least => least,
            Self::Greatest => greatest,
        }
    }
}

fn times(ms: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(ms.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
}

/// A bound of the IDs as text. Text and number agree on the order of milliseconds of the same
/// number of digits only; sequences are left out, as `10` comes before `9` in text.
fn id_bound(ids: &IdRange, end: End) -> Option<String> {
    let (first, last) = (ids.first.ms.to_string(), ids.last.ms.to_string());
    // `.` is the character after `-`.
    (first.len() == last.len()).then(|| end.pick((first, last + ".")))
}

impl PruningStatistics for FileStatistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(&column.name, End::Least)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(&column.name, End::Greatest)
    }

    fn num_containers(&self) -> usize {
        self.names.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let (_, files) = self.facts?;
        let position = BOUNDED_COLUMNS.iter().position(|name| *name == column.name)?;
        let nulls = files.iter().map(|file| file.facts.as_ref().ok()?.nulls[position]);
        Some(Arc::new(nulls.collect::<UInt64Array>()))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let (_, files) = self.facts?;
        let rows = files.iter().map(|file| file.facts.as_ref().ok().map(|facts| facts.rows));
        Some(Arc::new(rows.collect::<UInt64Array>()))
    }

    /// False where a file has none of the values; never true, which would say that it has no others.
    fn contained(&self, column: &Column, values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        let (all, files) = self.facts?;
        let values: Vec<&str> = values.iter().filter_map(|value| value.try_as_str().flatten()).collect();
        if let Some(holding) = all.holding(&column.name, &values, IdScope::AllEvents) {
            return Some(files.iter().map(|file| (!holding[file.position]).then_some(false)).collect());
        }
        let may_have = files.iter().map(|file| all.may_have(file, &column.name, &values).filter(|may_have| !may_have));
        Some(may_have.collect())
    }
}

/// Which of the files may hold ids, or texts, that the filters ask for, as the index tells; `None` where
/// they don't ask for any.
pub(super) fn holding(files: &SealedFiles, filters: &[Expr], what: Indexed) -> Option<Vec<bool>> {
    Question { files, what }.all_of(filters.iter().flat_map(split_conjunction), IdScope::AllEvents)
}

/// What the index is asked.
struct Question<'a> {
    files: &'a SealedFiles,
    what: Indexed,
}

impl Question<'_> {
    /// Of filters that all have to be true.
    fn all_of<'a>(&self, filters: impl Iterator<Item = &'a Expr>, scope: IdScope) -> Option<Vec<bool>> {
        let filters: Vec<&Expr> = filters.collect();
        let scope = if filters.iter().any(|filter| asks_for_errors(filter)) { IdScope::ErrorEvents } else { scope };
        all_true(filters.into_iter().filter_map(|filter| self.one(filter, scope)))
    }

    fn one(&self, filter: &Expr, scope: IdScope) -> Option<Vec<bool>> {
        if let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) = filter {
            let side = |side| self.all_of(split_conjunction(side).into_iter(), scope);
            return Some(combine(side(left)?, &side(right)?, |a, b| a | b));
        }
        match self.what {
            Indexed::Ids => {
                let (column, ids) = wanted_ids(filter)?;
                self.files.holding(column, &ids, scope)
            }
            Indexed::Texts => {
                all_true(wanted_texts(filter).into_iter().filter_map(|text| self.files.mentioning(&text)))
            }
        }
    }
}

/// Is it `level = 'error'`?
fn asks_for_errors(filter: &Expr) -> bool {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = filter else { return false };
    let is_level = |expr: &Expr| matches!(expr, Expr::Column(column) if column.name == "level");
    let is_error = |expr: &Expr| matches!(expr, Expr::Literal(value, _) if value.try_as_str() == Some(Some("error")));
    (is_level(left) && is_error(right)) || (is_error(left) && is_level(right))
}

/// The files of which all say so; `None` where nothing is said.
fn all_true(each: impl Iterator<Item = Vec<bool>>) -> Option<Vec<bool>> {
    each.reduce(|a, b| combine(a, &b, |a, b| a & b))
}

fn combine(mut a: Vec<bool>, b: &[bool], with: fn(bool, bool) -> bool) -> Vec<bool> {
    a.iter_mut().zip(b).for_each(|(a, b)| *a = with(*a, *b));
    a
}

/// The column and the ids of `job_id = 'x'` and `job_id in ('x', 'y')`.
pub(super) fn wanted_ids(filter: &Expr) -> Option<(&str, Vec<&str>)> {
    let (column, values): (&Expr, Vec<&Expr>) = match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match (&**left, &**right) {
            (column @ Expr::Column(_), value) | (value, column @ Expr::Column(_)) => (column, vec![value]),
            _ => return None,
        },
        Expr::InList(list) if !list.negated => (&*list.expr, list.list.iter().collect()),
        _ => return None,
    };
    let Expr::Column(column) = column else { return None };
    let ids = values.into_iter().map(|value| match value {
        Expr::Literal(value, _) => value.try_as_str(),
        _ => None,
    });
    // Nothing equals null.
    let ids: Vec<Option<&str>> = ids.collect::<Option<_>>()?;
    SealedFiles::is_id(&column.name).then(|| (column.name.as_str(), ids.into_iter().flatten().collect()))
}

/// The texts that each row that matches has in `data` or in `event_type`: `mentions(data, 'x')`, `data like '%x%y%'`,
/// `data->>'key' = 'x'`.
fn wanted_texts(filter: &Expr) -> Vec<String> {
    let text = |expr: &Expr| match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
        _ => None,
    };
    match filter {
        Expr::ScalarFunction(called) if called.func.name() == MENTIONS => match &called.args[..] {
            [of, wanted] if is_text_column(of) => text(wanted).into_iter().collect(),
            _ => Vec::new(),
        },
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            let of_data = [(left, right), (right, left)].into_iter().find(|(of, _)| is_of_data(of));
            of_data.and_then(|(_, wanted)| text(wanted)).into_iter().collect()
        }
        Expr::Like(Like { negated: false, expr, pattern, escape_char: None, .. })
            if is_text_column(expr) || is_of_data(expr) =>
        {
            let pattern = text(pattern).unwrap_or_default();
            // What is escaped may be a letter, too.
            let is_plain = !pattern.contains('\\');
            pattern.split(['%', '_']).filter(|_| is_plain).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

fn is_text_column(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(column) if column.name == "data" || column.name == "event_type")
}

/// Is it what one of the functions of JSON takes out of `data`?
fn is_of_data(expr: &Expr) -> bool {
    let Expr::ScalarFunction(called) = expr else { return false };
    let is_data = |expr: &Expr| matches!(expr, Expr::Column(column) if column.name == "data");
    ["json_as_text", "json_get", "json_get_str"].contains(&called.func.name())
        && called.args.first().is_some_and(|of| is_data(of) || is_of_data(of))
}
