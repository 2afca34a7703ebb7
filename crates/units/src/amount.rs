//! Durations and sizes as people type them.

use std::time::Duration;

use crate::ParseError;

/// Reads a duration: `5s`, `500ms`, `1m30s`, `2w3h`, `1.5h`, or a bare `0`. A day has 24 hours.
///
/// # Errors
/// [`ParseError::NotADuration`] where the text is none.
pub fn parse_duration(text: &str) -> Result<Duration, ParseError> {
    let ms = duration_ms(text.trim()).ok_or_else(|| ParseError::NotADuration(text.to_owned()))?;
    Ok(Duration::from_millis(ms.unsigned_abs()))
}

/// As [`parse_duration`], for what has to take time: an interval, a time-out, an age.
///
/// # Errors
/// [`ParseError::NoDuration`] where it is zero, besides.
pub fn parse_positive_duration(text: &str) -> Result<Duration, ParseError> {
    let duration = parse_duration(text)?;
    if duration.is_zero() { Err(ParseError::NoDuration(text.to_owned())) } else { Ok(duration) }
}

/// Reads a number of bytes above zero: `50GiB`, `500MB`, `1.5 kB`, `1000`, in powers of 1024 or of 1000.
///
/// # Errors
/// [`ParseError::NotASize`] where the text is none.
pub fn parse_bytes(text: &str) -> Result<u64, ParseError> {
    const UNITS: [(&str, u64); 9] = [
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("tib", 1 << 40),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("tb", 1_000_000_000_000),
        ("b", 1),
    ];
    let lower = text.trim().to_ascii_lowercase();
    let unit = UNITS.iter().find_map(|(name, factor)| Some((lower.strip_suffix(name)?, *factor)));
    let (number, factor) = unit.unwrap_or((&lower, 1));
    let number: Option<f64> = number.trim().parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.map(|number| (number * factor as f64) as u64).ok_or_else(|| ParseError::NotASize(text.to_owned()))
}

/// A duration in ms; `None` where the text is none.
pub(crate) fn duration_ms(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (amount, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        // It may mean a month, which has no length of its own.
        if unit == "M" {
            return None;
        }
        total += amount.parse::<f64>().ok()? * unit_ms(&unit.to_ascii_lowercase())?;
        rest = after.trim_start();
    }
    // Beyond this a float no longer counts every millisecond; it is 285,000 years.
    let is_sane = !text.is_empty() && total < 9e15;
    is_sane.then(|| total.round() as i64)
}

fn unit_ms(unit: &str) -> Option<f64> {
    let ms = match unit {
        "ms" => 1.0,
        "s" | "sec" | "second" | "seconds" => 1e3,
        "m" | "min" | "minute" | "minutes" => 60e3,
        "h" | "hour" | "hours" => 3_600e3,
        "d" | "day" | "days" => 86_400e3,
        "w" | "week" | "weeks" => 604_800e3,
        _ => return None,
    };
    Some(ms)
}
