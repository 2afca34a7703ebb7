//! The order of lines on a timeline: events, runs of equal ones as one line, gaps in place,
//! and the date where the day changes.

use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::events::{Event, Gap};

/// Shorter runs are shown event by event.
const RUN_MIN: usize = 5;

/// What a line shows.
#[derive(Debug, Clone)]
pub(super) enum Line<'a> {
    /// Events from here on are of another day than the one before.
    Day(Date),
    Gap(&'a Gap),
    Event(usize),
    /// Consecutive events of one service and type, none of them an error or after a gap.
    Run(Range<usize>),
}

/// All events, as the lines that show them.
pub(super) fn lines<'a>(events: &'a [Event], zone: &TimeZone) -> Vec<Line<'a>> {
    let mut lines = Vec::with_capacity(events.len());
    let mut start = 0;
    while let Some(event) = events.get(start) {
        if start > 0 && day(event, zone) != day(&events[start - 1], zone) {
            lines.extend(day(event, zone).map(Line::Day));
        }
        lines.extend(event.gaps.iter().map(Line::Gap));
        let run = run_from(events, start, zone);
        if run.len() >= RUN_MIN {
            start = run.end;
            lines.push(Line::Run(run));
        } else {
            lines.push(Line::Event(start));
            start += 1;
        }
    }
    lines
}

/// The events from `start` on that one line can stand for. A gap before the first of them is
/// no obstacle, as its line comes first.
fn run_from(events: &[Event], start: usize, zone: &TimeZone) -> Range<usize> {
    let first = &events[start];
    let more = events[start + 1..].iter().take_while(|event| {
        !first.is_error
            && !event.is_error
            && event.gaps.is_empty()
            && event.level == first.level
            && event.service == first.service
            && event.event_type == first.event_type
            && day(event, zone) == day(first, zone)
    });
    start..start + 1 + more.count()
}

fn day(event: &Event, zone: &TimeZone) -> Option<Date> {
    Some(Timestamp::from_millisecond(event.time_ms).ok()?.to_zoned_datetime(zone.clone()).date())
}
