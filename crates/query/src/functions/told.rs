//! What the data of an event tells by the keys of the vocabulary: `error_text(data)` and `error_fingerprint(data)`,
//! `connector_name(data)`, `connector_key(data)` and `job_type(data)`.

use std::sync::Arc;

use arrow::array::{AsArray as _, StringArray};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use emp_job::{Named, error_text, fingerprint, job_type_of, named_in, vocabulary};

/// As all commands take it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Told {
    what: What,
    signature: Signature,
}

/// What is asked of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum What {
    /// What went wrong.
    ErrorText,
    /// The same without what differs from case to case.
    ErrorFingerprint,
    /// What the work was handed to.
    ConnectorName,
    /// The key that names it.
    ConnectorKey,
    /// Which kind of job it is about.
    JobType,
}

impl What {
    pub const ALL: [Self; 5] =
        [Self::ErrorText, Self::ErrorFingerprint, Self::ConnectorName, Self::ConnectorKey, Self::JobType];

    fn of(self, data: &str) -> Option<String> {
        if !self.may_be_in(data) {
            return None;
        }
        let data = emp_event::read_json(data).ok()?;
        match self {
            Self::ErrorText => error_text(&data),
            Self::ErrorFingerprint => error_text(&data).map(|text| fingerprint(&text)),
            Self::ConnectorName => named_in(&data, Named::Connector).map(|(_, name)| name.to_owned()),
            Self::ConnectorKey => named_in(&data, Named::Connector).map(|(key, _)| key.to_owned()),
            Self::JobType => job_type_of(&data).map(str::to_owned),
        }
    }

    /// May the data tell it? Most events name no connector, and looking for a key costs a tenth of understanding JSON.
    fn may_be_in(self, data: &str) -> bool {
        let keys = match self {
            Self::ConnectorName | Self::ConnectorKey => vocabulary().keys(Named::Connector),
            Self::JobType => vocabulary().keys(Named::JobType),
            Self::ErrorText | Self::ErrorFingerprint => return true,
        };
        // Without escapes a key stands there as it is.
        data.contains('\\') || keys.iter().any(|key| data.contains(key.as_str()))
    }
}

impl Told {
    pub fn new(what: What) -> Self {
        Self { what, signature: Signature::exact(vec![DataType::Utf8], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Told {
    fn name(&self) -> &str {
        match self.what {
            What::ErrorText => "error_text",
            What::ErrorFingerprint => "error_fingerprint",
            What::ConnectorName => "connector_name",
            What::ConnectorKey => "connector_key",
            What::JobType => "job_type",
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
