//! A table for a person at a terminal.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::Duration;

use anstyle::Style;
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use emp_event::tells_of_failure;
use emp_units as units;

use super::Screen;
use super::cells::{Texts, Times, is_number};
use super::columns::{GAP, Plan, Want, Worth, plan};
use super::grid::{self, Lane};
use super::paint::{BOLD, DIM, ERROR, PLAIN, Painter, of_level, of_service};
use super::rows::{Rows, unreadable};
use super::text::visible;

/// What stands for a null: something to see, yet no text that a value could be taken for.
pub(super) const NULL: &str = "·";
const SKIPPED: &str = "⋮";

/// A column of text is not cut below this, so that ids and types of events stay apart.
const TEXT_WIDTH_MIN: usize = 16;
/// With this much, a text can be read.
const TEXT_WIDTH_AMPLE: usize = 36;

/// Gathers an answer's first and last rows, and shows them at the end.
pub(super) struct Table<'a> {
    screen: &'a Screen,
    schema: SchemaRef,
    head: Vec<RecordBatch>,
    tail: VecDeque<RecordBatch>,
    head_rows: usize,
    tail_rows: usize,
    rows: usize,
}

/// A cell of the table: visible text, and its style on a screen with colours.
struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }
}

impl<'a> Table<'a> {
    pub fn new(screen: &'a Screen, schema: SchemaRef) -> Self {
        Self { screen, schema, head: Vec::new(), tail: VecDeque::new(), head_rows: 0, tail_rows: 0, rows: 0 }
    }

    /// Rows shown at most from the beginning, and from the end.
    fn halves(&self) -> (usize, usize) {
        self.screen.rows_max.map_or((usize::MAX, 0), |max| (max.div_ceil(2), max / 2))
    }

    /// Forgets the front of the tail as far as it will not be shown.
    fn trim_tail(&mut self) {
        let (_, tail_max) = self.halves();
        while let Some(front) = self.tail.front() {
            let surplus = self.tail_rows - tail_max.min(self.tail_rows);
            if surplus < front.num_rows() {
                break;
            }
            self.tail_rows -= front.num_rows();
            self.tail.pop_front();
        }
    }

    /// The rows that are shown, header first, and how many rows of the answer they are.
    fn cells(&self) -> io::Result<(Vec<Vec<Cell>>, usize)> {
        let (_, tail_max) = self.halves();
        let header = self.schema.fields().iter().map(|field| Cell::new(visible(field.name()), BOLD)).collect();
        let mut rows = vec![header];
        for batch in &self.head {
            self.add_rows(&mut rows, batch, 0)?;
        }
        let mut surplus = self.tail_rows.saturating_sub(tail_max);
        let shown = self.head_rows + self.tail_rows - surplus;
        if shown < self.rows {
            rows.push(self.schema.fields().iter().map(|_| Cell::new(SKIPPED, DIM)).collect());
        }
        for batch in &self.tail {
            self.add_rows(&mut rows, batch, surplus.min(batch.num_rows()))?;
            surplus = surplus.saturating_sub(batch.num_rows());
        }
        Ok((rows, shown))
    }

    fn add_rows(&self, rows: &mut Vec<Vec<Cell>>, batch: &RecordBatch, from: usize) -> io::Result<()> {
        let times = Times::In(&self.screen.time_zone);
        let columns = batch.columns().iter().map(|array| Texts::new(array, times));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        let fields = self.schema.fields();
        rows.extend((from..batch.num_rows()).map(|row| {
            let texts = columns.iter().map(|texts| texts.get(row));
            texts.zip(fields).map(|(text, field)| self.cell(text, field)).collect()
        }));
        Ok(())
    }

    fn cell(&self, text: Option<String>, field: &Field) -> Cell {
        let Some(text) = text else { return Cell::new(NULL, DIM) };
        let style = style_of(field.name(), &text);
        // What is far beyond any screen isn't worth measuring.
        let text = if self.screen.width.is_some() { grid::clip(&text) } else { text };
        Cell::new(visible(&text), style)
    }

    fn plan(&self, rows: &[Vec<Cell>]) -> Plan {
        let header =
            rows.first().map(|header| grid::natural_widths(std::iter::once(texts(header)))).unwrap_or_default();
        let values = grid::natural_widths(rows.iter().skip(1).map(|row| texts(row)));
        let wants = self.schema.fields().iter().enumerate().map(|(column, field)| {
            let name = header.get(column).copied().unwrap_or(1);
            let value = values.get(column).copied().unwrap_or(1);
            let is_empty = rows.len() > 1 && rows.iter().skip(1).all(|row| row[column].text == NULL);
            want(&self.schema, field, name, value, is_empty)
        });
        plan(&wants.collect::<Vec<_>>(), self.screen.width)
    }

    /// The lines below the table: how many rows, how long it took, and what is hidden.
    fn footer(&self, shown: usize, hidden: &[usize], elapsed: Option<Duration>) -> Vec<String> {
        let mut line = units::counted(self.rows, "row", "rows");
        if let Some(elapsed) = elapsed {
            line += &format!(" in {}", units::duration(elapsed));
        }
        if shown < self.rows {
            line += &format!(", {} shown", units::count(shown as u64));
        }
        let mut lines = vec![line];
        if !hidden.is_empty() {
            let names: Vec<_> = hidden.iter().map(|&column| visible(self.schema.field(column).name())).collect();
            let columns = units::counted(hidden.len(), "hidden column", "hidden columns");
            lines.push(format!("--format json shows {columns}: {}", names.join(", ")));
        }
        lines.iter().map(|line| grid::fit(line, self.screen.width)).collect()
    }
}

