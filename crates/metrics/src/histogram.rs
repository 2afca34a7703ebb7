use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Kind, Text};

/// Upper bounds of the buckets, in seconds.
const BOUNDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// How long something took, each time: from one millisecond to five seconds.
#[derive(Debug, Default)]
pub struct Histogram {
    /// The last one is of what took longer.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanos: AtomicU64,
}

impl Histogram {
    /// It took so long once more.
    pub fn took(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Tells it under that name.
    pub fn tell(&self, text: &mut Text, name: &str, help: &str) {
        text.family(name, Kind::Histogram, help);
        let bucket = format!("{name}_bucket");
        let mut count = 0;
        for (index, counted) in self.buckets.iter().enumerate() {
            count += counted.load(Ordering::Relaxed);
            let bound = BOUNDS.get(index).map_or_else(|| "+Inf".to_owned(), f64::to_string);
            text.number(&bucket, &[("le", &bound)], count as f64);
        }
        text.number(&format!("{name}_sum"), &[], self.nanos.load(Ordering::Relaxed) as f64 / 1e9);
        text.number(&format!("{name}_count"), &[], count as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_all_below_them() {
        let histogram = Histogram::default();
        for millis in [1, 3, 6_000] {
            histogram.took(Duration::from_millis(millis));
        }
        let mut text = Text::default();
        histogram.tell(&mut text, "x_seconds", "Xs.");
        let text = text.into_string();
        let holds = |line: &str| text.lines().any(|told| told == line);
        assert!(holds("x_seconds_bucket{le=\"0.001\"} 1"), "{text}");
        assert!(holds("x_seconds_bucket{le=\"5\"} 2"), "{text}");
        assert!(holds("x_seconds_bucket{le=\"+Inf\"} 3"), "{text}");
        assert!(holds("x_seconds_count 3") && holds("x_seconds_sum 6.004"), "{text}");
    }
}
