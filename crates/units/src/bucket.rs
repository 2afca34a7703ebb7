/// Lengths of time that people count in, in ms.
const LENGTHS_MS: [i64; 17] = [
    1_000,
    5_000,
    10_000,
    15_000,
    30_000,
    60_000,
    300_000,
    600_000,
    900_000,
    1_800_000,
    3_600_000,
    10_800_000,
    21_600_000,
    43_200_000,
    86_400_000,
    604_800_000,
    2_592_000_000,
];

/// How long the buckets are into which a range of `range_ms` is cut, in ms: a length that people count in,
/// such as a minute or six hours, of which the range has `most` at most. Where there are too many of the
/// longest, thirty days, it is that.
pub fn bucket_ms(range_ms: i64, most: i64) -> i64 {
    let fits = |length_ms: &i64| range_ms / length_ms <= most;
    LENGTHS_MS.into_iter().find(fits).unwrap_or(LENGTHS_MS[LENGTHS_MS.len() - 1])
}
