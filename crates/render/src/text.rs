//! Text that is safe to put on a terminal.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Text in which everything is visible: line breaks and tabs as `\n` and `\t`, and other
/// characters that a terminal would obey or not show (escape, carriage return, the marks that
/// turn the direction of writing) as `\u{1b}`. What comes out is one line that moves no cursor.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_unseen(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

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

/// Zero-width joiners stay: emoji and some scripts are spelt with them, and they move nothing.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}
