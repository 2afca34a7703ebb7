use crate::bucket_ms;

const HOUR_MS: i64 = 3_600_000;

#[test]
fn buckets_are_the_shortest_of_which_there_are_not_too_many() {
    assert_eq!(bucket_ms(0, 40), 1_000);
    assert_eq!(bucket_ms(40_000, 40), 1_000);
    assert_eq!(bucket_ms(HOUR_MS, 40), 300_000);
    assert_eq!(bucket_ms(24 * HOUR_MS, 96), 900_000);
    assert_eq!(bucket_ms(i64::MAX, 40), 30 * 24 * HOUR_MS);
}