impl Rows for Table<'_> {
    fn write(&mut self, _out: &mut dyn Write, batch: &RecordBatch) -> io::Result<()> {
        let (head_max, _) = self.halves();
        let to_head = batch.num_rows().min(head_max - self.head_rows);
        let to_tail = batch.num_rows() - to_head;
        self.rows += batch.num_rows();
        if to_head > 0 {
            self.head.push(batch.slice(0, to_head));
            self.head_rows += to_head;
        }
        if to_tail > 0 {
            self.tail.push_back(batch.slice(to_head, to_tail));
            self.tail_rows += to_tail;
            self.trim_tail();
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write, elapsed: Option<Duration>) -> io::Result<()> {
        let (rows, shown) = self.cells()?;
        let plan = self.plan(&rows);
        let painter = Painter { color: self.screen.color };
        write_rows(out, painter, &rows, &plan, &self.schema)?;
        for line in self.footer(shown, &plan.hidden, elapsed) {
            writeln!(out, "{}", painter.paint(DIM, &line))?;
        }
        Ok(())
    }
}

fn write_rows(
    out: &mut dyn Write,
    painter: Painter,
    rows: &[Vec<Cell>],
    plan: &Plan,
    schema: &SchemaRef,
) -> io::Result<()> {
    let lanes: Vec<Lane> = plan
        .shown
        .iter()
        .map(|&(column, width)| Lane { width, right: is_number(schema.field(column).data_type()) })
        .collect();
    let cell = |row: &[Cell], column: usize, width: usize| match schema.field(column).name().as_str() {
        // Names of workers, and types of one entity, begin alike, and differ at their end.
        "worker_id" | "machine_id" | "event_type" | "from_event" | "to_event" => {
            grid::fit_middle(&row[column].text, width)
        }
        _ => row[column].text.clone(),
    };
    let texts: Vec<Vec<String>> =
        rows.iter().map(|row| plan.shown.iter().map(|&(column, width)| cell(row, column, width)).collect()).collect();
    let shown_texts = texts.iter().map(|row| row.iter().map(String::as_str).collect());
    let gap = " ".repeat(GAP);
    for (index, (row, line)) in rows.iter().zip(grid::lay_out(shown_texts, &lanes)).enumerate() {
        let styles = plan.shown.iter().map(|&(column, _)| row[column].style);
        writeln!(out, "{}", grid::join(painter, line.iter().map(String::as_str).zip(styles)))?;
        if index == 0 {
            let rules: Vec<String> = lanes.iter().map(|lane| "─".repeat(lane.width)).collect();
            writeln!(out, "{}", painter.paint(DIM, &rules.join(&gap)))?;
        }
    }
    Ok(())
}

fn texts(row: &[Cell]) -> Vec<&str> {
    row.iter().map(|cell| cell.text.as_str()).collect()
}

/// Numbers and times are never cut, as half a number is a wrong one: only their name may be.
fn want(schema: &Schema, field: &Field, name: usize, value: usize, is_empty: bool) -> Want {
    let natural = name.max(value);
    let is_rigid = is_number(field.data_type())
        || matches!(field.data_type(), DataType::Timestamp(..) | DataType::Boolean | DataType::Date32);
    let (least, ample) = if is_rigid {
        (value.max(name.min(TEXT_WIDTH_MIN / 2)), natural)
    } else {
        (natural.min(TEXT_WIDTH_MIN), natural.min(TEXT_WIDTH_AMPLE))
    };
    let worth = match field.name().as_str() {
        _ if is_empty => Worth::Empty,
        // The hour of arrival, which the id begins with.
        "ingested_at" | "date" | "hour" => Worth::Repeated,
        // By them a worker's life is judged, which is said.
        "habit_ms" | "limit_ms" => Worth::Repeated,
        // The quantiles beside it say it in numbers.
        "histogram" => Worth::Repeated,
        "timestamp" | "service" | "event_type" | "level" | "job_id" => Worth::Telling,
        "count" | "errors" | "handoffs" | "gaps" | "gap_ms" | "p50_ms" | "p95_ms" | "change" => Worth::Telling,
        "from_event" | "to_event" => Worth::Telling,
        // Of a list of workers.
        "life" | "lost" | "speed" => Worth::Telling,
        "worker_id" if schema.column_with_name("event_type").is_none() => Worth::Telling,
        // An event says whose it is; where there is none, the service does.
        "from_service" | "to_service" if schema.column_with_name("from_event").is_none() => Worth::Telling,
        _ => Worth::Own,
    };
    Want { natural, least, ample, worth }
}

fn style_of(column: &str, text: &str) -> Style {
    match column {
        "level" => of_level(text),
        // Tables of types have no column that says it; where there is one it stands beside this.
        "event_type" if tells_of_failure(text) => ERROR,
        _ if column == "service" || column.ends_with("_service") => of_service(text),
        _ => PLAIN,
    }
}
