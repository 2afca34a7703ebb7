//! A Markdown table: every row and every value whole, for reports and issues.

use std::io::{self, Write};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::cells::{Texts, Times, is_number};
use super::rows::{Rows, unreadable};
use super::text::visible;

/// Written row by row, so cells aren't padded to one width: Markdown doesn't ask for it.
pub(super) struct Markdown {
    schema: SchemaRef,
    begun: bool,
}

impl Markdown {
    pub fn new(schema: SchemaRef) -> Self {
        Self { schema, begun: false }
    }

    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        let fields = self.schema.fields();
        let names = fields.iter().map(|field| escape(field.name()));
        let rules = fields.iter().map(|field| if is_number(field.data_type()) { "---:" } else { "---" }.to_owned());
        out.write_all((line(names) + &line(rules)).as_bytes())
    }
}

impl Rows for Markdown {
    fn write(&mut self, out: &mut dyn Write, batch: &RecordBatch) -> io::Result<()> {
        self.begin(out)?;
        let columns = batch.columns().iter().map(|array| Texts::new(array, Times::Iso));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        for row in 0..batch.num_rows() {
            let cells = columns.iter().map(|texts| texts.get(row).map_or_else(String::new, |text| escape(&text)));
            out.write_all(line(cells).as_bytes())?;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write, _elapsed: Option<Duration>) -> io::Result<()> {
        self.begin(out)
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.collect();
    format!("| {} |\n", cells.join(" | "))
}

/// A pipe would end the cell, and `<` could begin a tag of HTML.
fn escape(text: &str) -> String {
    visible(text).replace('|', "\\|").replace('<', "&lt;")
}
