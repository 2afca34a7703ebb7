//! The spans of a job as bars on one scale.

use std::io;

use emp_job::History;
use emp_units as units;

use crate::Screen;
use crate::page::{Heading, Page};
use crate::paint::{DIM, ERROR, of_service};

/// Bars need a screen this wide.
const WIDTH_MIN: usize = 100;
const BAR_WIDTH: usize = 48;
/// More are no longer taken in at a glance.
const SPANS_MAX: usize = 24;

pub(super) fn write(page: &mut Page<'_>, screen: &Screen, history: &History) -> io::Result<()> {
    let spans = history.spans();
    if spans.is_empty() || screen.width.is_some_and(|width| width < WIDTH_MIN) {
        return Ok(());
    }
    let start = history.start_ms().min(spans.iter().map(|span| span.start_ms).min().unwrap_or_default());
    let ends = spans.iter().map(|span| span.end_ms.unwrap_or(history.now_ms()));
    let end = ends.chain([history.end_ms()]).max().unwrap_or(start + 1).max(start + 1);
    let length = end.saturating_sub(start);
    let place = |ms: i64| (ms.saturating_sub(start) as f64 / length as f64 * BAR_WIDTH as f64).round() as usize;
    page.section(&format!("Spans, over {}", units::millis(length as f64)))?;
    let rows = spans.iter().take(SPANS_MAX).map(|span| {
        let until = span.end_ms.unwrap_or(history.now_ms());
        let (from, to) = (place(span.start_ms), place(until));
        let body = if span.end_ms.is_some() { "█" } else { "▒" };
        let from = from.min(BAR_WIDTH - 1);
        let bar = format!("{}{}", " ".repeat(from), body.repeat((to - from.min(to)).max(1)));
        let bar = format!("{bar:<BAR_WIDTH$}");
        let attempt = if span.attempt > 1 { format!("attempt {}", span.attempt) } else { String::new() };
        let took = units::millis(until.saturating_sub(span.start_ms) as f64);
        let took = if span.end_ms.is_some() { took } else { format!("{took}, open") };
        let style = if span.has_failed { ERROR } else { of_service(&span.service) };
        vec![(style, span.name.clone()), (DIM, attempt), (style, bar), (style, took)]
    });
    let headings = [Heading::left(""), Heading::left(""), Heading::left(""), Heading::right("")];
    page.table(&headings, &rows.collect::<Vec<_>>())?;
    if spans.len() > SPANS_MAX {
        page.list(DIM, &[format!("and {} more", units::count((spans.len() - SPANS_MAX) as u64))])?;
    }
    Ok(())
}
