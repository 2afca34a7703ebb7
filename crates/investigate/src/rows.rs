//! Answers read row by row: for the rows of a summary, not for events by the million.

use std::cell::RefCell;
use std::sync::Arc;

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

    /// The same of a question about when events happened, in a range of ms since the epoch.
    pub async fn ask_within(engine: &Engine, sql: &str, range: (i64, i64)) -> Result<Self, InvestigationError> {
        Ok(Self(engine.sql_within(sql, Some(range.0), Some(range.1)).await?.batches().await?))
    }

    /// What is read from each.
    pub fn map<T>(
        &self,
        mut read: impl FnMut(&Row<'_>) -> Result<T, InvestigationError>,
    ) -> Result<Vec<T>, InvestigationError> {
        let mut found = Vec::with_capacity(self.0.iter().map(RecordBatch::num_rows).sum());
        for batch in &self.0 {
            let columns = Columns { batch, read: RefCell::default() };
            for row in 0..batch.num_rows() {
                found.push(read(&Row { columns: &columns, row })?);
            }
        }
        Ok(found)
    }
}

/// The columns of a batch, each cast once.
struct Columns<'a> {
    batch: &'a RecordBatch,
    read: RefCell<Vec<(String, DataType, ArrayRef)>>,
}

impl Columns<'_> {
    fn of_type(&self, name: &str, data_type: &DataType) -> Result<ArrayRef, InvestigationError> {
        let mut read = self.read.borrow_mut();
        if let Some((.., column)) = read.iter().find(|(known, of, _)| known == name && of == data_type) {
            return Ok(Arc::clone(column));
        }
        let column = column_as(self.batch, name, data_type)?;
        read.push((name.to_owned(), data_type.clone(), Arc::clone(&column)));
        Ok(column)
    }
}

/// One of them.
pub struct Row<'a> {
    columns: &'a Columns<'a>,
    row: usize,
}

impl Row<'_> {
    fn of_type(&self, name: &str, data_type: &DataType) -> Result<Option<ArrayRef>, InvestigationError> {
        Ok(Some(self.columns.of_type(name, data_type)?).filter(|column| column.is_valid(self.row)))
    }

    /// The empty text where there is none.
    pub fn text(&self, name: &str) -> Result<String, InvestigationError> {
        Ok(self.optional_text(name)?.unwrap_or_default())
    }

    pub fn optional_text(&self, name: &str) -> Result<Option<String>, InvestigationError> {
        Ok(self.of_type(name, &DataType::Utf8)?.map(|column| column.as_string::<i32>().value(self.row).to_owned()))
    }

    /// 0 where there is none.
    pub fn integer(&self, name: &str) -> Result<i64, InvestigationError> {
        Ok(self.of_type(name, &DataType::Int64)?.map_or(0, |column| column.as_primitive::<Int64Type>().value(self.row)))
    }

    pub fn number(&self, name: &str) -> Result<Option<f64>, InvestigationError> {
        Ok(self.of_type(name, &DataType::Float64)?.map(|column| column.as_primitive::<Float64Type>().value(self.row)))
    }
}
