//! `mentions(data, text)`: whether a text occurs, as a person reads it.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};

use arrow::array::{Array as _, AsArray as _, BooleanArray, StringArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::DataType;
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;

use emp_event::has_escapes;

use crate::mention::Mention;
use crate::view::lock;

pub(crate) const MENTIONS: &str = "mentions";

#[derive(Debug)]
pub(super) struct Mentions {
    signature: Signature,
    /// What was looked for last: to begin looking takes longer than a batch of rows.
    last: Mutex<Option<Arc<Mention>>>,
}

impl PartialEq for Mentions {
    fn eq(&self, other: &Self) -> bool {
        self.signature == other.signature
    }
}

impl Eq for Mentions {}

impl Hash for Mentions {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.signature.hash(state);
    }
}

impl Mentions {
    pub fn new() -> Self {
        let signature = Signature::exact(vec![DataType::Utf8, DataType::Utf8], Volatility::Immutable);
        Self { signature, last: Mutex::default() }
    }

    fn mention_of(&self, text: &str) -> Arc<Mention> {
        let mut last = lock(&self.last);
        match &*last {
            Some(known) if known.text == text => Arc::clone(known),
            _ => Arc::clone(last.insert(Arc::new(Mention::of(text)))),
        }
    }
}

impl ScalarUDFImpl for Mentions {
    fn name(&self) -> &str {
        MENTIONS
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ColumnarValue::Scalar(ScalarValue::Utf8(text)) = &args.args[1] else {
            return plan_err!("`mentions` looks for a text that is the same for all rows");
        };
        let Some(text) = text else { return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(None))) };
        let values = args.args[0].to_array(args.number_rows)?;
        let found = among(values.as_string::<i32>(), &self.mention_of(text));
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}

/// The rows that mention it. What is rare is looked for in all rows at once, as they lie in memory one behind the other,
/// and only where something is found, row by row.
fn among(values: &StringArray, mention: &Mention) -> BooleanArray {
    let (begin, end) = (values.value_offsets().first(), values.value_offsets().last());
    let bytes = begin.zip(end).map(|(begin, end)| &values.value_data()[*begin as usize..*end as usize]);
    let all = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
    let rows = match (mention.is_in_plain(all), has_escapes(all)) {
        (false, false) => BooleanBuffer::new_unset(values.len()),
        (true, false) => BooleanBuffer::collect_bool(values.len(), |row| mention.is_in_plain(values.value(row))),
        _ => BooleanBuffer::collect_bool(values.len(), |row| mention.is_in(values.value(row))),
    };
    BooleanArray::new(rows, values.nulls().cloned())
}
