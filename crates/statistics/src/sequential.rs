//! What adds up over time: evidence of improbable cases, one after the other, and how often something new comes.

/// The exponent of [`ln_evidence`]. By simulation those from 0.2 to 0.3 need as many cases that are three standard
/// deviations off, three.
const KAPPA: f64 = 0.25;
/// How often the evidence of usual cases passes a limit, for each case and times that limit: by simulation of a hundred
/// million cases, for limits from e⁵ to e¹⁰.
const PASSES: f64 = 0.1;
const DAY_MS: f64 = 24.0 * 3_600_000.0;

/// How much a case of that probability speaks against its being usual: the logarithm of `e = κ·p^(κ−1)`, which is 1 on
/// average where the case is usual, whatever it is distributed like.
pub fn ln_evidence(p: f64) -> f64 {
    KAPPA.ln() + (KAPPA - 1.0) * p.max(f64::MIN_POSITIVE).ln()
}

/// What [`stretches`] of so many usual cases a day pass no more often by chance than so many times a day.
pub fn evidence_limit(cases_a_day: f64, false_a_day: f64) -> f64 {
    (PASSES * cases_a_day / false_a_day).ln().max(0.0)
}

/// Where evidence that is added up passes a limit: from which case to the one where there is the most, and how much that is.
/// It is begun anew where nothing is left of it (an e-CUSUM; Shin, Ramdas and Rinaldo 2022), and where `is_over` says so of
/// what there is, and was at its highest.
pub fn stretches(
    evidence: &[f64],
    limit: f64,
    is_over: impl Fn(f64, f64) -> bool,
) -> Vec<(std::ops::Range<usize>, f64)> {
    let mut found = Vec::new();
    let (mut sum, mut highest, mut begin, mut end) = (0.0_f64, 0.0_f64, 0, 0);
    for (index, one) in evidence.iter().enumerate() {
        if sum <= 0.0 || is_over(sum, highest) {
            if highest > limit {
                found.push((begin..end, highest));
            }
            (sum, highest, begin) = (0.0, 0.0, index);
        }
        sum += one;
        if sum > highest {
            (highest, end) = (sum, index + 1);
        }
    }
    if highest > limit {
        found.push((begin..end, highest));
    }
    found
}

/// How often something comes that was not there before, a day, by when each of all that came in a range was there for the
/// first time, in ms. What is new is known once half of the time was looked at; half a one more is counted than came
/// (Jeffreys).
pub fn new_a_day(first_ms: &[i64], from_ms: i64, until_ms: i64) -> f64 {
    let within = || first_ms.iter().copied().filter(|ms| (from_ms..until_ms).contains(ms));
    let begin_ms = within().min().unwrap_or(until_ms);
    let half_ms = begin_ms + (until_ms - begin_ms) / 2;
    let days = (until_ms - half_ms) as f64 / DAY_MS;
    let new = within().filter(|ms| *ms >= half_ms).count() as f64;
    if days > 0.0 { (new + 0.5) / days } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from 0 to 1, the same each time.
    struct Chance(u64);

    impl Chance {
        fn next(&mut self) -> f64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            ((self.0 >> 11) as f64 / (1_u64 << 53) as f64).max(1e-9)
        }
    }

    fn passes(evidence: &[f64], limit: f64) -> usize {
        stretches(evidence, limit, |_, _| false).len()
    }

    /// Of a thousand days of four thousand usual cases each, what may come once in ten days comes on a hundred.
    #[test]
    fn usual_cases_pass_a_limit_no_more_often_than_it_says() {
        let limit = evidence_limit(4_000.0, 0.1);
        let mut chance = Chance(23);
        let passed: usize = (0..1_000)
            .map(|_| {
                let day: Vec<f64> = (0..4_000).map(|_| ln_evidence(chance.next())).collect();
                passes(&day, limit)
            })
            .sum();
        assert!((60..=140).contains(&passed), "{passed}");
    }

    #[test]
    fn three_that_are_one_in_a_thousand_each_are_enough_where_there_are_thousands_and_many_that_are_one_in_five_are_not()
     {
        let limit = evidence_limit(7_000.0, 0.1);
        let of = |p: f64, times: usize| vec![ln_evidence(p); times];
        assert_eq!((passes(&of(0.001, 2), limit), passes(&of(0.001, 3), limit)), (0, 1));
        assert_eq!(passes(&of(0.2, 100), limit), 0);
        assert!(passes(&of(0.02, 6), limit) == 1, "it adds up");
        let both = [of(0.9, 50), of(0.001, 3), of(0.5, 2)].concat();
        let (within, _) = stretches(&both, limit, |_, _| false).remove(0);
        assert_eq!(within, 50..53, "since when, and until when");
    }

    #[test]
    fn what_is_over_is_told_for_itself() {
        let of = |p: f64, times: usize| vec![ln_evidence(p); times];
        let twice = [of(0.000_1, 6), of(0.9, 8), of(0.000_1, 3)].concat();
        let found = stretches(&twice, 8.0, |sum, highest| highest - sum > 5.0);
        assert_eq!(found.into_iter().map(|(within, _)| within).collect::<Vec<_>>(), [0..6, 14..17]);
    }

    #[test]
    fn where_nothing_new_has_come_for_days_something_new_is_rare() {
        const HOUR_MS: i64 = 3_600_000;
        const DAY_MS: i64 = 24 * HOUR_MS;
        // All that there is was there within a day, six days ago.
        let known: Vec<i64> = (0..20).map(|number| number * HOUR_MS).collect();
        assert!(new_a_day(&known, 0, 6 * DAY_MS) < 0.2);
        assert!((0.4..1.0).contains(&new_a_day(&known, 0, 2 * DAY_MS)), "of two days less is known");
        let each_hour: Vec<i64> = (0..150).map(|number| number * HOUR_MS).collect();
        assert!((20.0..28.0).contains(&new_a_day(&each_hour, 0, 150 * HOUR_MS)));
        assert_eq!(new_a_day(&[], 0, DAY_MS), f64::INFINITY, "of nothing nothing is known");
    }
}
