//! Events as lines, one after another as they come.

use std::io::{self, Write};

use super::paint::{DIM, ERROR, PLAIN, Painter, WARN, of_level, of_service};
use super::text::visible;
use super::timeline::{Teller, details_of};
use super::{Screen, clock, grid};
use emp_findings::Bucket;
use emp_job::JobEvent;
use emp_units as units;

/// So many equal events in a row become one line.
const RUN_MIN: usize = 5;
const SERVICE_WIDTH: usize = 15;
const TYPE_WIDTH: usize = 32;
const JOB_WIDTH: usize = 18;

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

    fn write_line(&mut self, out: &mut dyn Write, event: &JobEvent, folded: usize) -> io::Result<()> {
        let painter = Painter { color: self.screen.color };
        let day = clock(&self.screen, event.timestamp_ms, "%Y-%m-%d");
        if self.day.as_ref() != Some(&day) {
            writeln!(out, "{}", painter.paint(DIM, &format!("── {day} ──")))?;
            self.day = Some(day);
        }
        let details = details_of(event, &mut Teller::default());
        let error = details.error.as_deref().map(|error| format!("✗ {error} "));
        let times = if folded > 1 { format!("×{} ", units::count(folded as u64)) } else { String::new() };
        let style = if event.is_error() { ERROR } else { of_level(&event.level) };
        let delta = self.last_ms.map(|last_ms| units::signed_millis(event.timestamp_ms - last_ms));
        let cells = [
            (PLAIN, clock(&self.screen, event.timestamp_ms, "%H:%M:%S%.3f")),
            (DIM, format!("{:>10}", delta.unwrap_or_default())),
            (of_service(&event.service), padded(&event.service, SERVICE_WIDTH)),
            (style, padded(&event.event_type, TYPE_WIDTH)),
            (DIM, padded(event.job_id.as_deref().unwrap_or(""), JOB_WIDTH)),
        ];
        let mut width: usize = cells.iter().map(|(_, text)| grid::width_of(text) + 2).sum();
        let narrow = self.screen.width.is_some_and(|screen| width + 10 > screen);
        let shown = if narrow { &cells[..4] } else { &cells[..] };
        if narrow {
            width = shown.iter().map(|(_, text)| grid::width_of(text) + 2).sum();
        }
        let start: Vec<String> = shown.iter().map(|(style, text)| painter.paint(*style, text)).collect();
        let left = self.screen.width.map(|screen| screen.saturating_sub(width));
        let rest = match (narrow, &error) {
            (true, Some(error)) if left.is_some_and(|left| left < 12) => {
                writeln!(out, "{}", start.join("  ").trim_end())?;
                return writeln!(
                    out,
                    "{}",
                    painter.paint(ERROR, &grid::fit(format!("    {error}").trim_end(), self.screen.width))
                );
            }
            (_, Some(error)) => painter.paint(ERROR, &grid::fit(&format!("{times}{error}{}", details.rest), left)),
            (_, None) => {
                let text = grid::fit(&format!("{times}{}", details.rest), left);
                if folded > 1 { painter.paint(WARN, &text) } else { text }
            }
        };
        writeln!(out, "{}", format!("{}  {rest}", start.join("  ")).trim_end())
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
