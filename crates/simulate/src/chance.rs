use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, LogNormal};

use super::kinds::{JOB_KINDS, JobKind};

/// How long something takes: lognormal, as most waits of computers are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    /// Half of them are shorter.
    pub median_ms: f64,
    /// The deviation of the logarithm.
    pub spread: f64,
}

impl Length {
    pub const fn new(median_ms: f64, spread: f64) -> Self {
        Self { median_ms, spread }
    }

    pub fn mean_ms(self) -> f64 {
        self.median_ms * (self.spread * self.spread / 2.0).exp()
    }
}

/// Every choice that the simulation leaves to chance, from one seed.
pub(super) struct Chance {
    random: ChaCha8Rng,
    time_scale: f64,
}

impl Chance {
    pub fn new(seed: u64, time_scale: f64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), time_scale }
    }

    /// Scaled, in whole microseconds, so that no later arithmetic depends on the machine.
    pub fn duration_us(&mut self, length: Length) -> i64 {
        // Only a spread that is no number is refused, and all lengths are constants of ours.
        let distribution = LogNormal::new(length.median_ms.ln(), length.spread).expect("a finite spread");
        let ms = distribution.sample(&mut self.random);
        self.scaled_us(ms)
    }

    /// A wait without memory, as between two independent arrivals; not scaled.
    pub fn interval_us(&mut self, mean_us: f64) -> i64 {
        let share: f64 = self.random.random();
        (-(1.0 - share).ln() * mean_us).round() as i64
    }

    /// A duration of the simulated world in virtual time.
    pub fn scaled_us(&self, ms: f64) -> i64 {
        ((ms * 1_000.0 * self.time_scale).round() as i64).max(1)
    }

    /// From the lowest to the highest, both included.
    pub fn between(&mut self, lowest: i64, highest: i64) -> i64 {
        self.random.random_range(lowest..=highest)
    }

    /// True in so many of 10,000 cases.
    pub fn happens(&mut self, of_ten_thousand: u32) -> bool {
        self.random.random_range(0..10_000) < of_ten_thousand
    }

    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.random.random_range(0..choices.len())]
    }

    /// A kind of job, each as often as its weight says.
    pub fn job_kind(&mut self) -> &'static JobKind {
        let mut rest = self.random.random_range(0..JOB_KINDS.iter().map(|kind| kind.weight).sum::<u32>());
        for kind in JOB_KINDS {
            if rest < kind.weight {
                return kind;
            }
            rest -= kind.weight;
        }
        &JOB_KINDS[0]
    }

    /// 32 hexadecimal digits.
    pub fn trace_id(&mut self) -> String {
        format!("{:016x}{:016x}", self.random.next_u64(), self.random.next_u64())
    }

    /// The prefix and so many digits in base 36, at most 12.
    pub fn id(&mut self, prefix: &str, digits: usize) -> String {
        const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let mut bits = self.random.next_u64();
        let mut id = String::with_capacity(prefix.len() + digits);
        id.push_str(prefix);
        for _ in 0..digits {
            id.push(char::from(DIGITS[(bits % 36) as usize]));
            bits /= 36;
        }
        id
    }

    /// One of a few hundred users, the low numbers more often.
    pub fn user_id(&mut self) -> String {
        let bound = self.between(1, 240);
        format!("user_{:04}", 1000 + self.between(1, bound))
    }
}
