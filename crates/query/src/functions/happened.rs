//! `happened_at(timestamp, ingested_at, producer)`: when an event happened, whatever its producer's clock says.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, TimestampMillisecondArray};
use arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType};
use datafusion::error::Result;
use datafusion::functions::core::expr_fn::least;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use emp_job::{Offsets, happened_ms};

/// Its name, in a statement that asks for it.
pub(crate) const HAPPENED_AT: &str = "happened_at";

/// By the clocks of one question: no event happens after it arrived, and those of a producer whose clock is behind
/// happened later than they say.
#[derive(Debug)]
pub(super) struct HappenedAt {
    signature: Signature,
    offsets: Arc<Offsets>,
}

impl HappenedAt {
    pub fn by(offsets: Arc<Offsets>) -> Self {
        let arguments = vec![time(), time(), DataType::Utf8];
        // Stable: another question may know of other clocks.
        Self { signature: Signature::exact(arguments, Volatility::Stable), offsets }
    }
}

impl PartialEq for HappenedAt {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.offsets, &other.offsets)
    }
}

impl Eq for HappenedAt {}

impl Hash for HappenedAt {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.signature.hash(state);
    }
}

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

impl ScalarUDFImpl for HappenedAt {
    fn name(&self) -> &str {
        HAPPENED_AT
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(time())
    }

    /// Where no clock is known to be behind, nobody needs to know whose it is: a column less is read.
    fn simplify(&self, args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        match <[Expr; 3]>::try_from(args) {
            Ok([timestamp, ingested_at, _]) if !self.offsets.is_any_behind() => {
                Ok(ExprSimplifyResult::Simplified(least(vec![timestamp, ingested_at])))
            }
            Ok(args) => Ok(ExprSimplifyResult::Original(args.into())),
            Err(args) => Ok(ExprSimplifyResult::Original(args)),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values = ColumnarValue::values_to_arrays(&args.args)?;
        let times = |column: usize| values[column].as_primitive::<TimestampMillisecondType>();
        let (timestamps, arrivals, producers) = (times(0), times(1), values[2].as_string::<i32>());
        let happened = (0..timestamps.len()).map(|row| {
            if timestamps.is_null(row) || arrivals.is_null(row) {
                return None;
            }
            let (timestamp_ms, arrived_ms) = (timestamps.value(row), arrivals.value(row));
            let producer = if producers.is_valid(row) { producers.value(row) } else { "" };
            let behind_ms = self.offsets.behind_ms(producer, timestamp_ms, arrived_ms);
            Some(happened_ms(timestamp_ms + behind_ms, arrived_ms))
        });
        Ok(ColumnarValue::Array(Arc::new(happened.collect::<TimestampMillisecondArray>().with_timezone("UTC"))))
    }
}
