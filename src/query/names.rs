//! What can be named in a statement, for whoever helps with typing it.

use arrow::array::AsArray as _;

use super::translate::{Asked, translate};
use super::{Engine, QueryError};

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
    ///
    /// # Errors
    /// As [`Engine::sql`].
    pub async fn names(&self) -> Result<Names, QueryError> {
        let state = self.context.state();
        let asked = Asked { sql: "", limits: &self.limits, state: None };
        let failed = |error| translate(&error, &asked);
        let schema = state.schema_for_ref(super::tables::NAMES[0]).map_err(failed)?;
        let mut tables = Vec::new();
        for name in super::tables::NAMES {
            let Some(table) = schema.table(name).await.map_err(failed)? else { continue };
            let schema = table.schema();
            let column = |field: &arrow::datatypes::FieldRef| (field.name().clone(), kind(field.data_type()));
            tables.push((name.to_owned(), schema.fields().iter().map(column).collect()));
        }
        let scalar = state.scalar_functions().keys();
        let others = state.aggregate_functions().keys().chain(state.window_functions().keys());
        let mut functions: Vec<String> = scalar.chain(others).cloned().collect();
        functions.sort_unstable();
        functions.dedup();
        Ok(Names { tables, functions })
    }

    /// The values of a column of `events` in its newest hours, sorted: of one that has few.
    ///
    /// # Errors
    /// As [`Engine::sql`].
    pub async fn newest_values(&self, column: &str) -> Result<Vec<String>, QueryError> {
        let since = jiff::Timestamp::from_millisecond(self.newest_hours()?.start_ms()).unwrap_or(jiff::Timestamp::MIN);
        let sql = format!(
            "select distinct {column} from events where {column} is not null \
             and ingested_at >= timestamp '{since}' order by 1 limit {VALUES_MAX}"
        );
        let mut values = Vec::new();
        for batch in self.sql(&sql).await?.batches().await? {
            values.extend(batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        Ok(values)
    }
}

/// A type in the words of SQL.
fn kind(data_type: &arrow::datatypes::DataType) -> String {
    use arrow::datatypes::DataType;
    match data_type {
        DataType::Utf8 => "text".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamp (UTC, ms)".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Float64 => "double".to_owned(),
        other => other.to_string(),
    }
}
