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
const TIME_WIDTH: usize = 12;
const DELTA_WIDTH: usize = 10;
const SERVICE_WIDTH: usize = 15;
const TYPE_WIDTH: usize = 32;
/// Less of a type says too little.
const TYPE_WIDTH_MIN: usize = 12;
const JOB_WIDTH: usize = 18;
/// A longer id is cut.
const JOB_WIDTH_MAX: usize = 40;
/// What follows the columns has this much room, or columns go; what there is no room for is left out.
const REST_WIDTH_MIN: usize = 10;
/// In less room than this an error that does not fit goes on a line of its own.
const ERROR_WIDTH_MIN: usize = 40;

/// Writes events as lines.
pub struct EventLines {
    screen: Screen,
    day: Option<String>,
    last_ms: Option<i64>,
    /// The places that the longest job id so far takes.
    job_width: usize,
}

/// Which columns there is room for, and how wide they are.
#[derive(Debug, Clone, Copy)]
struct Columns {
    has_delta: bool,
    has_service: bool,
    event_type: usize,
    job: usize,
}

impl Columns {
    /// What identifies an event stays longest: its time, its type and its job.
    fn that_fit(screen: Option<usize>, job: usize) -> Self {
        let all = Self { has_delta: true, has_service: true, event_type: TYPE_WIDTH, job };
        let Some(screen) = screen else { return all };
        let least = Self { has_delta: false, has_service: false, ..all };
        let fitting = [all, Self { has_delta: false, ..all }, least];
        fitting.into_iter().find(|columns| columns.width() + REST_WIDTH_MIN <= screen).unwrap_or_else(|| {
            let missing = least.width().saturating_sub(screen);
            Self { event_type: TYPE_WIDTH.saturating_sub(missing).max(TYPE_WIDTH_MIN), ..least }
        })
    }

    /// How many places they take, each with the gap after it.
    fn width(&self) -> usize {
        let delta = if self.has_delta { DELTA_WIDTH + GAP } else { 0 };
        let service = if self.has_service { SERVICE_WIDTH + GAP } else { 0 };
        TIME_WIDTH + GAP + delta + service + self.event_type + GAP + self.job + GAP
    }
}

impl EventLines {
    /// For that screen.
    pub fn new(screen: Screen) -> Self {
        Self { screen, day: None, last_ms: None, job_width: JOB_WIDTH }
    }

    /// Writes these events; those that repeat each other become one line, errors never do.
    ///
    /// # Errors
    /// What `out` says.
    pub fn write(&mut self, out: &mut dyn Write, events: &[JobEvent]) -> io::Result<()> {
        let jobs = events.iter().filter_map(|event| event.job_id.as_deref()).map(grid::width_of);
        self.job_width = jobs.fold(self.job_width, usize::max).min(JOB_WIDTH_MAX);
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
        let columns = Columns::that_fit(self.screen.width, self.job_width);
        let start: Vec<String> =
            self.cells(event, &columns).iter().map(|(style, text)| painter.paint(*style, text)).collect();
        let start = start.join("  ");
        let room = self.screen.width.map(|screen| screen.saturating_sub(columns.width()));
        let is_narrow = |least| room.is_some_and(|room| room < least);
        let details = details_of(event, &mut Teller::default());
        let times = if count > 1 { format!("×{} ", units::count(count as u64)) } else { String::new() };
        let rest = match details.error.map(|error| format!("✗ {error} ")) {
            Some(error) if is_narrow(ERROR_WIDTH_MIN) && is_narrow(grid::width_of(error.trim_end())) => {
                writeln!(out, "{}", start.trim_end())?;
                let error = grid::fit(format!("    {error}").trim_end(), self.screen.width);
                return writeln!(out, "{}", painter.paint(ERROR, &error));
            }
            Some(error) => painter.paint(ERROR, &grid::fit(&format!("{times}{error}{}", details.rest), room)),
            None => {
                let style = if count > 1 { WARN } else { PLAIN };
                let rest = if is_narrow(REST_WIDTH_MIN) { "" } else { details.rest.as_str() };
                let is_hidden = is_narrow(grid::width_of(times.trim_end()));
                painter
                    .paint(style, &if is_hidden { String::new() } else { grid::fit(&format!("{times}{rest}"), room) })
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
    fn cells(&self, event: &JobEvent, columns: &Columns) -> Vec<(Style, String)> {
        let style = if event.is_error() { ERROR } else { of_level(&event.level) };
        let delta = self.last_ms.map(|last_ms| units::signed_millis(event.timestamp_ms - last_ms));
        let delta = (DIM, format!("{:>DELTA_WIDTH$}", delta.unwrap_or_default()));
        let service = (of_service(&event.service), padded(&event.service, SERVICE_WIDTH));
        let mut cells = vec![(PLAIN, clock(&self.screen, event.timestamp_ms, "%H:%M:%S%.3f"))];
        cells.extend(Some(delta).filter(|_| columns.has_delta));
        cells.extend(Some(service).filter(|_| columns.has_service));
        cells.push((style, padded(&event.event_type, columns.event_type)));
        cells.push((DIM, padded(event.job_id.as_deref().unwrap_or(""), columns.job)));
        cells
    }
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
