//! Amounts as people type them.

use std::time::Duration;

/// `90d`, `36h`, `1d12h`: days have 24 hours here.
pub(super) fn age(text: &str) -> Result<Duration, String> {
    let day = jiff::SpanRelativeTo::days_are_24_hours();
    let span: Result<jiff::Span, _> = text.parse();
    let seconds = span.ok().and_then(|span| span.total((jiff::Unit::Second, day)).ok());
    seconds
        .filter(|seconds| *seconds >= 1.0)
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "expected an age such as 90d, 36h or 1d12h".to_owned())
}

/// `50GiB`, `500MB`, `1000`: bytes, in powers of 1024 or of 1000.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 9] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("B", 1),
    ];
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let unit = UNITS.iter().find(|(name, _)| lower.ends_with(&name.to_ascii_lowercase()));
    let (number, factor) = unit.map_or((text, 1), |(name, factor)| (&text[..text.len() - name.len()], *factor));
    let number: Option<f64> = number.trim().parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number
        .map(|number| (number * factor as f64) as u64)
        .ok_or_else(|| "expected a size such as 50GiB, 500MB or 1000".to_owned())
}

/// A number of bytes as people read it.
pub(super) fn show_bytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_type_them() {
        assert_eq!(age("90d"), Ok(Duration::from_secs(90 * 86_400)));
        assert_eq!(age("1d12h"), Ok(Duration::from_secs(36 * 3_600)));
        assert_eq!(bytes("50GiB"), Ok(50 << 30));
        assert_eq!(bytes("1.5 kb"), Ok(1_500));
        assert_eq!(bytes("77"), Ok(77));
        for wrong in ["", "d", "-1d", "0s", "soon"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "GiB", "-1GiB", "0", "much", "NaN"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
