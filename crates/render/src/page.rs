//! Pages that a person reads: a headline, paragraphs, small tables, lists, and what to type next.

use std::io::{self, Write};

use anstyle::Style;

use super::Screen;
use super::columns::GAP;
use super::grid::{self, Lane};
use super::paint::{BOLD, DIM, Painter};
use super::text::{sentence, visible};

/// A paragraph goes over at most this many lines.
const PARAGRAPH_LINES_MAX: usize = 12;
/// Texts are never squeezed further than this.
const TEXT_WIDTH_MIN: usize = 24;
/// A bar of a table is so wide.
const BAR_WIDTH: usize = 12;

/// A page in the making.
pub(super) struct Page<'a> {
    out: &'a mut dyn Write,
    screen: &'a Screen,
    painter: Painter,
    has_begun: bool,
}

/// A cell with its style.
pub(super) type Cell = (Style, String);

/// A column of a small table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heading {
    pub name: &'static str,
    pub right: bool,
    /// Hidden on a narrow screen, the highest first; 0 never is.
    pub hide: u8,
    /// Are its cells cut in the middle where there is no room, as their ends tell them apart?
    pub both_ends: bool,
}

impl Heading {
    pub const fn left(name: &'static str) -> Self {
        Self { name, right: false, hide: 0, both_ends: false }
    }

    pub const fn right(name: &'static str) -> Self {
        Self { name, right: true, hide: 0, both_ends: false }
    }

    pub const fn hide(self, hide: u8) -> Self {
        Self { hide, ..self }
    }

    pub const fn with_both_ends(self) -> Self {
        Self { both_ends: true, ..self }
    }
}

impl<'a> Page<'a> {
    pub fn new(out: &'a mut dyn Write, screen: &'a Screen) -> Self {
        Self { out, screen, painter: Painter { color: screen.color }, has_begun: false }
    }

    /// A page that goes on with what is there already.
    pub fn after(out: &'a mut dyn Write, screen: &'a Screen) -> Self {
        Self { has_begun: true, ..Self::new(out, screen) }
    }

    /// A text over as many lines as it takes.
    pub fn paragraph(&mut self, style: Style, text: &str) -> io::Result<()> {
        self.has_begun = true;
        for line in self.wrapped(&sentence(text, &self.screen.time_zone), 0) {
            writeln!(self.out, "{}", self.painter.paint(style, &line))?;
        }
        Ok(())
    }

    /// Words in styles of their own, on one line; those that it has no room for go on the next.
    pub fn line(&mut self, words: &[Cell]) -> io::Result<()> {
        self.has_begun = true;
        let mut used = 0;
        for (index, (style, text)) in words.iter().enumerate() {
            let text = visible(text);
            let width = grid::width_of(&text);
            let is_full = self.screen.width.is_some_and(|screen| used + GAP + width > screen);
            match index {
                0 => {}
                _ if is_full => {
                    write!(self.out, "\n{:GAP$}", "")?;
                    used = 0;
                }
                _ => write!(self.out, "{:GAP$}", "")?,
            }
            used += GAP + width;
            write!(self.out, "{}", self.painter.paint(*style, &text))?;
        }
        writeln!(self.out)
    }

    /// A part of its own with a title.
    pub fn section(&mut self, title: &str) -> io::Result<()> {
        if std::mem::replace(&mut self.has_begun, true) {
            writeln!(self.out)?;
        }
        writeln!(
            self.out,
            "{}",
            self.painter.paint(BOLD, &grid::fit(&sentence(title, &self.screen.time_zone), self.screen.width))
        )
    }

    /// A line of items each.
    pub fn list(&mut self, style: Style, items: &[String]) -> io::Result<()> {
        for item in items {
            for (index, line) in self.wrapped(&sentence(item, &self.screen.time_zone), 4).into_iter().enumerate() {
                let mark = if index == 0 { "  · " } else { "    " };
                writeln!(self.out, "{mark}{}", self.painter.paint(style, &line))?;
            }
        }
        Ok(())
    }

    /// Commands to go on with; they are never broken, so that they can be copied.
    pub fn next(&mut self, commands: &[String]) -> io::Result<()> {
        if commands.is_empty() {
            return Ok(());
        }
        self.section("Next")?;
        commands.iter().try_for_each(|command| writeln!(self.out, "  {}", visible(command)))
    }

