//! The formats that programs read: JSON, NDJSON and CSV, by Arrow's own writers.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::csv;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::json::writer::NullableEncoder;
use arrow::json::writer::{JsonFormat, LineDelimited, WriterBuilder};
use arrow::json::{Encoder, EncoderFactory, EncoderOptions};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::cells::{Texts, Times};
use super::rows::{Rows, unreadable};

/// Rows encoded at a time: what bounds the memory, whatever the size of a batch.
const ROWS_MAX: usize = 1_024;

const INSTANT: &str = "%Y-%m-%dT%H:%M:%S%.3fZ";
/// Without a `Z`, since nobody knows which zone it is in.
const LOCAL_TIME: &str = "%Y-%m-%dT%H:%M:%S%.3f";

/// One array of objects.
pub(super) struct Json {
    writer: arrow::json::Writer<Vec<u8>, ObjectALine>,
}

impl Json {
    pub fn new() -> Self {
        Self { writer: json_options().build(Vec::new()) }
    }
}

impl Rows for Json {
    fn write(&mut self, out: &mut dyn Write, batch: &RecordBatch) -> io::Result<()> {
        for part in parts(batch) {
            let part = in_utc(&part).map_err(unreadable)?;
            self.writer.write(&part).map_err(unreadable)?;
            out.write_all(self.writer.get_ref())?;
            self.writer.get_mut().clear();
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write, _elapsed: Option<Duration>) -> io::Result<()> {
        self.writer.finish().map_err(unreadable)?;
        out.write_all(self.writer.get_ref())
    }
}

/// A JSON array with each object on a line of its own: still one value for a parser, and
/// something for `grep` and `diff` to work with.
#[derive(Debug, Default)]
struct ObjectALine;

impl JsonFormat for ObjectALine {
    fn start_stream<W: Write>(&self, writer: &mut W) -> Result<(), ArrowError> {
        Ok(writer.write_all(b"[")?)
    }

    fn start_row<W: Write>(&self, writer: &mut W, is_first_row: bool) -> Result<(), ArrowError> {
        Ok(if is_first_row { Ok(()) } else { writer.write_all(b",\n ") }?)
    }

    fn end_stream<W: Write>(&self, writer: &mut W) -> Result<(), ArrowError> {
        Ok(writer.write_all(b"]\n")?)
    }
}

/// One object a line.
pub(super) struct Ndjson;

impl Rows for Ndjson {
    fn write(&mut self, out: &mut dyn Write, batch: &RecordBatch) -> io::Result<()> {
        for part in parts(batch) {
            let part = in_utc(&part).map_err(unreadable)?;
            let mut writer = json_options().build::<_, LineDelimited>(Vec::new());
            writer.write(&part).map_err(unreadable)?;
            out.write_all(writer.get_ref())?;
        }
        Ok(())
    }

    fn finish(&mut self, _out: &mut dyn Write, _elapsed: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
}

fn json_options() -> WriterBuilder {
    WriterBuilder::new()
        .with_explicit_nulls(true)
        .with_timestamp_tz_format(INSTANT.to_owned())
        .with_timestamp_format(LOCAL_TIME.to_owned())
        .with_encoder_factory(Arc::new(DataAsObject))
}

/// What events say beside their columns is JSON: it is shown as the object that it is, not as a text that holds one.
#[derive(Debug)]
struct DataAsObject;

/// The column that holds it.
const DATA: &str = "data";
/// What marks a column that `->` has made.
const IS_JSON: &str = "is_json";

impl EncoderFactory for DataAsObject {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let is_json = field.metadata().contains_key(IS_JSON);
        if !(is_json || field.name() == DATA) || !array.data_type().is_string() {
            return Ok(None);
        }
        let texts = cast(array, &DataType::Utf8)?.as_string::<i32>().clone();
        Ok(Some(NullableEncoder::new(Box::new(Values { texts, is_json }), array.nulls().cloned())))
    }
}

/// Texts that are JSON: any value, or objects among other texts.
struct Values {
    texts: StringArray,
    is_json: bool,
}

impl Encoder for Values {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let text = self.texts.value(row);
        let is_object = (self.is_json || text.starts_with('{')) && serde_json::from_str::<IgnoredAny>(text).is_ok();
        if is_object && !text.contains(['\n', '\r']) {
            return out.extend_from_slice(text.as_bytes());
        }
        // An object of several lines becomes one of one; what is no object stays a text.
        let value = if is_object { serde_json::from_str(text).ok() } else { None };
        out.extend_from_slice(value.unwrap_or_else(|| Value::from(text)).to_string().as_bytes());
    }
}

/// Comma-separated values under a header; a null is an empty field.
pub(super) struct Csv {
    schema: SchemaRef,
    begun: bool,
}

impl Csv {
    pub fn new(schema: SchemaRef) -> Self {
        Self { schema, begun: false }
    }

    fn write_part(&mut self, out: &mut dyn Write, part: &RecordBatch) -> io::Result<()> {
        let mut encoded = Vec::new();
        let mut writer = csv::WriterBuilder::new()
            .with_header(!self.begun)
            .with_timestamp_tz_format(INSTANT.to_owned())
            .with_timestamp_format(LOCAL_TIME.to_owned())
            .build(&mut encoded);
        let flat = nested_as_text(&in_utc(part).map_err(unreadable)?).map_err(unreadable)?;
        writer.write(&flat).map_err(unreadable)?;
        drop(writer);
        self.begun = true;
        out.write_all(&encoded)
    }
}

impl Rows for Csv {
    fn write(&mut self, out: &mut dyn Write, batch: &RecordBatch) -> io::Result<()> {
        parts(batch).try_for_each(|part| self.write_part(out, &part))
    }

    fn finish(&mut self, out: &mut dyn Write, _elapsed: Option<Duration>) -> io::Result<()> {
        if self.begun {
            return Ok(());
        }
        // An answer without rows still has columns.
        self.write_part(out, &RecordBatch::new_empty(Arc::clone(&self.schema)))
    }
}

fn parts(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> + '_ {
    (0..batch.num_rows()).step_by(ROWS_MAX).map(|start| batch.slice(start, ROWS_MAX.min(batch.num_rows() - start)))
}

/// The batch with every instant in UTC, so that the `Z` which is written is true.
fn in_utc(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    // An offset, since names of zones are only known where a zone database is compiled in.
    let instant = DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into()));
    convert(batch, |array| match array.data_type() {
        DataType::Timestamp(_, Some(_)) => Some(cast(array, &instant)),
        _ => None,
    })
}

/// The batch with lists, structs and maps as text: CSV has no form for them.
fn nested_as_text(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    convert(batch, |array| {
        array.data_type().is_nested().then(|| {
            let texts = Texts::new(array, Times::Iso)?;
            let column: StringArray = (0..array.len()).map(|row| texts.get(row)).collect();
            Ok(Arc::new(column) as ArrayRef)
        })
    })
}

/// The batch with some columns replaced; `None` keeps a column as it is.
fn convert(
    batch: &RecordBatch,
    replace: impl Fn(&ArrayRef) -> Option<Result<ArrayRef, ArrowError>>,
) -> Result<RecordBatch, ArrowError> {
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let column = replace(array).unwrap_or_else(|| Ok(Arc::clone(array)))?;
        fields.push(Field::new(field.name(), column.data_type().clone(), true));
        columns.push(column);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}
