//! Changes as rows, for programs that read lines.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;

use emp_findings::{Change, Changes};

/// A row for each change: how, what, how much on both sides, the test and the words.
///
/// # Errors
/// [`ArrowError`] where the columns do not fit each other, which would be a mistake here.
pub fn changes_table(changes: &Changes) -> Result<RecordBatch, ArrowError> {
    let all = &changes.changes;
    let text =
        |of: &dyn Fn(&Change) -> Option<String>| -> ArrayRef { Arc::new(all.iter().map(of).collect::<StringArray>()) };
    let count = |of: &dyn Fn(&Change) -> Option<u64>| -> ArrayRef {
        Arc::new(all.iter().map(|one| of(one).and_then(|count| i64::try_from(count).ok())).collect::<Int64Array>())
    };
    let number =
        |of: &dyn Fn(&Change) -> Option<f64>| -> ArrayRef { Arc::new(all.iter().map(of).collect::<Float64Array>()) };
    let implies = |one: &Change| {
        let names = one.implies.iter().map(|implied| format!("{} {}", implied.what, implied.change.as_str()));
        names.collect::<Vec<_>>().join(", ")
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("change", text(&|one| Some(one.change.as_str().to_owned()))),
        ("kind", text(&|one| Some(one.kind.as_str().to_owned()))),
        ("what", text(&|one| Some(one.what.clone()))),
        ("service", text(&|one| one.service.clone())),
        ("key", text(&|one| one.key.clone())),
        ("before_count", count(&|one| Some(one.before_count))),
        ("after_count", count(&|one| Some(one.after_count))),
        ("before_of", count(&|one| one.before_of)),
        ("after_of", count(&|one| one.after_of)),
        ("before_per_hour", number(&|one| one.before_per_hour)),
        ("after_per_hour", number(&|one| one.after_per_hour)),
        ("before_p50_ms", number(&|one| one.before_p50_ms)),
        ("after_p50_ms", number(&|one| one.after_p50_ms)),
        ("factor", number(&|one| one.factor)),
        ("test", text(&|one| Some(one.test.as_str().to_owned()))),
        ("p_value", number(&|one| Some(one.p_value))),
        ("q_value", number(&|one| Some(one.q_value))),
        ("words", text(&|one| Some(one.words.clone()))),
        ("implies", text(&|one| Some(implies(one)).filter(|names| !names.is_empty()))),
    ];
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) =
        columns.into_iter().map(|(name, array)| (Field::new(name, array.data_type().clone(), true), array)).unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}
