//! The order of lines on a timeline: events, runs of equal ones as one line, gaps in place,
//! and the date where the day changes.

use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::events::Event;

/// Shorter runs are shown event by event.
const RUN_MIN: usize = 5;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    /// Events from here on are of another day than the one before.
    Day(Date),
    /// The job stood still for this long, before that event.
    Gap(f64, usize),
    Event(usize),
    /// Consecutive events of one service and type, none of them an error or after a gap.
    Run(Range<usize>),
}

/// All events, as the lines that show them.
pub(super) fn items(events: &[Event], zone: &TimeZone) -> Vec<Item> {
    let mut items = Vec::with_capacity(events.len());
    let mut start = 0;
    while let Some(event) = events.get(start) {
        if start > 0 && day(event, zone) != day(&events[start - 1], zone) {
            items.extend(day(event, zone).map(Item::Day));
        }
        items.extend(event.gap_ms().map(|ms| Item::Gap(ms, start)));
        let run = run_from(events, start, zone);
        if run.len() >= RUN_MIN {
            start = run.end;
            items.push(Item::Run(run));
        } else {
            items.push(Item::Event(start));
            start += 1;
        }
    }
    items
}

/// The events from `start` on that one line can stand for. A gap before the first of them is
/// no obstacle, as its line comes first.
fn run_from(events: &[Event], start: usize, zone: &TimeZone) -> Range<usize> {
    let first = &events[start];
    let more = events[start + 1..].iter().take_while(|event| {
        !first.is_error()
            && !event.is_error()
            && !event.is_gap
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
