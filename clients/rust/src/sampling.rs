use crate::random::{random, share};

/// A share of the events of one type, or of all types that begin alike.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    /// A type, or its beginning where `is_prefix`.
    pattern: String,
    is_prefix: bool,
    rate: f64,
}

impl Sample {
    /// `websocket.*` stands for every type that begins with `websocket.`.
    pub(crate) fn new(pattern: &str, rate: f64) -> Self {
        let (pattern, is_prefix) = match pattern.strip_suffix('*') {
            Some(beginning) => (beginning, true),
            None => (pattern, false),
        };
        Self { pattern: pattern.to_owned(), is_prefix, rate: rate.clamp(0.0, 1.0) }
    }

    /// Reads `job.progress_updated=0.1,websocket.*=0.5`. What cannot be read is left out: a typing
    /// error in the environment must not stop a service.
    pub(crate) fn parse_all(text: &str) -> Vec<Self> {
        let parse = |part: &str| {
            let (pattern, rate) = part.split_once('=')?;
            let rate: f64 = rate.trim().parse().ok()?;
            rate.is_finite().then(|| Self::new(pattern.trim(), rate))
        };
        text.split(',').filter_map(parse).collect()
    }

    fn fits(&self, event_type: &str) -> bool {
        if self.is_prefix { event_type.starts_with(&self.pattern) } else { event_type == self.pattern }
    }
}

/// The rate for a type, where not all are kept: that of the type itself, else of the first pattern.
pub(crate) fn rate(samples: &[Sample], event_type: &str) -> Option<f64> {
    let exact = samples.iter().find(|sample| !sample.is_prefix && sample.fits(event_type));
    let sample = exact.or_else(|| samples.iter().find(|sample| sample.fits(event_type)))?;
    (sample.rate < 1.0).then_some(sample.rate)
}

/// Is the event kept? The same key gives the same answer in every service, so that a trace is
/// kept or left out as a whole.
pub(crate) fn is_kept(key: Option<&str>, rate: f64) -> bool {
    share(key.map_or_else(random, hash)) < rate
}

/// FNV-1a alone leaves the upper bits of short keys alike; the finaliser of murmur3 spreads them.
fn hash(key: &str) -> u64 {
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut hash = key.bytes().fold(0xcbf2_9ce4_8422_2325, fnv);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}
