//! A timeline laid out for a screen: a title, the lines, a summary.

use std::collections::BTreeSet;
use std::io::{self, Write};

use anstyle::Style;

use emp_units as units;

use super::details::{Details, Teller, progress};
use super::events::{Event, Times};
use super::fold::{Line, lines};
use super::lanes::{Lanes, lanes};
use super::summary;
use crate::columns::GAP;
use crate::grid;
use crate::paint::{BOLD, DIM, ERROR, PLAIN, Painter, WARN, of_level, of_service};
use crate::text::visible;
use crate::{Screen, clock};

pub(super) const HEADER: [&str; 5] = ["Time", "Δ", "Service", "Event", "Details"];

/// What goes below a line is never squeezed further than this.
const BELOW_WIDTH_MIN: usize = 16;

/// An error's text goes over at most this many lines.
const ERROR_LINES_MAX: usize = 3;
const DETAILS_LINES_MAX: usize = 2;

/// A line of five cells, and what belongs right below it.
pub(super) struct Row {
    pub cells: [String; 5],
    styles: [Style; 5],
    error: Option<String>,
}

impl Row {
    /// All that the last cell should hold: the error first.
    pub fn details(&self) -> String {
        let rest = Some(self.cells[4].as_str()).filter(|rest| !rest.is_empty());
        self.error.as_deref().into_iter().chain(rest).collect::<Vec<_>>().join("  ")
    }
}

/// A line of cells, or what stands between them.
enum Entry {
    Row(Row),
    Note(Style, String),
    Gap(String),
}

pub(super) fn write(
    out: &mut dyn Write,
    screen: &Screen,
    name: &str,
    events: &[Event],
    times: Times,
) -> io::Result<()> {
    let painter = Painter { color: screen.color };
    for line in title(screen, name, events) {
        writeln!(out, "{}", painter.paint(BOLD, &line))?;
    }
    if events.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    write_entries(out, screen, painter, &entries(events, screen))?;
    writeln!(out)?;
    for (style, line) in summary::lines(events, times) {
        for line in hang(&line, screen.width) {
            writeln!(out, "{}", painter.paint(style, &line))?;
        }
    }
    Ok(())
}

/// `Job job_123 · 14 events · 4 services · 2025-09-27 14:03:05 → 14:05:41 · 2 m 36 s`, on as
/// many lines as it takes.
fn title(screen: &Screen, name: &str, events: &[Event]) -> Vec<String> {
    let services: BTreeSet<&str> = events.iter().map(|event| event.service.as_str()).collect();
    let mut parts = vec![visible(&grid::clip(name)).into_owned(), units::counted(events.len(), "event", "events")];
    if !events.is_empty() {
        parts.push(units::counted(services.len(), "service", "services"));
    }
    let times = || events.iter().map(|event| event.time_ms);
    if let (Some(first), Some(last)) = (times().min(), times().max()) {
        let start = clock(screen, first, "%Y-%m-%d %H:%M:%S");
        let is_one_day = clock(screen, first, "%F") == clock(screen, last, "%F");
        let end = clock(screen, last, if is_one_day { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" });
        if events.len() == 1 {
            parts.push(start);
        } else {
            parts.push(format!("{start} → {end}"));
            parts.push(units::millis((last - first) as f64));
        }
    }
    flow(&parts, screen.width)
}

/// Parts joined by ` · `, broken between parts where the line would be too long.
fn flow(parts: &[String], width: Option<usize>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if width.is_none_or(|width| grid::width_of(line) + 3 + grid::width_of(part) <= width) => {
                *line += &format!(" · {part}");
            }
            _ => lines.push(part.clone()),
        }
    }
    lines.iter().map(|line| grid::fit(line, width)).collect()
}

/// A line of the summary, on as many lines as it takes; those after the first stand further in.
fn hang(line: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width.filter(|width| grid::width_of(line) > *width) else { return vec![line.to_owned()] };
    let wrapped = grid::wrap(line.trim_start(), width.saturating_sub(4).max(BELOW_WIDTH_MIN), ERROR_LINES_MAX);
    let indented = wrapped.iter().enumerate().map(|(index, part)| match index {
        0 => format!("  {part}"),
        _ => format!("    {part}"),
    });
    indented.map(|part| grid::fit(&part, Some(width))).collect()
}

fn entries(events: &[Event], screen: &Screen) -> Vec<Entry> {
    let mut teller = Teller::default();
    let entries = lines(events, &screen.time_zone).into_iter().map(|line| match line {
        Line::Day(date) => Entry::Note(DIM, format!("── {date} ──")),
        Line::Gap(gap) => Entry::Gap(format!("⚠ {} gap  {}", units::millis(gap.ms as f64), gap.note)),
        Line::Event(index) => Entry::Row(row(&events[index], teller.tell(&events[index]), screen)),
        Line::Run(range) => Entry::Row(row_of_run(&events[range], &mut teller, screen)),
    });
    entries.collect()
}

