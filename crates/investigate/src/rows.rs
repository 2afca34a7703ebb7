//! Answers read row by row: for the few rows of a summary, not for events by the thousand.

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use emp_query::{Engine, column_as};

use super::investigation::InvestigationError;

/// Rows of an answer, each read by the names of its columns.
pub struct Rows(pub Vec<RecordBatch>);

impl Rows {
    /// Asks for them.
    pub async fn ask(engine: &Engine, sql: &str) -> Result<Self, InvestigationError> {
        Ok(Self(engine.sql(sql).await?.batches().await?))
    }

    /// What is read from each.
    pub fn map<T>(
        &self,
        mut read: impl FnMut(&Row<'_>) -> Result<T, InvestigationError>,
    ) -> Result<Vec<T>, InvestigationError> {
        let rows = self.0.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| Row { batch, row }));
        rows.map(|row| read(&row)).collect()
    }
}

/// One of them.
pub struct Row<'a> {
    batch: &'a RecordBatch,
    row: usize,
}

impl Row<'_> {
    fn of_type(&self, name: &str, data_type: &DataType) -> Result<Option<ArrayRef>, InvestigationError> {
        let column = column_as(&self.batch.slice(self.row, 1), name, data_type)?;
        Ok(Some(column).filter(|column| column.is_valid(0)))
    }

    /// The empty text where there is none.
    pub fn text(&self, name: &str) -> Result<String, InvestigationError> {
        Ok(self.optional_text(name)?.unwrap_or_default())
    }

    pub fn optional_text(&self, name: &str) -> Result<Option<String>, InvestigationError> {
        Ok(self.of_type(name, &DataType::Utf8)?.map(|column| column.as_string::<i32>().value(0).to_owned()))
    }

    /// 0 where there is none.
    pub fn integer(&self, name: &str) -> Result<i64, InvestigationError> {
        Ok(self.of_type(name, &DataType::Int64)?.map_or(0, |column| column.as_primitive::<Int64Type>().value(0)))
    }

    pub fn number(&self, name: &str) -> Result<Option<f64>, InvestigationError> {
        Ok(self.of_type(name, &DataType::Float64)?.map(|column| column.as_primitive::<Float64Type>().value(0)))
    }
}
