//! `--pg-listen`: SQL over PostgreSQL's wire protocol, by the engine that answers SQL everywhere.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::{can_cast_types, cast};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use emp_postgres::{Column, Database, Refused, Rows, Type, Value};
use emp_query::{Answer, Engine, QueryError};

use crate::cli::ask::answer::engine_in;
use crate::cli::options::Options;

/// Rows that an answer may have.
const ROWS_MAX: usize = 1_000_000;

/// The store, asked anew for each statement, so that new events are seen.
pub(super) struct OfStatements {
    pub options: Options,
    pub runtime: Arc<Runtime>,
    /// How long a statement may take until its rows begin, and then again from one part of them to the next.
    pub time: Duration,
}

impl Database for OfStatements {
    fn ask(&self, statement: &str) -> Result<Box<dyn Rows>, Refused> {
        let engine = engine_in(&self.options, self.options.time_zone(), None).map_err(refused)?;
        let asked = self.runtime.block_on(async { timeout(self.time, engine.sql(statement)).await });
        let answer = asked.map_err(|_| too_long(self.time))?.map_err(refused)?;
        let columns = answer.schema.fields().iter();
        let columns = columns.map(|field| Column { name: field.name().clone(), of: type_of(field.data_type()) });
        Ok(Box::new(OfAnswer {
            columns: columns.collect(),
            answer,
            _engine: engine,
            runtime: Arc::clone(&self.runtime),
            time: self.time,
            rows: 0,
        }))
    }
}

/// An answer that goes on.
struct OfAnswer {
    columns: Vec<Column>,
    answer: Answer,
    /// What the answer is read from.
    _engine: Engine,
    runtime: Arc<Runtime>,
    time: Duration,
    rows: usize,
}

impl Rows for OfAnswer {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn next(&mut self) -> Result<Option<Vec<Vec<Option<Value>>>>, Refused> {
        let next = self.runtime.block_on(async { timeout(self.time, self.answer.next()).await });
        let Some(batch) = next.map_err(|_| too_long(self.time))?.map_err(refused)? else { return Ok(None) };
        self.rows += batch.num_rows();
        if self.rows > ROWS_MAX {
            return Err(Refused(format!("the answer has more than {ROWS_MAX} rows: ask for fewer")));
        }
        let rows = rows_of(&batch, &self.columns);
        rows.map(Some).map_err(|error| Refused(format!("the rows cannot be told: {error}")))
    }
}

fn refused(error: QueryError) -> Refused {
    Refused(error.to_string())
}

fn too_long(time: Duration) -> Refused {
    Refused(format!(
        "no answer within {} s: ask for a shorter time, or start `serve` with a longer --time-limit",
        time.as_secs()
    ))
}

fn type_of(of: &DataType) -> Type {
    match of {
        DataType::Boolean => Type::Bool,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => Type::Float,
        DataType::Timestamp(..) => Type::Moment,
        of if of.is_integer() => Type::Int,
        _ => Type::Text,
    }
}

fn rows_of(batch: &RecordBatch, columns: &[Column]) -> Result<Vec<Vec<Option<Value>>>, ArrowError> {
    let mut rows: Vec<Vec<Option<Value>>> = vec![Vec::with_capacity(columns.len()); batch.num_rows()];
    for (array, column) in batch.columns().iter().zip(columns) {
        let values = values_of(array, column.of)?;
        rows.iter_mut().zip(values).for_each(|(row, value)| row.push(value));
    }
    Ok(rows)
}

fn values_of(array: &ArrayRef, of: Type) -> Result<Vec<Option<Value>>, ArrowError> {
    let to = match of {
        Type::Bool => DataType::Boolean,
        Type::Int => DataType::Int64,
        Type::Float => DataType::Float64,
        Type::Text => DataType::Utf8,
        Type::Moment => DataType::Timestamp(TimeUnit::Microsecond, None),
    };
    if of == Type::Text && !can_cast_types(array.data_type(), &to) {
        // Lists and the like, as they are shown.
        let shown = (0..array.len()).map(|row| {
            let text = || array_value_to_string(array, row).map(Value::Text);
            array.is_valid(row).then(text).transpose()
        });
        return shown.collect();
    }
    let array = cast(array, &to)?;
    let values = (0..array.len()).map(|row| {
        array.is_valid(row).then(|| match of {
            Type::Bool => Value::Bool(array.as_boolean().value(row)),
            Type::Int => Value::Int(array.as_primitive::<Int64Type>().value(row)),
            Type::Float => Value::Float(array.as_primitive::<Float64Type>().value(row)),
            Type::Text => Value::Text(array.as_string::<i32>().value(row).to_owned()),
            Type::Moment => Value::Moment(array.as_primitive::<TimestampMicrosecondType>().value(row)),
        })
    });
    Ok(values.collect())
}
