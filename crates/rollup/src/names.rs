//! The names in some columns of a file, each once, by number.

use std::collections::HashMap;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type};
use arrow::error::ArrowError;

/// Stands for a name that an event lacks.
pub(super) const NONE: u32 = 0;

/// Names by numbers that begin with 1.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
}

impl Names {
    /// The number of each row's name in a column; [`NONE`] where it has none.
    pub fn of_column(&mut self, batch: &RecordBatch, column: &str) -> Result<Vec<u32>, ArrowError> {
        let Some(column) = batch.column_by_name(column) else { return Ok(vec![NONE; batch.num_rows()]) };
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let column = cast(&cast(column, &DataType::Utf8)?, &dictionary)?;
        let column = column.as_dictionary::<Int32Type>();
        let texts = column.values().as_string::<i32>();
        let numbers: Vec<u32> = texts.iter().map(|text| text.map_or(NONE, |text| self.number(text))).collect();
        // The keys of a dictionary are those of its values.
        Ok(column.keys().iter().map(|key| key.map_or(NONE, |key| numbers[key as usize])).collect())
    }

    /// A name by its number.
    pub fn name(&self, number: u32) -> Option<&str> {
        Some(self.names.get((number as usize).checked_sub(1)?)?.as_ref())
    }

    /// All of them, in the order of their numbers.
    pub fn into_names(self) -> Vec<Box<str>> {
        self.names
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// The number of a name, which it has from now on.
    pub fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        self.names.push(text.into());
        // No file has that many names.
        let number = self.names.len() as u32;
        self.numbers.insert(text.into(), number);
        number
    }
}