    /// A small table. Columns that do not fit are hidden, and a line says which.
    pub fn table(&mut self, headings: &[Heading], rows: &[Vec<Cell>]) -> io::Result<()> {
        let rows: Vec<Vec<Cell>> = rows
            .iter()
            .map(|row| row.iter().map(|(style, text)| (*style, visible(text).into_owned())).collect())
            .collect();
        let header: Vec<&str> = headings.iter().map(|heading| heading.name).collect();
        let texts = rows.iter().map(|row| row.iter().map(|(_, text)| text.as_str()).collect());
        let natural = grid::natural_widths(std::iter::once(header.clone()).chain(texts));
        let shown = fitting(headings, &natural, self.screen.width);
        let lanes = lanes(headings, &natural, &shown, self.screen.width);
        if headings.iter().any(|heading| !heading.name.is_empty()) {
            let cells = shown.iter().map(|column| (DIM, header[*column].to_owned())).collect();
            self.row(cells, &lanes)?;
        }
        for row in &rows {
            let cells = shown.iter().zip(&lanes).map(|(column, lane)| {
                let (style, text) = row[*column].clone();
                (style, if headings[*column].both_ends { grid::fit_middle(&text, lane.width) } else { text })
            });
            self.row(cells.collect(), &lanes)?;
        }
        let hidden = (0..headings.len()).filter(|column| !shown.contains(column)).map(|column| headings[column].name);
        let hidden: Vec<&str> = hidden.filter(|name| !name.is_empty()).collect();
        if !hidden.is_empty() {
            let line = format!("  hidden: {} (a wider screen or --format json shows them)", hidden.join(", "));
            writeln!(self.out, "{}", self.painter.paint(DIM, &grid::fit(&line, self.screen.width)))?;
        }
        Ok(())
    }

    fn row(&mut self, cells: Vec<Cell>, lanes: &[Lane]) -> io::Result<()> {
        self.has_begun = true;
        let texts = cells.iter().map(|(_, text)| text.as_str()).collect();
        let laid = grid::lay_out(std::iter::once(texts), lanes).into_iter().next().unwrap_or_default();
        let painted = laid.iter().map(String::as_str).zip(cells.iter().map(|(style, _)| *style));
        writeln!(self.out, "  {}", grid::join(self.painter, painted).trim_end())
    }

    fn wrapped(&self, text: &str, indent: usize) -> Vec<String> {
        match self.screen.width {
            None => vec![text.to_owned()],
            Some(width) => grid::wrap(text, width.saturating_sub(indent).max(TEXT_WIDTH_MIN), PARAGRAPH_LINES_MAX),
        }
    }
}

/// A bar for a share from 0 to 1.
pub(super) fn bar(share: f64) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (share.clamp(0.0, 1.0) * BAR_WIDTH as f64 * 8.0).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(EIGHTHS[eighths % 8]);
    } else if eighths == 0 && share > 0.0 {
        bar.push(EIGHTHS[1]);
    }
    bar
}

/// The columns that fit, those that matter least being left out.
fn fitting(headings: &[Heading], natural: &[usize], width: Option<usize>) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..headings.len()).collect();
    let Some(width) = width else { return shown };
    loop {
        let needed: usize = 2 + shown.iter().map(|column| natural[*column] + GAP).sum::<usize>() - GAP;
        let least = shown.iter().copied().filter(|column| headings[*column].hide > 0);
        let Some(least) = least.max_by_key(|column| headings[*column].hide).filter(|_| needed > width) else {
            return shown;
        };
        shown.retain(|column| *column != least);
    }
}

/// The width of each column: its natural one, less what has to be taken from the widest to fit.
fn lanes(headings: &[Heading], natural: &[usize], shown: &[usize], width: Option<usize>) -> Vec<Lane> {
    let mut lanes: Vec<Lane> =
        shown.iter().map(|column| Lane { width: natural[*column].max(1), right: headings[*column].right }).collect();
    let Some(width) = width else { return lanes };
    let needed: usize = 2 + lanes.iter().map(|lane| lane.width + GAP).sum::<usize>() - GAP;
    if let Some(widest) = lanes.iter_mut().max_by_key(|lane| lane.width) {
        widest.width = widest.width.saturating_sub(needed.saturating_sub(width)).max(8);
    }
    lanes
}
