//! The expected values are SciPy's: `scipy.stats.t.sf`, `fisher_exact`, `mannwhitneyu` with
//! `method="asymptotic"`, `false_discovery_control`, and `numpy.quantile`.

use super::*;

#[track_caller]
fn close(value: f64, expected: f64) {
    assert!((value - expected).abs() <= 1e-9 * expected.abs().max(1e-3), "{value} is not {expected}");
}

#[test]
fn rates_agree_with_scipy() {
    let calm = [12.0, 15.0, 9.0, 11.0, 14.0, 10.0, 13.0, 12.0, 8.0, 16.0, 11.0, 12.0];
    let surge = rate_test(30.0, &calm).unwrap();
    close(surge.t, 3.8534608218276865);
    close(surge.p, 0.0026834197955893264);
    let wild = [40.0, 80.0, 35.0, 60.0, 20.0, 90.0, 55.0, 47.0, 33.0, 71.0, 66.0, 29.0];
    let drop = rate_test(2.0, &wild).unwrap();
    close(drop.t, -3.632851693475042);
    close(drop.p, 0.0039369680887242535);
    assert_eq!(rate_test(3.0, &[1.0]), None);
}

#[test]
fn shares_agree_with_scipy() {
    close(fisher_more(8, 20, 5, 100), 0.00011615098511813465);
    close(fisher_more(3, 100, 20, 1_000), 0.3489080841213134);
    close(fisher_more(400, 1_000, 3_000, 10_000), 1.0031672456687343e-10);
    close(fisher_more(0, 10, 0, 10), 1.0);
    close(fisher_more(0, 0, 1, 10), 1.0);
}

#[test]
fn lengths_agree_with_scipy() {
    let now = [1.2, 3.4, 5.5, 2.2, 7.1, 4.4, 4.4, 9.0];
    let base = [0.5, 1.2, 2.2, 2.1, 3.3, 0.7, 4.4, 1.1, 1.9, 2.8];
    close(mann_whitney_larger(&now, &base), 0.007122220778427316);
    let now: Vec<f64> = (0..40).map(|i| f64::from(i * 7 % 13)).collect();
    let base: Vec<f64> = (0..60).map(|i| f64::from(i * 5 % 11)).collect();
    close(mann_whitney_larger(&now, &base), 0.155485729552981);
    close(mann_whitney_larger(&[1.0, 1.0], &[1.0]), 1.0);
}

#[test]
fn means_are_compared_by_students_test() {
    // scipy.stats.ttest_ind(…, alternative="greater"): t = 9.1353.
    close(student_larger(&[1.4, 1.2, 1.6], &[-0.3, 0.1, 0.2, 0.0, -0.1, 0.3]), 1.9353699705185535e-05);
    assert!(student_larger(&[1.0], &[1.0, 1.0, 1.0]) >= 1.0, "without any spread nothing is known");
    assert!(student_larger(&[0.0, 0.1], &[0.0, 0.1, 0.05]) > 0.4);
}

#[test]
fn lengths_of_few_are_judged_exactly() {
    let base: Vec<f64> = (0..300).map(f64::from).collect();
    // One order of all that three and three hundred can have: 303 · 302 · 301 / 6.
    close(mann_whitney_larger(&[400.0, 500.0, 600.0], &base), 1.0 / 4_590_551.0);
    // Of five and five, none above, one, two: 1 + 1 + 2 of 252 orders.
    close(mann_whitney_larger(&[5.0, 7.0, 8.0, 9.0, 9.5], &[1.0, 2.0, 3.0, 4.0, 6.0]), 2.0 / 252.0);
    close(mann_whitney_larger(&[4.0, 7.0, 8.0, 9.0, 9.5], &[1.0, 2.0, 3.0, 5.0, 6.0]), 4.0 / 252.0);
    close(mann_whitney_larger(&[1.0, 2.0], &[3.0, 4.0]), 1.0);
    // An equal one counts half, and the half is rounded up.
    close(mann_whitney_larger(&[2.0, 3.0], &[1.0, 2.0]), 2.0 / 6.0);
    assert!(mann_whitney_larger(&[], &base) >= 1.0);
}

#[test]
fn q_values_agree_with_scipy() {
    let q_values = benjamini_hochberg(&[0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205]);
    let expected = [0.008, 0.032, 0.0672, 0.0672, 0.0672, 0.08, 0.592 / 7.0, 0.205];
    q_values.iter().zip(expected).for_each(|(value, expected)| close(*value, expected));
}

