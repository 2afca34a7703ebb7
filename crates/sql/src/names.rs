//! Names of tables where PostgreSQL takes them for numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray, Int32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// The function that casts of what is no literal become.
pub(super) const TO_REGCLASS: &str = "to_regclass";

/// The number of a table by its name, with or without its schema; a number stays what it is.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ToRegclass {
    numbers: BTreeMap<String, i32>,
    signature: Signature,
}

impl ToRegclass {
    pub fn of(numbers: BTreeMap<String, i32>) -> Self {
        Self { numbers, signature: Signature::any(1, Volatility::Stable) }
    }
}

impl ScalarUDFImpl for ToRegclass {
    fn name(&self) -> &str {
        TO_REGCLASS
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values = ColumnarValue::values_to_arrays(&args.args)?.remove(0);
        if !matches!(values.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) {
            return Ok(ColumnarValue::Array(cast(&values, &DataType::Int32)?));
        }
        let texts = cast(&values, &DataType::Utf8)?;
        let number = |name: Option<&str>| self.numbers.get(&name?.replace('"', "")).copied();
        let numbers: Int32Array = texts.as_string::<i32>().iter().map(number).collect();
        let numbers: ArrayRef = Arc::new(numbers);
        Ok(ColumnarValue::Array(numbers))
    }
}

/// Is a table found without its schema? Those of the information schema are not.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct IsVisible {
    hidden: BTreeSet<i32>,
    signature: Signature,
}

impl IsVisible {
    pub fn but(hidden: BTreeSet<i32>) -> Self {
        Self { hidden, signature: Signature::any(1, Volatility::Stable) }
    }
}

impl ScalarUDFImpl for IsVisible {
    fn name(&self) -> &str {
        "pg_table_is_visible"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values = cast(&ColumnarValue::values_to_arrays(&args.args)?.remove(0), &DataType::Int32)?;
        let numbers = values.as_primitive::<Int32Type>();
        let visible: BooleanArray =
            numbers.iter().map(|number| number.map(|number| !self.hidden.contains(&number))).collect();
        let visible: ArrayRef = Arc::new(visible);
        Ok(ColumnarValue::Array(visible))
    }
}
