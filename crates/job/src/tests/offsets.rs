//! Clocks that are behind.

use super::*;

const MINUTE: i64 = 60_000;

/// So many events of a producer, ten seconds apart, each of which takes so long.
fn heard(offsets: &mut Offsets, producer: &str, events: i64, took_ms: i64) {
    (0..events).for_each(|event| offsets.note(producer, event * 10_000 - took_ms - event % 7, event * 10_000));
}

/// Four workers, the first of which is heard of so late, and whoever creates the jobs.
fn late_worker(took_ms: i64) -> Offsets {
    let mut offsets = Offsets::default();
    heard(&mut offsets, "w1", 40, took_ms);
    for other in ["w2", "w3", "w4", "api"] {
        heard(&mut offsets, other, 40, 5);
    }
    offsets
}

/// Jobs that the first worker claims half a second after they are created, by a clock that is off by so much, and
/// whose events take so long.
fn order(clock_off_ms: i64, took_ms: i64) -> Order {
    let mut order = Order::default();
    for job in 0..10 {
        let (id, at) = (format!("job_{job}"), job * 20_000);
        order.note(&id, "job.created", "api", at, at + 5);
        order.note(&id, "job.claimed", "w1", at + 500 + clock_off_ms, at + 500 + took_ms);
        order.note(&id, "job.completed", "w1", at + 1_500 + clock_off_ms, at + 1_500 + took_ms);
        order.note(&id, "webhook.sending", "w2", at + 1_510, at + 1_515);
    }
    order
}

fn behind_ms(offsets: &Offsets, producer: &str, arrived_ms: i64) -> i64 {
    offsets.behind_ms(producer, arrived_ms - 8_000, arrived_ms)
}

#[test]
fn a_clock_is_behind_where_nothing_of_its_producer_arrives_soon_and_jobs_are_claimed_before_they_are_created() {
    let mut offsets = Offsets::default();
    heard(&mut offsets, "w1", 40, 8_000);
    offsets.prove(&order(-8_000, 0));
    assert_eq!(behind_ms(&offsets, "w1", 20_000), 0, "nobody else tells");
    let mut offsets = late_worker(8_000);
    assert_eq!(behind_ms(&offsets, "w1", 20_000), 0, "it may be a slow line");
    offsets.prove(&order(-8_000, 0));
    assert_eq!((behind_ms(&offsets, "w1", 20_000), behind_ms(&offsets, "w2", 20_000)), (8_000, 0));
    assert_eq!(behind_ms(&offsets, "w1", 20_000 + 20 * MINUTE), 8_000, "as it was shortly before");
    assert_eq!(behind_ms(&offsets, "w1", 20_000 + 150 * MINUTE), 0);
}

#[test]
fn a_slow_line_is_no_clock_that_is_behind() {
    let mut offsets = late_worker(8_000);
    offsets.prove(&order(0, 8_000));
    assert_eq!(behind_ms(&offsets, "w1", 20_000), 0);
}

#[test]
fn what_was_held_up_is_no_clock_that_is_behind() {
    let mut offsets = late_worker(5);
    // Emptied now and then, a buffer holds events of any age, the last of them new.
    (0..40).for_each(|event| offsets.note("buffering", event * 10_000, event / 10 * 100_000 + 90_005));
    // One that is emptied once it can be again brings all of them late, each by another time.
    (0..120).for_each(|event| offsets.note("spool", event * 1_000, 5 * MINUTE + event * 1_000 / 4));
    // Too few events prove nothing.
    heard(&mut offsets, "rare", 5, 8_000);
    assert_eq!(offsets.suspects().into_iter().collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn while_a_clock_is_set_what_is_as_late_as_before_is_put_right() {
    let mut offsets = late_worker(8_000);
    // In the next ten minutes it is set right after three.
    for event in 60..120 {
        let took_ms = if event < 78 { 8_000 } else { 5 };
        offsets.note("w1", event * 10_000 - took_ms, event * 10_000);
        ["w2", "w3", "w4"].iter().for_each(|other| offsets.note(other, event * 10_000 - 5, event * 10_000));
    }
    offsets.prove(&order(-8_000, 0));
    let behind = |event: i64, took_ms: i64| offsets.behind_ms("w1", event * 10_000 - took_ms, event * 10_000);
    assert_eq!((behind(70, 8_100), behind(80, 5)), (8_000, 0));
}
