//! What can be named in a statement, for whoever helps with typing it.

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
        let since = self.newest_hours()?;
        let sql = format!(
            "select distinct {column} from events where {column} is not null \
             and ingested_at >= timestamp '{since}' order by 1 limit {VALUES_MAX}"
        );
        self.texts(&sql).await
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
