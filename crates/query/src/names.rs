//! What can be named in a statement, for whoever helps with typing it.

use std::collections::BTreeSet;

use arrow::array::AsArray as _;
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef};

use super::translate::functions;
use super::{Engine, QueryError, tables};

/// The names that a statement can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The tables, each with its columns and their types, as `describe` tells them.
    pub tables: Vec<(String, Vec<(String, String)>)>,
    /// The functions, sorted.
    pub functions: Vec<String>,
}

/// Values of a column at most.
const VALUES_MAX: usize = 500;

impl Engine {
    /// The tables, their columns, and the functions.
    pub fn names(&self) -> Names {
        let column = |field: &FieldRef| (field.name().clone(), kind(field.data_type()));
        let tables = tables::all(&self.source).into_iter().map(|(name, table)| {
            let schema = table.schema();
            (name.to_owned(), schema.fields().iter().map(column).collect())
        });
        let mut functions: Vec<String> = functions(&self.context.state()).map(str::to_owned).collect();
        functions.sort_unstable();
        functions.dedup();
        Names { tables: tables.collect(), functions }
    }

    /// The values of a column of `events` in its newest hours, sorted: of one that has few.
    ///
    /// # Errors
    /// As [`Engine::sql`].
    pub async fn newest_values(&self, column: &str) -> Result<Vec<String>, QueryError> {
        if let Some(known) = self.known_values(column)? {
            return Ok(known);
        }
        let since = self.newest_hours()?;
        let sql = format!(
            "select distinct {column} from events where {column} is not null \
             and ingested_at >= timestamp '{since}' order by 1 limit {VALUES_MAX}"
        );
        self.texts(&sql).await
    }

    /// The same by what the catalog knows of the files, and by the journal's events; `None` where it does not know all.
    fn known_values(&self, column: &str) -> Result<Option<Vec<String>>, QueryError> {
        let since = self.newest_hour()?;
        let view = self.source.view_or_failure()?;
        let sealed = view.sealed();
        let mut all: BTreeSet<String> = BTreeSet::new();
        for file in sealed.files.iter().filter(|file| file.partition.hour >= since && file.facts.is_ok()) {
            let Some(values) = sealed.values(file, column) else { return Ok(None) };
            all.extend(values.map(str::to_owned));
        }
        for batch in view.snapshot.segments.iter().flat_map(|segment| &segment.batches) {
            let Some(values) = batch.column_by_name(column).and_then(|values| cast(values, &DataType::Utf8).ok())
            else {
                return Ok(None);
            };
            all.extend(values.as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        Ok(Some(all.into_iter().take(VALUES_MAX).collect()))
    }
}

/// A type in the words of SQL.
fn kind(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 => "text".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamp (UTC, ms)".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Float64 => "double".to_owned(),
        other => other.to_string(),
    }
}
