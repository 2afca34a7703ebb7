//! Text that is safe to put on a terminal.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use emp_event::{visible, visible_lines};

/// A sentence as it is shown: all of it visible, and its moments by the clock of a zone, as all others on the screen.
pub fn sentence(text: &str, zone: &TimeZone) -> String {
    visible(&in_zone(text, zone)).into_owned()
}

/// Moments within a sentence, which say that they are UTC (`2025-09-27 14:00:00Z`), by the clock of a zone.
pub(super) fn in_zone<'a>(text: &'a str, zone: &TimeZone) -> Cow<'a, str> {
    const FORM: &str = "0000-00-00 00:00:00Z";
    if *zone == TimeZone::UTC || text.len() < FORM.len() {
        return Cow::Borrowed(text);
    }
    let is_digit_where_due = |(of, form): (u8, u8)| if form == b'0' { of.is_ascii_digit() } else { of == form };
    let (mut shown, mut rest) = (String::new(), text);
    while let Some(end) = rest.find('Z').map(|at| at + 1) {
        let (before, after) = rest.split_at(end);
        let moment = before.len().checked_sub(FORM.len()).and_then(|at| before.get(at..));
        let moment = moment.filter(|moment| moment.bytes().zip(FORM.bytes()).all(is_digit_where_due));
        let known = moment.and_then(|moment| Some((moment, moment.parse::<Timestamp>().ok()?)));
        match known {
            Some((moment, at)) => {
                shown += &before[..before.len() - moment.len()];
                shown += &at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
            }
            None => shown += before,
        }
        rest = after;
    }
    shown += rest;
    Cow::Owned(shown)
}
