//! Durations and sizes as people type them.

use std::time::Duration;

use insta::assert_snapshot;

use crate::{parse_bytes, parse_duration, parse_positive_duration};

#[test]
fn durations_have_units() {
    let ms = |text| parse_duration(text).map(|duration| duration.as_millis()).map_err(|error| error.to_string());
    assert_eq!(ms("500ms"), Ok(500));
    assert_eq!(ms("5s"), Ok(5_000));
    assert_eq!(ms("1m30s"), Ok(90_000));
    assert_eq!(ms("1.5h"), Ok(5_400_000));
    assert_eq!(ms("2W 3h"), Ok(1_220_400_000));
    assert_eq!(ms("2 days"), Ok(172_800_000));
    assert_eq!(ms("0"), Ok(0));
    assert_snapshot!(ms("5").unwrap_err(), @"`5` is not a duration: try `500ms`, `5s`, `1m30s`, `2h` or `3d`");
    for text in ["", "s", "-5s", "5 apples", "1..5s", "9999999999999w", "5s30", "1M", "1mo"] {
        assert!(ms(text).is_err(), "{text}");
    }
}

#[test]
fn what_has_to_take_time_is_not_zero() {
    assert_eq!(parse_positive_duration("90d"), Ok(Duration::from_secs(90 * 86_400)));
    let refused = parse_positive_duration("0s").unwrap_err().to_string();
    assert_snapshot!(refused, @"`0s` is too short: a duration above zero is needed, such as `5s`");
}

#[test]
fn sizes_have_units() {
    assert_eq!(parse_bytes("50GiB"), Ok(50 << 30));
    assert_eq!(parse_bytes("1.5 kb"), Ok(1_500));
    assert_eq!(parse_bytes("77"), Ok(77));
    for wrong in ["", "GiB", "-1GiB", "0", "much", "NaN"] {
        assert_eq!(
            parse_bytes(wrong).unwrap_err().to_string(),
            format!("`{wrong}` is not a size: try `50GiB`, `500MB` or `1000` (bytes)")
        );
    }
}
