use proptest::prelude::*;

use super::super::layout::SegmentName;
use super::*;

#[test]
fn an_hour_is_a_folder_in_utc() {
    let hour = Hour::of_ms(HOUR_14 as i64 + 59 * 60_000);
    assert_eq!((hour.date().as_str(), hour.hour().as_str()), ("2025-09-27", "14"));
    let layout = Layout::new("/s");
    let early = Hour::of_ms(hour.start_ms() - 10 * HOUR_MS as i64);
    assert_eq!(layout.partition(early), Path::new("/s/date=2025-09-27/hour=04"));
}

#[test]
fn the_folder_of_any_hour_is_read_as_that_hour() {
    for ms in [0, HOUR_14 as i64, emp_event::TIMESTAMP_MS_MAX] {
        let hour = Hour::of_ms(ms);
        assert_eq!(Hour::from_partition(&hour.date(), &hour.hour()), Some(hour), "{ms}");
    }
}

#[test]
fn only_the_exact_spelling_is_a_partition() {
    assert!(Hour::from_partition("2025-09-27", "04").is_some());
    for (date, hour) in
        [("2025-09-27", "4"), ("2025-09-27", "24"), ("2025-9-27", "04"), ("soon", "04"), ("2025-09-27", "+4")]
    {
        assert_eq!(Hour::from_partition(date, hour), None, "{date} {hour}");
    }
}

#[test]
fn a_writer_is_a_name_and_an_epoch() {
    let writer = Writer::new("web-1.example").unwrap();
    assert_eq!(writer.next_epoch().next_epoch().to_string(), "web-1.example.e2");
    assert_eq!("web-1.example.e2".parse::<Writer>().unwrap(), writer.next_epoch().next_epoch());
    // Every name that a writer gives to what it wrote can be read again, of the last epoch, too.
    let last: Writer = "web1.e999999999".parse().unwrap();
    assert_eq!(last.next_epoch(), last);
    // A larger number is no epoch, and the others would be those of another writer in their first.
    for text in ["web1.e1000000000", "web1.e4294967294", "web1.e0", "web1.e0.e5", "web1.e1.e5"] {
        assert!(text.parse::<Writer>().is_err(), "{text}");
    }
    for name in ["", "a_b", "a/b", "a.e1", ".hidden", "ä", "a b"] {
        assert!(Writer::new(name).is_err(), "{name}");
    }
}

proptest! {
    #[test]
    fn sealed_names_survive_their_text(name in "[a-z0-9][a-z0-9.-]{0,12}", epochs in 0_u32..3, a: (u64, u64), b: (u64, u64)) {
        let Ok(mut writer) = Writer::new(&name) else { return Ok(()) };
        for _ in 0..epochs { writer = writer.next_epoch(); }
        let (first, last) = (EntryId::new(a.0, a.1), EntryId::new(b.0, b.1));
        let sealed = SealedName { writer: writer.clone(), ids: IdRange { first: first.min(last), last: first.max(last) } };
        prop_assert_eq!(SealedName::parse(&sealed.with_extension("parquet"), "parquet"), Some(sealed));
        let segment = SegmentName { writer, after: first };
        prop_assert_eq!(SegmentName::parse(&segment.to_string()), Some(segment));
    }

    #[test]
    fn any_text_is_a_name_of_ours_or_none(text in "\\PC{0,24}|[a-z.]{0,4}_[0-9+-]{0,6}_[0-9-]{0,6}(\\.parquet)?|[a-z]_[0-9-]{0,4}\\.journal") {
        if let Some(sealed) = SealedName::parse(&text, "parquet") {
            prop_assert_eq!(sealed.with_extension("parquet"), text.clone());
        }
        if let Some(segment) = SegmentName::parse(&text) {
            prop_assert_eq!(segment.to_string(), text);
        }
    }
}
