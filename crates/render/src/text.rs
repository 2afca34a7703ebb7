//! Text that is safe to put on a terminal.

use std::borrow::Cow;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// How many letters `2025-09-27 10:47:34` has.
const TIME_LENGTH: usize = 19;

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

/// A sentence for a person: [`visible`], and the times in it, `2025-09-27 10:47:34Z`, as the clocks of that zone show them,
/// like all others on the screen.
pub fn said(sentence: &str, zone: &TimeZone) -> String {
    let visible = visible(sentence);
    let mut said = String::with_capacity(visible.len());
    let mut rest = visible.as_ref();
    while let Some(end) = rest.find('Z') {
        let time = end.checked_sub(TIME_LENGTH).and_then(|begin| rest.get(begin..end));
        match time.and_then(|time| in_zone(time, zone)) {
            Some(local) => {
                said.push_str(&rest[..end - TIME_LENGTH]);
                said.push_str(&local);
            }
            None => said.push_str(&rest[..=end]),
        }
        rest = &rest[end + 1..];
    }
    said + rest
}

/// `2025-09-27 10:47:34`, which is of UTC, by another zone's clocks; `None` where it is no time, or the clocks agree.
fn in_zone(time: &str, zone: &TimeZone) -> Option<String> {
    let utc = DateTime::strptime("%Y-%m-%d %H:%M:%S", time).ok()?.in_tz("UTC").ok()?;
    let local = utc.with_time_zone(zone.clone());
    (local.offset() != utc.offset()).then(|| local.strftime("%Y-%m-%d %H:%M:%S").to_string())
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
