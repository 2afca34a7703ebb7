//! Times as people type them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;

use emp_event::{EntryId, TIMESTAMP_MS_MAX, TIMESTAMP_MS_MIN, read_time};

use crate::ParseError;
use crate::amount::duration_ms;

/// Numbers with this many digits or more are milliseconds since the epoch: from 1973 on.
/// An entry ID's first part is held to the same, or `2025-09` would be one.
const MILLISECOND_DIGITS_MIN: usize = 12;
/// Numbers with this many digits or more are seconds since the epoch: from 1973 on.
const SECOND_DIGITS_MIN: usize = 9;

/// Reads a time, in ms since the epoch.
///
/// Taken are `1h`, `-3d`, `2w3h` (before `now`; a day is 24 hours), `now`, `today`, `yesterday`
/// and weekdays (the last one, today included), each with or without a time of day, a time of
/// day alone, ISO 8601 dates and date-times (in `tz` where they name no zone), entry IDs, and
/// numbers since the epoch as events have them: seconds, ms, µs or ns, with or without a fraction.
///
/// # Errors
/// [`ParseError`] where the text is none of these, or lies out of range.
pub fn parse_moment(text: &str, now: Timestamp, tz: &TimeZone) -> Result<i64, ParseError> {
    let trimmed = text.trim();
    let ms = number(trimmed)
        .or_else(|| ago(trimmed, now))
        .or_else(|| day_and_time(&trimmed.to_ascii_lowercase(), now, tz))
        .or_else(|| iso(trimmed, tz))
        .ok_or_else(|| ParseError::NotATime(text.to_owned()))?;
    if (TIMESTAMP_MS_MIN..=TIMESTAMP_MS_MAX).contains(&ms) {
        Ok(ms)
    } else {
        Err(ParseError::OutOfRange(text.to_owned()))
    }
}

fn number(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_of_events = whole.len() >= SECOND_DIGITS_MIN && (!fraction.is_empty() || matches!(whole.len(), 16 | 19));
    if is_of_events && are_digits(whole) && are_digits(fraction) {
        return read_time(text);
    }
    let (digits, sequence) = text.split_once('-').unwrap_or((text, "0"));
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if digits.len() >= MILLISECOND_DIGITS_MIN {
        let id: EntryId = format!("{digits}-{sequence}").parse().ok()?;
        return Some(id.ms.try_into().unwrap_or(i64::MAX));
    }
    let is_seconds = digits.len() >= SECOND_DIGITS_MIN && digits.len() == text.len();
    if is_seconds { Some(digits.parse::<i64>().ok()? * 1_000) } else { None }
}

fn ago(text: &str, now: Timestamp) -> Option<i64> {
    if text.eq_ignore_ascii_case("now") {
        return Some(now.as_millisecond());
    }
    let text = text.strip_suffix(" ago").unwrap_or(text);
    let ms = duration_ms(text.strip_prefix('-').unwrap_or(text))?;
    Some(now.as_millisecond().saturating_sub(ms))
}

/// `yesterday`, `friday 14:00`, `14:00`.
fn day_and_time(text: &str, now: Timestamp, tz: &TimeZone) -> Option<i64> {
    let (word, time) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let today = now.to_zoned_datetime(tz.clone()).date();
    if time.is_empty() && word.contains(':') {
        return at(today, time_of_day(word)?, tz);
    }
    let time = if time.trim().is_empty() { Time::midnight() } else { time_of_day(time.trim())? };
    match word {
        "today" => at(today, time, tz),
        "yesterday" => at(today.yesterday().ok()?, time, tz),
        _ => {
            let weekday = weekday(word)?;
            let days_ago = i64::from(weekday.until(today.weekday()));
            let day = today.checked_sub(jiff::Span::new().days(days_ago)).ok()?;
            let ms = at(day, time, tz)?;
            // Later today is no past: the same day of last week is meant.
            let is_past = ms <= now.as_millisecond();
            if is_past { Some(ms) } else { at(day.checked_sub(jiff::Span::new().weeks(1)).ok()?, time, tz) }
        }
    }
}

/// The library would take the time out of a whole date-time, and forget its date and zone.
fn time_of_day(text: &str) -> Option<Time> {
    let is_bare = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':' || byte == b'.');
    if is_bare { text.parse().ok() } else { None }
}

fn weekday(word: &str) -> Option<Weekday> {
    const NAMES: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    NAMES.iter().find(|(name, _)| *name == word || &name[..3] == word).map(|(_, weekday)| *weekday)
}

fn at(date: Date, time: Time, tz: &TimeZone) -> Option<i64> {
    let moment = tz.to_ambiguous_timestamp(DateTime::from_parts(date, time)).compatible().ok()?;
    Some(moment.as_millisecond())
}

fn iso(text: &str, tz: &TimeZone) -> Option<i64> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp.as_millisecond());
    }
    let local: DateTime = text.parse().ok()?;
    at(local.date(), local.time(), tz)
}
