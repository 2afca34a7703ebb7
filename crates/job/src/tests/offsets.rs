//! Clocks that are behind.

use super::*;

/// So many events of a producer, a second apart, each of which takes so long.
fn heard(offsets: &mut Offsets, producer: &str, events: i64, took_ms: i64) {
    (0..events).for_each(|event| offsets.note(producer, event * 1_000 - took_ms - event % 7, event * 1_000));
}

#[test]
fn a_clock_is_behind_where_nothing_of_its_producer_arrives_soon_and_all_of_others_does() {
    let mut offsets = Offsets::default();
    heard(&mut offsets, "w1", 40, 8_000);
    assert_eq!(offsets.behind_ms("w1", 20_000), 0, "nobody else tells");
    for other in ["w2", "w3", "w4"] {
        heard(&mut offsets, other, 40, 5);
    }
    assert_eq!((offsets.behind_ms("w1", 20_000), offsets.behind_ms("w2", 20_000)), (8_000, 0));
    assert_eq!(offsets.behind_ms("w1", 20_000 + 1_200_000), 8_000, "as it was shortly before");
    assert_eq!(offsets.behind_ms("w1", 20_000 + 9_000_000), 0);
}

#[test]
fn what_was_held_up_is_no_clock_that_is_behind() {
    let mut offsets = Offsets::default();
    for other in ["w2", "w3", "w4"] {
        heard(&mut offsets, other, 40, 5);
    }
    // Emptied now and then, a buffer holds events of any age, the last of them new; too few events prove nothing.
    (0..40).for_each(|event| offsets.note("buffering", event * 1_000, event / 10 * 10_000 + 9_005));
    heard(&mut offsets, "rare", 5, 8_000);
    assert_eq!((offsets.behind_ms("buffering", 20_000), offsets.behind_ms("rare", 20_000)), (0, 0));
}
