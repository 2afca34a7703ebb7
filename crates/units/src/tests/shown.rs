use std::time::Duration;

use crate::{bytes, count, counted, decimal, duration, millis};

#[test]
fn lengths_of_time_in_their_two_largest_units() {
    let cases = [
        (0.0, "0 ms"),
        (0.04, "0 ms"),
        (0.42, "0.4 ms"),
        (12.3, "12 ms"),
        (340.0, "340 ms"),
        (999.6, "1 s"),
        (8_190.0, "8.2 s"),
        (59_960.0, "1 m"),
        (156_000.0, "2 m 36 s"),
        (3_599_800.0, "1 h"),
        (3_840_000.0, "1 h 4 m"),
        (266_400_000.0, "3 d 2 h"),
        (-12.0, "−12 ms"),
        (f64::INFINITY, "inf"),
    ];
    for (value, text) in cases {
        assert_eq!(millis(value), text, "{value} ms");
    }
    assert_eq!(duration(Duration::from_micros(12_300)), "12 ms");
}

#[test]
fn counts_sizes_and_decimals() {
    assert_eq!([0, 999, 1_000, 12_345, 1_234_567].map(count), ["0", "999", "1,000", "12,345", "1,234,567"]);
    assert_eq!(counted(1, "row", "rows"), "1 row");
    assert_eq!(counted(0, "row", "rows"), "0 rows");
    assert_eq!([0, 999, 1_240_000, 999_960].map(bytes), ["0 B", "999 B", "1.2 MB", "1 MB"]);
    assert_eq!([1.0, 0.1 + 0.2, 42_121.06, -0.0, 0.000_12].map(decimal), ["1", "0.3", "42121.06", "0", "1.2e-4"]);
    assert_eq!([1e16, f64::NAN, 2.5e15].map(decimal), ["1e16", "NaN", "2500000000000000"]);
}
