use std::collections::HashMap;

/// Types with a bucket of their own. Whoever puts ids into types must not make this map grow for ever.
const TYPES_MAX: usize = 1_000;

/// A token bucket for each event type.
#[derive(Debug)]
pub(crate) struct Limiter {
    /// Tokens a second; 0 allows everything.
    rate: f64,
    burst: f64,
    buckets: HashMap<String, Bucket>,
    /// Shared by all types beyond [`TYPES_MAX`].
    rest: Bucket,
    /// Shared by all errors: a flood of others takes nothing from them.
    errors: Bucket,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    filled_ms: u64,
}

impl Limiter {
    pub(crate) fn new(rate: u32, burst: u32) -> Self {
        let burst = f64::from(burst.max(1));
        let full = Bucket { tokens: burst, filled_ms: 0 };
        Self { rate: f64::from(rate), burst, buckets: HashMap::new(), rest: full, errors: full }
    }

    /// Takes a token for an event, if there is one.
    pub(crate) fn allows(&mut self, event_type: &str, is_error: bool, now_ms: u64) -> bool {
        if self.rate == 0.0 {
            return true;
        }
        let full = Bucket { tokens: self.burst, filled_ms: now_ms };
        let bucket = if is_error {
            &mut self.errors
        } else if let Some(bucket) = self.buckets.get_mut(event_type) {
            bucket
        } else if self.buckets.len() < TYPES_MAX {
            self.buckets.entry(event_type.to_owned()).or_insert(full)
        } else {
            &mut self.rest
        };
        bucket.take(self.rate, self.burst, now_ms)
    }
}

impl Bucket {
    fn take(&mut self, rate: f64, burst: f64, now_ms: u64) -> bool {
        // A clock that was set back gives nothing, and takes nothing.
        let elapsed_ms = now_ms.saturating_sub(self.filled_ms);
        self.filled_ms = now_ms;
        self.tokens = (self.tokens + elapsed_ms as f64 * rate / 1_000.0).min(burst);
        let is_allowed = self.tokens >= 1.0;
        if is_allowed {
            self.tokens -= 1.0;
        }
        is_allowed
    }
}
