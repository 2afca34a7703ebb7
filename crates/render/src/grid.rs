//! Lines of aligned cells. comfy-table measures (wide characters, emoji), cuts and pads; the
//! cells come back one by one, so that they can be painted after they have been measured.

use anstyle::Style;
use comfy_table::{Cell, CellAlignment, Column, ColumnConstraint, Row, Table, TableComponent, Width, presets};

use super::columns::GAP;
use super::paint::Painter;

/// Stands between cells while comfy-table lays them out. No cell holds it: shown text has
/// passed [`super::text::visible`], which leaves no control character.
const SEPARATOR: char = '\u{1f}';

/// A character on which no text is broken, because no text holds it.
const NEVER: char = '\0';

/// Text beyond this is never shown on a screen with an edge, so it isn't measured either.
const MEASURED_CHARS_MAX: usize = 2_000;

/// A column of a grid: how wide, and to which side its cells lean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lane {
    pub width: usize,
    pub right: bool,
}

/// The width that each column needs to show its cells whole.
pub(super) fn natural_widths<'a>(rows: impl Iterator<Item = Vec<&'a str>>) -> Vec<usize> {
    let mut table = bare_table();
    for row in rows {
        table.add_row(row);
    }
    table.column_max_content_widths().into_iter().map(usize::from).collect()
}

/// How many places a text takes on a terminal.
pub(super) fn width_of(text: &str) -> usize {
    if text.is_empty() {
        return 0;
    }
    natural_widths(std::iter::once(vec![text])).first().copied().unwrap_or(0)
}

/// Each row's cells, cut with `…` and padded to the width of their lane.
pub(super) fn lay_out<'a>(rows: impl Iterator<Item = Vec<&'a str>>, lanes: &[Lane]) -> Vec<Vec<String>> {
    let mut table = bare_table();
    for row in rows {
        let mut row = Row::from(row);
        row.max_height(1);
        table.add_row(row);
    }
    for (index, lane) in lanes.iter().enumerate() {
        let Some(column) = table.column_mut(index) else { break };
        narrow(column, lane.width);
        column.set_cell_alignment(if lane.right { CellAlignment::Right } else { CellAlignment::Left });
    }
    table.lines().map(|line| line.split(SEPARATOR).map(str::to_owned).collect()).collect()
}

/// A text on one line of at most `width` places.
pub(super) fn fit(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return text.to_owned() };
    if width_of(text) <= width {
        return text.to_owned();
    }
    let clipped = clip(text);
    let mut lines = lay_out(std::iter::once(vec![clipped.as_str()]), &[Lane { width, right: false }]);
    lines.pop().and_then(|mut cells| cells.pop()).unwrap_or_default().trim_end().to_owned()
}

/// A name of at most `width` places, of which both ends are left where it is longer.
#[must_use]
pub fn fit_middle(name: &str, width: usize) -> String {
    let characters: Vec<char> = name.chars().collect();
    // Of wide characters nobody knows which half is which.
    if characters.len() <= width || width < 3 || width_of(name) != characters.len() {
        return name.to_owned();
    }
    let (begin, end) = ((width - 1) / 2, width / 2);
    let ends = [&characters[..begin], &['…'], &characters[characters.len() - end..]];
    ends.concat().into_iter().collect()
}

/// A text broken at spaces into at most `lines_max` lines; the last one ends with `…` where
/// more would follow.
pub(super) fn wrap(text: &str, width: usize, lines_max: usize) -> Vec<String> {
    let mut table = bare_table();
    table.set_delimiter(' ');
    let mut row = Row::from(vec![Cell::new(clip(text))]);
    row.max_height(lines_max);
    table.add_row(row);
    if let Some(column) = table.column_mut(0) {
        narrow(column, width);
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// The beginning of a text that may be very long, marked with `…` where it was cut.
pub(super) fn clip(text: &str) -> String {
    match text.char_indices().nth(MEASURED_CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

fn bare_table() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_style(TableComponent::VerticalLines, SEPARATOR);
    table.set_delimiter(NEVER);
    table.set_truncation_indicator("…");
    table
}

/// Gives a column exactly this many places, none of them for padding.
fn narrow(column: &mut Column, width: usize) {
    column.set_padding((0, 0));
    column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(u16::try_from(width).unwrap_or(u16::MAX))));
}

/// Laid out cells as one line, each painted in its style, nothing after the last one.
pub(super) fn join<'a>(painter: Painter, cells: impl Iterator<Item = (&'a str, Style)>) -> String {
    let mut cells: Vec<(&str, Style)> = cells.collect();
    while let Some((last, _)) = cells.last_mut() {
        *last = last.trim_end();
        if !last.is_empty() {
            break;
        }
        cells.pop();
    }
    let painted: Vec<String> = cells.into_iter().map(|(text, style)| painter.paint(style, text)).collect();
    painted.join(&" ".repeat(GAP))
}
