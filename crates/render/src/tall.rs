//! Rows that stand upright: a column a line, for rows wider than a screen.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use emp_units as units;

use super::Screen;
use super::cells::{Texts, Times};
use super::paint::{BOLD, DIM, Painter};
use super::rows::{Rows, unreadable};
use super::table::NULL;
use super::text::visible;

/// Written row by row; nothing is cut.
pub(super) struct Tall<'a> {
    screen: &'a Screen,
    schema: SchemaRef,
    rows: usize,
}

impl<'a> Tall<'a> {
    pub fn new(screen: &'a Screen, schema: SchemaRef) -> Self {
        Self { screen, schema, rows: 0 }
    }
}

impl Rows for Tall<'_> {
    fn write(&mut self, out: &mut dyn Write, batch: &RecordBatch) -> io::Result<()> {
        let painter = Painter { color: self.screen.color };
        let schema = Arc::clone(&self.schema);
        let names = schema.fields().iter().map(|field| visible(field.name()).into_owned());
        let names: Vec<String> = names.collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let columns = batch.columns().iter().map(|array| Texts::new(array, Times::In(&self.screen.time_zone)));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        for row in 0..batch.num_rows() {
            self.rows += 1;
            let mut text = painter.paint(DIM, &format!("── row {} ──", self.rows)) + "\n";
            for (name, values) in names.iter().zip(&columns) {
                let padded = format!("{name:width$}");
                let value = match values.get(row) {
                    Some(value) => visible(&value).into_owned(),
                    None => painter.paint(DIM, NULL),
                };
                text += &format!("{}  {value}\n", painter.paint(BOLD, &padded));
            }
            out.write_all(text.as_bytes())?;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write, elapsed: Option<Duration>) -> io::Result<()> {
        let rows = if self.rows == 1 { "1 row".to_owned() } else { format!("{} rows", self.rows) };
        let taken = elapsed.map(|elapsed| format!(" in {}", units::duration(elapsed)));
        let painter = Painter { color: self.screen.color };
        writeln!(out, "{}", painter.paint(DIM, &(rows + &taken.unwrap_or_default())))
    }
}
