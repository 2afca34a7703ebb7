//! `error_text(data)` and `error_fingerprint(data)`: what an event says went wrong, and which error that is.

use std::sync::Arc;

use arrow::array::{AsArray as _, StringArray};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// As all commands that tell errors apart take it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ErrorText {
    name: &'static str,
    /// Without what differs from case to case?
    is_masked: bool,
    signature: Signature,
}

impl ErrorText {
    pub fn plain() -> Self {
        Self::new("error_text", false)
    }

    pub fn masked() -> Self {
        Self::new("error_fingerprint", true)
    }

    fn new(name: &'static str, is_masked: bool) -> Self {
        Self { name, is_masked, signature: Signature::exact(vec![DataType::Utf8], Volatility::Immutable) }
    }

    fn of(&self, data: &str) -> Option<String> {
        let text = emp_job::error_text(&serde_json::from_str(data).ok()?)?;
        Some(if self.is_masked { emp_job::fingerprint(&text) } else { text })
    }
}

impl ScalarUDFImpl for ErrorText {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values = ColumnarValue::values_to_arrays(&args.args)?;
        let texts: StringArray = values[0].as_string::<i32>().iter().map(|data| self.of(data?)).collect();
        Ok(ColumnarValue::Array(Arc::new(texts)))
    }
}
