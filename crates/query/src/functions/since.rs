//! `since('1h')`: the time that a person means.

use std::hash::{Hash, Hasher};

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{ScalarValue, exec_err, plan_datafusion_err};
use datafusion::error::Result;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility, lit};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use emp_units::parse_moment;

/// Becomes a constant while a statement is planned, so that it rules files out as a time does.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Since {
    signature: Signature,
    zone: TimeZone,
}

impl Since {
    /// What names no zone is of this one.
    pub fn in_zone(zone: TimeZone) -> Self {
        Self { signature: Signature::exact(vec![DataType::Utf8], Volatility::Stable), zone }
    }
}

impl Hash for Since {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.signature.hash(state);
    }
}

impl ScalarUDFImpl for Since {
    fn name(&self) -> &str {
        "since"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())))
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let Some(Expr::Literal(text, _)) = args.first() else { return Ok(ExprSimplifyResult::Original(args)) };
        let Some(Some(text)) = text.try_as_str() else { return Ok(ExprSimplifyResult::Original(args)) };
        let begun = info.query_execution_start_time().map(|time| time.timestamp_millis());
        let now = begun.and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or_else(Timestamp::now);
        let ms = parse_moment(text, now, &self.zone).map_err(|error| plan_datafusion_err!("{error}"))?;
        Ok(ExprSimplifyResult::Simplified(lit(ScalarValue::TimestampMillisecond(Some(ms), Some("UTC".into())))))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("since takes a text as it is, such as since('1h'), and no column")
    }
}
