//! An answer, written batch by batch in the format that was asked for.

use std::io::{self, Write};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::machine::{Csv, Json, Ndjson};
use super::markdown::Markdown;
use super::rows::Rows;
use super::table::Table;
use super::tall::Tall;
use super::{Format, Screen};

/// Writes one answer. Every format holds at most a batch or two in memory, except a table
/// whose screen has no `rows_max`: it needs all rows to know how wide its columns are.
pub struct AnswerWriter<'a> {
    out: &'a mut dyn Write,
    rows: Box<dyn Rows + 'a>,
}

impl<'a> AnswerWriter<'a> {
    /// Begins an answer with these columns on `out`. Nothing is written yet.
    pub fn new(out: &'a mut dyn Write, format: Format, screen: &'a Screen, schema: SchemaRef) -> Self {
        let rows: Box<dyn Rows + 'a> = match format {
            Format::Table => Box::new(Table::new(screen, schema)),
            Format::Json => Box::new(Json::new()),
            Format::Ndjson => Box::new(Ndjson),
            Format::Csv => Box::new(Csv::new(schema)),
            Format::Markdown => Box::new(Markdown::new(schema)),
        };
        Self { out, rows }
    }

    /// Begins a table whose rows stand upright, a column a line.
    pub fn tall(out: &'a mut dyn Write, screen: &'a Screen, schema: SchemaRef) -> Self {
        Self { out, rows: Box::new(Tall::new(screen, schema)) }
    }

    /// Adds rows. The batch must have the columns that the answer began with.
    ///
    /// # Errors
    /// What `out` says, unchanged, so that a caller can end quietly at
    /// [`io::ErrorKind::BrokenPipe`]; [`io::ErrorKind::InvalidData`] for a column of a type
    /// that the format cannot hold.
    pub fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        self.rows.write(self.out, batch)
    }

    /// Ends the answer. A table says in its last line how long it took, where `elapsed` is
    /// given; the other formats hold data alone.
    ///
    /// # Errors
    /// As [`AnswerWriter::write`].
    pub fn finish(mut self, elapsed: Option<Duration>) -> io::Result<()> {
        self.rows.finish(self.out, elapsed)?;
        self.out.flush()
    }
}

/// Writes an answer whose batches are all there.
///
/// # Errors
/// As [`AnswerWriter::write`].
pub fn write_answer(
    out: &mut dyn Write,
    format: Format,
    screen: &Screen,
    schema: SchemaRef,
    batches: &[RecordBatch],
    elapsed: Option<Duration>,
) -> io::Result<()> {
    let mut answer = AnswerWriter::new(out, format, screen, schema);
    for batch in batches {
        answer.write(batch)?;
    }
    answer.finish(elapsed)
}
