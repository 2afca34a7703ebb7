//! Events as lines, one after another as they come.

use std::io::{self, Write};

use anstyle::Style;

use emp_findings::Bucket;
use emp_job::JobEvent;
use emp_units as units;

use super::columns::GAP;
use super::paint::{DIM, ERROR, PLAIN, Painter, WARN, of_level, of_service};
use super::text::visible;
use super::timeline::{Teller, details_of};
use super::{Screen, clock, grid};

/// So many equal events in a row become one line.
const RUN_MIN: usize = 5;
const SERVICE_WIDTH: usize = 15;
const TYPE_WIDTH: usize = 32;
const JOB_WIDTH: usize = 18;
/// What follows the columns has this much room, or the job's column goes.
const REST_WIDTH_MIN: usize = 10;
/// In less room than this an error goes on a line of its own.
const ERROR_WIDTH_MIN: usize = 12;

/// Writes events as lines.
pub struct EventLines {
    screen: Screen,
    day: Option<String>,
    last_ms: Option<i64>,
}

impl EventLines {
    /// For that screen.
    pub fn new(screen: Screen) -> Self {
        Self { screen, day: None, last_ms: None }
    }

    /// Writes these events; those that repeat each other become one line, errors never do.
    ///
    /// # Errors
    /// What `out` says.
    pub fn write(&mut self, out: &mut dyn Write, events: &[JobEvent]) -> io::Result<()> {
        let mut start = 0;
        while start < events.len() {
            let run = run_from(events, start);
            let folded = if run >= RUN_MIN { run } else { 1 };
            self.write_line(out, &events[start], folded)?;
            self.last_ms = Some(events[start + folded - 1].timestamp_ms);
            start += folded;
        }
        out.flush()
    }

    /// Writes one event, which stands for `count` equal ones.
    fn write_line(&mut self, out: &mut dyn Write, event: &JobEvent, count: usize) -> io::Result<()> {
        let painter = Painter { color: self.screen.color };
        self.write_day(out, painter, event)?;
        let cells = self.cells(event);
        let is_narrow = self.screen.width.is_some_and(|screen| width_of(&cells) + REST_WIDTH_MIN > screen);
        // Where there is no room for the job, its column goes first.
        let shown = if is_narrow { &cells[..cells.len() - 1] } else { &cells[..] };
        let start: Vec<String> = shown.iter().map(|(style, text)| painter.paint(*style, text)).collect();
        let start = start.join("  ");
        let room = self.screen.width.map(|screen| screen.saturating_sub(width_of(shown)));
        let details = details_of(event, &mut Teller::default());
        let times = if count > 1 { format!("×{} ", units::count(count as u64)) } else { String::new() };
        let rest = match details.error.map(|error| format!("✗ {error} ")) {
            Some(error) if is_narrow && room.is_some_and(|room| room < ERROR_WIDTH_MIN) => {
                writeln!(out, "{}", start.trim_end())?;
                let error = grid::fit(format!("    {error}").trim_end(), self.screen.width);
                return writeln!(out, "{}", painter.paint(ERROR, &error));
            }
            Some(error) => painter.paint(ERROR, &grid::fit(&format!("{times}{error}{}", details.rest), room)),
            None => {
                let style = if count > 1 { WARN } else { PLAIN };
                painter.paint(style, &grid::fit(&format!("{times}{}", details.rest), room))
            }
        };
        writeln!(out, "{}", format!("{start}  {rest}").trim_end())
    }

    /// A line for the day, where it is another one than that of the event before.
    fn write_day(&mut self, out: &mut dyn Write, painter: Painter, event: &JobEvent) -> io::Result<()> {
        let day = clock(&self.screen, event.timestamp_ms, "%Y-%m-%d");
        if self.day.as_ref() != Some(&day) {
            writeln!(out, "{}", painter.paint(DIM, &format!("── {day} ──")))?;
            self.day = Some(day);
        }
        Ok(())
    }

    /// Time, time since the event before, service, type, and last the job.
    fn cells(&self, event: &JobEvent) -> [(Style, String); 5] {
        let style = if event.is_error() { ERROR } else { of_level(&event.level) };
        let delta = self.last_ms.map(|last_ms| units::signed_millis(event.timestamp_ms - last_ms));
        [
            (PLAIN, clock(&self.screen, event.timestamp_ms, "%H:%M:%S%.3f")),
            (DIM, format!("{:>10}", delta.unwrap_or_default())),
            (of_service(&event.service), padded(&event.service, SERVICE_WIDTH)),
            (style, padded(&event.event_type, TYPE_WIDTH)),
            (DIM, padded(event.job_id.as_deref().unwrap_or(""), JOB_WIDTH)),
        ]
    }
}

/// How many places cells take, each with the gap after it.
fn width_of(cells: &[(Style, String)]) -> usize {
    cells.iter().map(|(_, text)| grid::width_of(text) + GAP).sum()
}

/// How many events from there on repeat the first.
fn run_from(events: &[JobEvent], start: usize) -> usize {
    let first = &events[start];
    let same = events[start..].iter().take_while(|event| {
        !event.is_error()
            && event.service == first.service
            && event.event_type == first.event_type
            && event.level == first.level
            && event.job_id == first.job_id
    });
    same.count().max(1)
}

fn padded(text: &str, width: usize) -> String {
    let text = grid::fit(&visible(text), Some(width));
    let missing = width.saturating_sub(grid::width_of(&text));
    format!("{text}{}", " ".repeat(missing))
}

/// Writes how many events there were in each bucket of time, empty ones included.
///
/// # Errors
/// What `out` says.
pub fn write_histogram(out: &mut dyn Write, screen: &Screen, buckets: &[Bucket]) -> io::Result<()> {
    let painter = Painter { color: screen.color };
    let most = buckets.iter().map(|bucket| bucket.events).max().unwrap_or(0).max(1);
    let room = screen.width.unwrap_or(100).saturating_sub(45).clamp(10, 80);
    for bucket in buckets {
        let time = clock(screen, bucket.from.0, "%Y-%m-%d %H:%M:%S");
        let length = (bucket.events as f64 / most as f64 * room as f64).round() as usize;
        let bar = "█".repeat(length.max(usize::from(bucket.events > 0)));
        let errors = match bucket.errors {
            0 => String::new(),
            errors => format!("  {}", units::counted(errors as usize, "error", "errors")),
        };
        let count = units::count(bucket.events);
        writeln!(out, "{time}  {count:>9}  {bar}{}", painter.paint(ERROR, &errors))?;
    }
    let counts: Vec<f64> = buckets.iter().map(|bucket| bucket.events as f64).collect();
    let total: u64 = buckets.iter().map(|bucket| bucket.events).sum();
    let line = grid::fit(&units::sparkline(&counts), screen.width.map(|width| width.saturating_sub(24)));
    writeln!(out, "{}", painter.paint(DIM, &format!("{} events  {line}", units::count(total))))
}
