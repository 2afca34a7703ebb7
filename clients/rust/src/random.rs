/// A random number; where the system gives none, which it does once it has started, another one than the last.
pub(crate) fn random() -> u64 {
    getrandom::u64().unwrap_or_else(|_| crate::event::now_ns())
}

/// A random number from 0 up to 1.
pub(crate) fn random_share() -> f64 {
    share(random())
}

/// A number's place among all numbers, from 0 up to 1; 53 bits are what an f64 holds exactly.
pub(crate) fn share(number: u64) -> f64 {
    ((number >> 11) as f64) / ((1_u64 << 53) as f64)
}
