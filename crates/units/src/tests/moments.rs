//! Times as people type them.

use insta::assert_snapshot;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::parse_moment;

/// A Saturday afternoon: 15:30 in UTC, 17:30 in Berlin.
fn now() -> Timestamp {
    "2025-09-27T15:30:00Z".parse().unwrap()
}

fn read_in(text: &str, tz: &TimeZone) -> String {
    match parse_moment(text, now(), tz) {
        Ok(ms) => Timestamp::from_millisecond(ms).unwrap().to_string(),
        Err(error) => error.to_string(),
    }
}

fn read(text: &str) -> String {
    read_in(text, &TimeZone::UTC)
}

#[test]
fn durations_count_back_from_now() {
    assert_eq!(read("now"), "2025-09-27T15:30:00Z");
    assert_eq!(read("1h"), "2025-09-27T14:30:00Z");
    assert_eq!(read("-3d"), "2025-09-24T15:30:00Z");
    assert_eq!(read("2w3h"), "2025-09-13T12:30:00Z");
    assert_eq!(read(" 90m ago "), "2025-09-27T14:00:00Z");
}

#[test]
fn days_have_names() {
    assert_eq!(read("today"), "2025-09-27T00:00:00Z");
    assert_eq!(read("yesterday"), "2025-09-26T00:00:00Z");
    assert_eq!(read("Yesterday 08:15"), "2025-09-26T08:15:00Z");
    assert_eq!(read("friday 14:00"), "2025-09-26T14:00:00Z");
    assert_eq!(read("sat"), "2025-09-27T00:00:00Z");
    assert_eq!(read("saturday 15:00"), "2025-09-27T15:00:00Z");
    assert_eq!(read("sunday"), "2025-09-21T00:00:00Z");
    assert_eq!(read("14:00"), "2025-09-27T14:00:00Z");
}

#[test]
fn a_weekday_is_never_in_the_future() {
    assert_eq!(read("saturday 16:00"), "2025-09-20T16:00:00Z");
}

#[test]
fn iso_dates_and_times_are_local_unless_they_say_otherwise() {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    assert_eq!(read_in("2025-09-27", &berlin), "2025-09-26T22:00:00Z");
    assert_eq!(read_in("2025-09-27 14:00", &berlin), "2025-09-27T12:00:00Z");
    assert_eq!(read_in("2025-09-27T14:00:01.5", &berlin), "2025-09-27T12:00:01.5Z");
    assert_eq!(read_in("2025-09-27T14:00Z", &berlin), "2025-09-27T14:00:00Z");
    assert_eq!(read_in("2025-09-27T14:00:00+05:30", &berlin), "2025-09-27T08:30:00Z");
    assert_eq!(read_in("today", &berlin), "2025-09-26T22:00:00Z");
    assert_eq!(read_in("20250927", &TimeZone::UTC), "2025-09-27T00:00:00Z");
}

#[test]
fn numbers_are_seconds_or_milliseconds_and_entry_ids_say_when_they_arrived() {
    assert_eq!(read("1758981600"), "2025-09-27T14:00:00Z");
    assert_eq!(read("1758981600123"), "2025-09-27T14:00:00.123Z");
    assert_eq!(read("1758981600123-7"), "2025-09-27T14:00:00.123Z");
}

#[test]
fn what_is_no_time_says_what_would_be() {
    assert_snapshot!(read("soon"), @"`soon` is not a time: try `1h` or `-3d` (ago), `yesterday`, `friday 14:00`, `2025-09-27T14:00Z`, epoch milliseconds, or an entry ID");
    for text in [
        "",
        "5",
        "2025-09",
        "-",
        "1x",
        "friday 25:00",
        "2025-02-30",
        "1758981600123-x",
        "today tomorrow",
        "99999999999999999999",
    ] {
        assert!(read(text).contains("is not a time"), "{text}: {}", read(text));
    }
    assert_snapshot!(read("999999999999999999"), @"`999999999999999999` lies outside the years 1 to 9999");
    assert_snapshot!(read("900000w"), @"`900000w` lies outside the years 1 to 9999");
}

#[test]
fn numbers_are_times_as_events_have_them() {
    for text in
        ["1758987000", "1758987000.25", "1758987000000", "1758987000000.9", "1758987000000000", "1758987000000000000"]
    {
        let fraction = if text == "1758987000.25" { ".25" } else { "" };
        assert_eq!(read(text), format!("2025-09-27T15:30:00{fraction}Z"), "{text}");
    }
    assert!(read("12.5").contains("is not a time"), "{}", read("12.5"));
}
