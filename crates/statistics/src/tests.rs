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
