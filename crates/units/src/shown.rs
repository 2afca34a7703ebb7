//! Numbers as people read them: `8.2 s`, `2 m 36 s`, `12,345`, `1.2 MB`.

use std::time::Duration;

const SECOND_MS: f64 = 1_000.0;
const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 60 * MINUTE_S;
const DAY_S: u64 = 24 * HOUR_S;

/// A length of time in milliseconds, in its two largest units: `0.4 ms`, `340 ms`, `8.2 s`,
/// `2 m 36 s`, `1 h 4 m`, `3 d 2 h`. A negative one has a minus sign in front.
pub fn millis(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let sign = if value < 0.0 { "−" } else { "" };
    format!("{sign}{}", magnitude(value.abs()))
}

/// As [`millis`], with a plus where it is not below zero: `+340 ms`, `−4 s`.
pub fn signed_millis(value: i64) -> String {
    if value < 0 { millis(value as f64) } else { format!("+{}", millis(value as f64)) }
}

/// To one decimal.
pub fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// How many times as much: `×1.5`, `×31`, `×12,345`.
pub fn factor(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("×{}", count(value.round() as u64)),
        value => format!("×{}", decimal(tenth(value))),
    }
}

/// A probability: `0.0421`, `1.2e-9`.
pub fn probability(value: f64) -> String {
    if value < 1e-4 { format!("{value:.1e}") } else { format!("{value:.4}") }
}

/// As [`millis`], of a [`Duration`].
pub fn duration(value: Duration) -> String {
    millis(value.as_secs_f64() * SECOND_MS)
}

fn magnitude(value: f64) -> String {
    // Each limit is where rounding would reach the next unit: 999.6 ms is 1 s, not 1000 ms.
    if value == 0.0 {
        "0 ms".to_owned()
    } else if value < 9.95 {
        format!("{} ms", rounded(value, 1))
    } else if value < 999.5 {
        format!("{value:.0} ms")
    } else if value < 59_950.0 {
        format!("{} s", rounded(value / SECOND_MS, 1))
    } else {
        // Beyond u64 the cast saturates, which is far past any age of an event.
        whole_seconds((value / SECOND_MS).round() as u64)
    }
}

fn whole_seconds(seconds: u64) -> String {
    let (large, large_unit, small, small_unit) = if seconds < HOUR_S {
        (seconds / MINUTE_S, "m", seconds % MINUTE_S, "s")
    } else if seconds < DAY_S {
        (seconds / HOUR_S, "h", seconds % HOUR_S / MINUTE_S, "m")
    } else {
        (seconds / DAY_S, "d", seconds % DAY_S / HOUR_S, "h")
    };
    match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    }
}

/// A count with thousands set apart: `12,345`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and its noun: `1 row`, `12,345 rows`.
pub fn counted(value: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(value as u64), if value == 1 { one } else { many })
}

/// A size in decimal units: `640 B`, `1.2 MB`.
pub fn bytes(value: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if value < 1_000 {
        return format!("{value} B");
    }
    let mut scaled = value as f64 / 1_000.0;
    let mut unit = 0;
    while scaled >= 999.95 && unit + 1 < UNITS.len() {
        scaled /= 1_000.0;
        unit += 1;
    }
    format!("{} {}", rounded(scaled, 1), UNITS[unit])
}

/// A number without noise: up to three decimals, no trailing zeros. What three decimals would
/// turn into zero, and what no longer fits sixteen digits, is written with an exponent.
pub fn decimal(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && size < 0.000_5 || size >= 1e16 && value.is_finite() {
        return format!("{value:.1e}").replace(".0e", "e");
    }
    rounded(value, 3)
}

/// Values as a line of small bars, the highest being the greatest.
pub fn sparkline(values: &[f64]) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.iter().copied().fold(0.0, f64::max);
    let height = |value: f64| match most > 0.0 && value > 0.0 {
        true => HEIGHTS[((value / most * 7.0).round() as usize).min(7)],
        false => ' ',
    };
    values.iter().map(|value| height(*value)).collect()
}

fn rounded(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}
