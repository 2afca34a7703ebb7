//! The Mann–Whitney test where one side has few values.

use statrs::function::factorial::ln_binomial;

/// So many values are few.
pub(super) const FEW: usize = 7;

/// The probability that so few pairs of one of `now` and one of `base` have the larger one in `base`, or fewer, where
/// all orders are equally likely; a pair of equals counts half. How many orders have so many such pairs is the
/// coefficient of the Gaussian binomial ∏ (1 − qᵐ⁺ⁱ) / (1 − qⁱ), i = 1 … n.
pub(super) fn mann_whitney_of_few(now: &[f64], base: &[f64]) -> f64 {
    let (n, m) = (now.len(), base.len());
    if n == 0 {
        return 1.0;
    }
    let halves =
        |value: f64| base.iter().map(|other| usize::from(*other > value) + usize::from(*other >= value)).sum::<usize>();
    let pairs = now.iter().map(|value| halves(*value)).sum::<usize>().div_ceil(2);
    let mut orders = vec![0.0_f64; pairs + 1];
    orders[0] = 1.0;
    for i in 1..=n {
        for degree in i..=pairs {
            orders[degree] += orders[degree - i];
        }
        for degree in (m + i..=pairs).rev() {
            orders[degree] -= orders[degree - m - i];
        }
    }
    let ln_all = ln_binomial((n + m) as u64, n as u64);
    (orders.iter().sum::<f64>().ln() - ln_all).exp().min(1.0)
}
