//! One column of an answer as text: times in a zone, numbers without noise, nulls apart.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, DurationMillisecondType, Float64Type, TimeUnit, TimestampMillisecondType};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use emp_units as units;

/// How times are spelt.
#[derive(Debug, Clone, Copy)]
pub(super) enum Times<'a> {
    /// `2025-09-27 14:03:05.120` in a zone, for a screen.
    In(&'a TimeZone),
    /// `2025-09-27T12:03:05.120Z`: means the same wherever it is pasted.
    Iso,
}

/// The values of one column of one batch, as text.
pub(super) struct Texts<'a> {
    array: &'a ArrayRef,
    values: Values<'a>,
}

enum Values<'a> {
    Time { millis: ArrayRef, zoned: bool, times: Times<'a> },
    Duration(ArrayRef),
    Float(ArrayRef),
    Other(ArrayFormatter<'a>),
}

/// A value that cannot be shown becomes a text that says so, and the answer goes on.
const OPTIONS: FormatOptions<'static> = FormatOptions::new().with_display_error(true).with_null("null");

impl<'a> Texts<'a> {
    /// # Errors
    /// Where a type of Arrow has no text form.
    pub fn new(array: &'a ArrayRef, times: Times<'a>) -> Result<Self, ArrowError> {
        let values = match array.data_type() {
            DataType::Timestamp(_, zone) => Values::Time {
                millis: cast(array, &DataType::Timestamp(TimeUnit::Millisecond, None))?,
                zoned: zone.is_some(),
                times,
            },
            DataType::Duration(_) => Values::Duration(cast(array, &DataType::Duration(TimeUnit::Millisecond))?),
            DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                Values::Float(cast(array, &DataType::Float64)?)
            }
            _ => Values::Other(ArrayFormatter::try_new(array.as_ref(), &OPTIONS)?),
        };
        Ok(Self { array, values })
    }

    /// The text of a row; `None` where it is null. It may hold control characters.
    pub fn get(&self, row: usize) -> Option<String> {
        if self.array.is_null(row) {
            return None;
        }
        Some(match &self.values {
            Values::Time { millis, zoned, times } => {
                time(millis.as_primitive::<TimestampMillisecondType>().value(row), *zoned, *times)
            }
            Values::Duration(millis) => {
                units::millis(millis.as_primitive::<DurationMillisecondType>().value(row) as f64)
            }
            Values::Float(floats) => units::decimal(floats.as_primitive::<Float64Type>().value(row)),
            Values::Other(formatter) => formatter.value(row).try_to_string().unwrap_or_else(|error| error.to_string()),
        })
    }
}

/// A time of which the zone is unknown is shown as it is: to shift it would be a guess.
fn time(millis: i64, zoned: bool, times: Times<'_>) -> String {
    let Ok(timestamp) = Timestamp::from_millisecond(millis) else { return format!("{millis} ms") };
    let (zone, format) = match (times, zoned) {
        (Times::In(zone), true) => (zone.clone(), "%Y-%m-%d %H:%M:%S%.3f"),
        (Times::In(_), false) => (TimeZone::UTC, "%Y-%m-%d %H:%M:%S%.3f"),
        (Times::Iso, true) => (TimeZone::UTC, "%Y-%m-%dT%H:%M:%S%.3fZ"),
        (Times::Iso, false) => (TimeZone::UTC, "%Y-%m-%dT%H:%M:%S%.3f"),
    };
    timestamp.to_zoned_datetime(zone).strftime(format).to_string()
}

/// Whether a column's values are compared digit by digit, and so stand to the right.
pub(super) fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric() || matches!(data_type, DataType::Duration(_))
}
