//! `gap_ms(timestamp) over (partition by job_id order by …)`: how long nothing was heard.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit, TimestampMillisecondType};
use datafusion::error::Result;
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{PartitionEvaluator, Signature, Volatility, WindowUDFImpl};

/// Milliseconds since the row before in the window; null for the first row, and where a time is.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct GapMs {
    signature: Signature,
}

impl GapMs {
    pub fn new() -> Self {
        let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        Self { signature: Signature::exact(vec![time], Volatility::Immutable) }
    }
}

impl WindowUDFImpl for GapMs {
    fn name(&self) -> &str {
        "gap_ms"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(&self, _: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Gaps))
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), DataType::Int64, true)))
    }
}

#[derive(Debug)]
struct Gaps;

impl PartitionEvaluator for Gaps {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let ms = cast(&values[0], &DataType::Timestamp(TimeUnit::Millisecond, None))?;
        let ms = ms.as_primitive::<TimestampMillisecondType>();
        let ms_at = |row: usize| (!ms.is_null(row)).then(|| ms.value(row));
        let gaps: Int64Array = (0..rows).map(|row| Some(ms_at(row)? - ms_at(row.checked_sub(1)?)?)).collect();
        Ok(Arc::new(gaps))
    }
}
