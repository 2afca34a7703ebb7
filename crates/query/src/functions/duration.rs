//! `format_duration(ms)`: `8.2 s`, `2 m 36 s`.

use std::sync::Arc;

use arrow::array::{AsArray as _, StringArray};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use emp_units as units;

/// As the timeline and the tables spell durations.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct FormatDuration {
    signature: Signature,
}

impl FormatDuration {
    pub fn new() -> Self {
        Self { signature: Signature::exact(vec![DataType::Float64], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for FormatDuration {
    fn name(&self) -> &str {
        "format_duration"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values = ColumnarValue::values_to_arrays(&args.args)?;
        let values = values[0].as_primitive::<Float64Type>();
        let texts: StringArray = values.iter().map(|value| value.map(units::millis)).collect();
        Ok(ColumnarValue::Array(Arc::new(texts)))
    }
}
