//! Columns of the types that PostgreSQL's clients know.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::compute::{can_cast_types, cast};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;

/// The same columns, each of a plain type.
pub(super) fn plain_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let of = plain(field.data_type());
        Field::new(field.name(), of, true).with_metadata(field.metadata().clone())
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The same rows in the columns of such a schema.
pub(super) fn plain_batch(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns =
        batch.columns().iter().zip(schema.fields()).map(|(column, field)| as_plain(column, field.data_type()));
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_, _>>()?)
}

fn plain(of: &DataType) -> DataType {
    match of {
        DataType::Boolean => DataType::Boolean,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => DataType::Int16,
        DataType::Int32 | DataType::UInt16 => DataType::Int32,
        of if of.is_integer() => DataType::Int64,
        of if of.is_floating() || of.is_decimal() => DataType::Float64,
        // Whatever has no zone is meant as UTC.
        DataType::Timestamp(..) => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        DataType::Date32 | DataType::Date64 => DataType::Date32,
        DataType::List(of) | DataType::LargeList(of) | DataType::FixedSizeList(of, _) => match plain(of.data_type()) {
            inner @ (DataType::Utf8 | DataType::Int16 | DataType::Int32 | DataType::Int64) => {
                DataType::List(Arc::new(Field::new_list_field(inner, true)))
            }
            _ => DataType::Utf8,
        },
        DataType::Dictionary(_, of) => plain(of),
        _ => DataType::Utf8,
    }
}

fn as_plain(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == to {
        return Ok(Arc::clone(column));
    }
    let is_shown = *to == DataType::Utf8 && column.data_type().is_nested();
    if !is_shown && can_cast_types(column.data_type(), to) {
        return cast(column, to);
    }
    // Lists and the like, as they are shown.
    let shown =
        (0..column.len()).map(|row| column.is_valid(row).then(|| array_value_to_string(column, row)).transpose());
    Ok(Arc::new(shown.collect::<Result<StringArray, _>>()?))
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray as _, Float32Array, ListArray, TimestampMillisecondArray, UInt64Array};
    use arrow::datatypes::{Int64Type, TimestampMicrosecondType};

    use super::*;

    #[test]
    fn whatever_a_column_is_of_it_becomes_a_type_that_clients_know() {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt64Array::from(vec![Some(7), None])),
            Arc::new(TimestampMillisecondArray::from(vec![Some(1), None])),
            Arc::new(Float32Array::from(vec![Some(0.5), None])),
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1), None]), None])),
            arrow::array::new_null_array(&DataType::Null, 2),
        ];
        let fields = columns.iter().map(|column| Field::new("a", column.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
        let plain = plain_batch(&batch, &plain_schema(&schema)).unwrap();
        assert_eq!(plain.column(0).as_primitive::<Int64Type>().value(0), 7);
        assert_eq!(plain.column(1).as_primitive::<TimestampMicrosecondType>().value(0), 1_000);
        assert_eq!(*plain.column(2).data_type(), DataType::Float64);
        assert_eq!(plain.column(3).as_list::<i32>().value_length(0), 2);
        assert_eq!(*plain.column(4).data_type(), DataType::Utf8);
        assert!(plain.columns().iter().all(|column| column.is_null(1)));
    }
}