#[test]
fn quantiles_agree_with_numpy() {
    let mut values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
    close(quantile(&mut values, 0.5).unwrap(), 3.5);
    close(quantile(&mut values, 0.95).unwrap(), 7.95);
    assert_eq!(quantile(&mut [], 0.5), None);
}

fn slots(counts: &[f64]) -> Vec<Slot> {
    counts.iter().map(|count| Slot { count: *count, exposure: 1.0 }).collect()
}

#[test]
fn ratios_are_those_of_a_quasi_poisson_model() {
    let before = [300.0, 310.0, 290.0, 305.0, 295.0, 300.0, 300.0, 300.0];
    let calm = ratio_test(&slots(&before), &slots(&before)).unwrap();
    assert_eq!((calm.factor, calm.spread, calm.p), (1.0, 1.0, 1.0));
    let after: Vec<f64> = before.iter().map(|count| count * 2.0).collect();
    let more = ratio_test(&slots(&before), &slots(&after)).unwrap();
    close(more.factor, 2.0);
    // D = 2 (2400 ln(2400/3600) + 4800 ln(4800/3600)), by Student's t of 14 degrees of freedom.
    let deviance = 2.0 * (2400.0 * (2.0_f64 / 3.0).ln() + 4800.0 * (4.0_f64 / 3.0).ln());
    close(more.p, student_p(deviance.sqrt(), 14.0));
}

#[test]
fn one_burst_is_no_change_of_the_rate() {
    let calm = slots(&[2.0; 24]);
    let mut burst = vec![2.0; 24];
    (burst[7], burst[8]) = (60.0, 40.0);
    let test = ratio_test(&calm, &slots(&burst)).unwrap();
    assert!(test.factor > 2.5 && test.spread > 10.0 && test.p > 0.001, "{test:?}");
    let test = ratio_test(&calm, &slots(&[6.0; 24])).unwrap();
    assert!(test.p < 1e-7, "{test:?}");
}

/// `scipy.stats.binomtest(5, 5, 0.5)` has 0.0625.
#[test]
fn few_events_are_tested_exactly() {
    let none = slots(&[0.0; 12]);
    let mut five = vec![0.0; 12];
    [1, 3, 5, 7, 9].iter().for_each(|at| five[*at] = 1.0);
    close(ratio_test(&none, &slots(&five)).unwrap().p, 0.0625);
    assert_eq!(ratio_test(&none, &none), None);
    assert_eq!(ratio_test(&slots(&[1.0]), &slots(&[9.0])), None);
}

#[test]
fn shares_are_judged_by_how_much_they_vary_by_themselves() {
    let steady = [Part { hits: 1, of: 100 }; 24];
    let more = [Part { hits: 5, of: 100 }; 24];
    assert!(share_test(&steady, &more) < 1e-9);
    close(share_test(&steady, &steady), 1.0);
    let mut bursts = [Part { hits: 0, of: 100 }; 24];
    bursts[3] = Part { hits: 60, of: 100 };
    assert!(share_test(&bursts, &more) > 0.01);
    assert!(share_test(&[Part::default(); 3], &more) > 0.99);
}

#[test]
fn what_is_slow_for_all_at_once_counts_once() {
    let slot = |ms: f64| (0..20).map(|one| (ms + f64::from(one), 1)).collect::<Counted>();
    let calm: Vec<Counted> = (0..12).map(|_| slot(100.0)).collect();
    let slow: Vec<Counted> = (0..12).map(|at| slot(115.0 + f64::from(at % 3))).collect();
    let test = clustered_rank_test(&calm, &slow).unwrap();
    assert!(test.p < 1e-9 && test.larger > 0.9, "{test:?}");
    // The same lengths in two rushes of otherwise calm hours.
    let rushes: Vec<Counted> = (0..12).map(|at| slot(if at / 2 == 3 { 200.0 } else { 100.0 })).collect();
    let test = clustered_rank_test(&calm, &rushes).unwrap();
    assert!(test.p > 0.1, "{test:?}");
    assert_eq!(clustered_rank_test(&calm[..3], &slow), None);
    close(clustered_rank_test(&calm, &calm).unwrap().p, 1.0);
}
