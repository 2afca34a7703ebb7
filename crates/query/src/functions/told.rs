//! What the data of an event tells by the keys of the vocabulary: `error_text(data)` and `error_fingerprint(data)`,
//! `connector_name(data)`, `connector_key(data)` and `job_type(data)`.

use std::sync::Arc;

use arrow::array::{AsArray as _, StringArray};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use emp_job::Told;

/// As all commands take it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Function {
    what: Told,
    signature: Signature,
}

impl Function {
    pub fn new(what: Told) -> Self {
        Self { what, signature: Signature::exact(vec![DataType::Utf8], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        match self.what {
            Told::ErrorText => "error_text",
            Told::ErrorFingerprint => "error_fingerprint",
            Told::ConnectorName => "connector_name",
            Told::ConnectorKey => "connector_key",
            Told::JobType => "job_type",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values = ColumnarValue::values_to_arrays(&args.args)?;
        let texts: StringArray = values[0].as_string::<i32>().iter().map(|data| self.what.of(data?)).collect();
        Ok(ColumnarValue::Array(Arc::new(texts)))
    }
}
