use super::{TIMESTAMP_MS_MAX, TIMESTAMP_MS_MIN};

/// Reads a time as producers write it, in ms since the epoch; `None` where it is none, or lies
/// outside of the years 1 to 9999.
///
/// A number is known by the digits of its whole part: 10 are seconds, 16 are µs, 19 are ns, and all
/// else are ms; `1.7589816E9` is such a number, too. Text is ISO 8601 with a zone: `2025-09-27T14:00:00.123Z`.
#[must_use]
pub fn read_time(text: &str) -> Option<i64> {
    let text = text.trim();
    let ms = match text.as_bytes().first()? {
        b'-' | b'0'..=b'9' if is_number(text) => number_ms(text)?,
        b'-' | b'0'..=b'9' if text.contains(['e', 'E']) => number_ms(&spelled_out(text)?)?,
        _ => text.parse::<jiff::Timestamp>().ok()?.as_millisecond(),
    };
    (TIMESTAMP_MS_MIN..=TIMESTAMP_MS_MAX).contains(&ms).then_some(ms)
}

/// Digits, with a `-` before them or a fraction after them.
fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    are_digits(whole) && are_digits(fraction)
}

/// `1.758981600123E12` without its exponent, which loggers of the JVM write.
fn spelled_out(text: &str) -> Option<String> {
    let number: f64 = text.parse().ok().filter(|number: &f64| number.abs() < 1e19)?;
    Some(format!("{number:.3}"))
}

/// Computed on digits, since an `f64` cannot hold ns of today.
fn number_ms(text: &str) -> Option<i64> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |text| (-1, text));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = whole.trim_start_matches('0').len();
    let whole: i64 = whole.parse().ok()?;
    let ms = match digits {
        10 => {
            let thousandths = format!("{fraction:0<3}");
            whole * 1_000 + thousandths.get(..3)?.parse::<i64>().ok()?
        }
        16 => whole / 1_000,
        19 => whole / 1_000_000,
        _ => whole,
    };
    Some(sign * ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_known_by_its_shape() {
        let cases = [
            ("1758981600123", 1_758_981_600_123),
            (" 1758981600123.9 ", 1_758_981_600_123),
            ("1758981600", 1_758_981_600_000),
            ("1758981600.1", 1_758_981_600_100),
            ("1758981600.1239", 1_758_981_600_123),
            ("1758981600123456", 1_758_981_600_123),
            ("1758981600123456789", 1_758_981_600_123),
            ("-5", -5),
            ("0", 0),
            ("1.758981600123E12", 1_758_981_600_123),
            ("1.7589816e9", 1_758_981_600_000),
            ("1.758981600123E9", 1_758_981_600_123),
            ("2025-09-27T14:00:00.123Z", 1_758_981_600_123),
            ("2025-09-27T16:00:00.123456+02:00", 1_758_981_600_123),
            ("2025-09-27 14:00:00Z", 1_758_981_600_000),
        ];
        for (text, ms) in cases {
            assert_eq!(read_time(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in
            ["", "-", "yesterday", "2025-09-27T14:00:00", "2025-09-27", "12345678901234567", "1e400", "1.", ".5"]
        {
            assert_eq!(read_time(text), None, "{text}");
        }
    }
}
