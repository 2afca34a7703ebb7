//! Columns of JSON values (`data->'key'`), as what they are for everybody: JSON text.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion_functions_json::{JSON_UNION_DATA_TYPE, JsonUnionEncoder, JsonUnionValue, json_field_metadata};
use serde_json::Value;

/// The schema with text for each such column.
pub(super) fn told_schema(schema: &SchemaRef) -> SchemaRef {
    if !schema.fields().iter().any(|field| is_json(field)) {
        return Arc::clone(schema);
    }
    let told = |field: &FieldRef| match is_json(field) {
        true => Arc::new(Field::new(field.name(), DataType::Utf8, true).with_metadata(json_field_metadata())),
        false => Arc::clone(field),
    };
    let fields: Vec<FieldRef> = schema.fields().iter().map(told).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// Rows of the first schema as rows of the second.
pub(super) fn told(batch: &RecordBatch, schema: &SchemaRef) -> RecordBatch {
    if !batch.schema_ref().fields().iter().any(|field| is_json(field)) {
        return batch.clone();
    }
    let columns = batch.columns().iter().map(|column| match column.data_type() == &*JSON_UNION_DATA_TYPE {
        true => texts(column),
        false => Arc::clone(column),
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect()).unwrap_or_else(|_| batch.clone())
}

fn is_json(field: &Field) -> bool {
    field.data_type() == &*JSON_UNION_DATA_TYPE
}

fn texts(column: &ArrayRef) -> ArrayRef {
    let Some(values) = JsonUnionEncoder::from_union(column.as_union().clone()) else { return Arc::clone(column) };
    let text = |row: usize| match values.get_value(row) {
        JsonUnionValue::JsonNull => None,
        JsonUnionValue::Bool(value) => Some(value.to_string()),
        JsonUnionValue::Int(value) => Some(value.to_string()),
        JsonUnionValue::Float(value) => Some(Value::from(value).to_string()),
        JsonUnionValue::Str(value) => Some(Value::from(value).to_string()),
        JsonUnionValue::Array(json) | JsonUnionValue::Object(json) => Some(json.to_owned()),
    };
    Arc::new((0..values.len()).map(text).collect::<StringArray>())
}