fn row(event: &Event, details: Details, screen: &Screen) -> Row {
    let style = if event.is_error {
        ERROR
    } else if event.is_retry() {
        WARN
    } else {
        of_level(&event.level)
    };
    let delta_style = if !event.gaps.is_empty() || event.delta_ms.is_some_and(|delta| delta < 0) { WARN } else { DIM };
    // The mark is for screens without colours.
    let error = event.is_error.then(|| format!("✗ {}", details.error.unwrap_or_default()).trim_end().to_owned());
    Row {
        cells: [
            clock(screen, event.time_ms, "%H:%M:%S%.3f"),
            event.delta_ms.map(units::signed_millis).unwrap_or_default(),
            event.service.clone(),
            event.event_type.clone(),
            details.rest,
        ],
        styles: [PLAIN, delta_style, of_service(&event.service), style, PLAIN],
        error,
    }
}

/// One line for many: how many, how far apart, and how far they came.
fn row_of_run(events: &[Event], teller: &mut Teller, screen: &Screen) -> Row {
    let (first, last) = (&events[0], &events[events.len() - 1]);
    let apart = (last.time_ms - first.time_ms) as f64 / (events.len() - 1) as f64;
    let mut shown = row(first, Details::default(), screen);
    shown.cells[3] += &format!(" ×{}", units::count(events.len() as u64));
    let mut parts = vec![format!("{} apart", units::millis(apart))];
    parts.extend(progress(first, last));
    parts.extend(teller.place(first));
    shown.cells[4] = parts.join(" · ");
    shown
}

fn write_entries(out: &mut dyn Write, screen: &Screen, painter: Painter, entries: &[Entry]) -> io::Result<()> {
    let rows = entries.iter().filter_map(|entry| if let Entry::Row(row) = entry { Some(row) } else { None });
    let lanes = lanes(rows, screen.width);
    let mut header = Row { cells: HEADER.map(str::to_owned), styles: [BOLD; 5], error: None };
    if lanes[4].width == 0 {
        header.cells[4].clear();
    }
    write_row(out, screen, painter, &header, &lanes)?;
    let rule: usize = lanes.iter().map(|lane| lane.width).sum::<usize>() + GAP * (lanes.len() - 1);
    writeln!(out, "{}", painter.paint(DIM, &"─".repeat(screen.width.unwrap_or(rule).min(rule))))?;
    for entry in entries {
        match entry {
            Entry::Row(row) => write_row(out, screen, painter, row, &lanes)?,
            Entry::Note(style, text) => writeln!(out, "{}", painter.paint(*style, &grid::fit(text, screen.width)))?,
            Entry::Gap(text) => {
                let line = format!("{}{text}", " ".repeat(service_at(&lanes)));
                writeln!(out, "{}", painter.paint(WARN, &grid::fit(&line, screen.width)))?;
            }
        }
    }
    Ok(())
}

/// A row; what the column of details has no room for follows below it.
fn write_row(out: &mut dyn Write, screen: &Screen, painter: Painter, row: &Row, lanes: &Lanes) -> io::Result<()> {
    let whole = row.details();
    let fits = grid::width_of(&whole) <= lanes[4].width;
    let [time, delta, service, event, _] = &row.cells;
    let cells = vec![&**time, delta, service, event, if fits { &whole } else { "" }];
    let cells = grid::lay_out(std::iter::once(cells), lanes).into_iter().next().unwrap_or_default();
    let painted = cells.iter().map(String::as_str).zip(row.styles);
    match &row.error {
        Some(error) if fits => {
            // The last cell is written apart, as only its beginning is red.
            let start = grid::join(painter, painted.take(4));
            let padding = " ".repeat(GAP + lanes[3].width.saturating_sub(grid::width_of(event)));
            let rest = whole.strip_prefix(error.as_str()).unwrap_or_default();
            writeln!(out, "{start}{padding}{}{rest}", painter.paint(ERROR, error))
        }
        _ if fits => writeln!(out, "{}", grid::join(painter, painted)),
        _ => {
            writeln!(out, "{}", grid::join(painter, painted))?;
            write_below(out, screen, painter, row, lanes)
        }
    }
}

fn write_below(out: &mut dyn Write, screen: &Screen, painter: Painter, row: &Row, lanes: &Lanes) -> io::Result<()> {
    let indent = " ".repeat(service_at(lanes) + GAP);
    let width = screen.width.map_or(usize::MAX, |width| width.saturating_sub(indent.len()).max(BELOW_WIDTH_MIN));
    let errors = row.error.iter().flat_map(|error| grid::wrap(error, width, ERROR_LINES_MAX));
    let rest = Some(&row.cells[4]).filter(|rest| !rest.is_empty()).into_iter();
    let rest = rest.flat_map(|rest| grid::wrap(rest, width, DETAILS_LINES_MAX));
    for (style, text) in errors.map(|text| (ERROR, text)).chain(rest.map(|text| (DIM, text))) {
        let line = grid::fit(&format!("{indent}{text}"), screen.width);
        writeln!(out, "{}", painter.paint(style, &line))?;
    }
    Ok(())
}

/// Where the column of services begins, and with it the lines between those of events.
fn service_at(lanes: &Lanes) -> usize {
    lanes[0].width + GAP + lanes[1].width + GAP
}
