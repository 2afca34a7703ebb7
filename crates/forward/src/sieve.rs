//! What is not sent: what is not grave enough, and what was not drawn into the sample.

use xxhash_rust::xxh3::xxh3_64;

use emp_event::{Event, Level};

/// Which events are sent. Errors always are.
#[derive(Debug, Clone, Default)]
pub struct Sieve {
    /// Nothing below this level.
    pub min_level: Option<Level>,
    /// Event types, and which share of their traces is kept.
    pub samples: Vec<Sample>,
}

/// A share of the events of one type.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    event_type: String,
    rate: f64,
}

impl Sample {
    /// Reads `job.progress_updated=0.1`; `None` where the text is none such.
    pub fn parse(text: &str) -> Option<Self> {
        let (event_type, rate) = text.split_once('=')?;
        let rate = rate.trim().parse().ok().filter(|rate| (0.0..=1.0).contains(rate))?;
        let event_type = event_type.trim().to_owned();
        (!event_type.is_empty()).then_some(Self { event_type, rate })
    }

    fn applies_to(&self, event_type: &str) -> bool {
        match self.event_type.strip_suffix('*') {
            Some(beginning) => event_type.starts_with(beginning),
            None => event_type == self.event_type,
        }
    }
}

impl Sieve {
    /// Is the event to be sent?
    pub fn keeps(&self, event: &Event<'_>) -> bool {
        if event.level == Level::Error {
            return true;
        }
        if self.min_level.is_some_and(|least| event.level < least) {
            return false;
        }
        match self.samples.iter().find(|sample| sample.applies_to(&event.event_type)) {
            Some(sample) => draw(event) < sample.rate,
            None => true,
        }
    }
}

/// A number in [0, 1) that is the same for all events of a trace, or else of a job, so that it is kept whole
/// or not at all, at each start and in each process.
fn draw(event: &Event<'_>) -> f64 {
    let hash = match event.trace_id.as_ref().or(event.job_id.as_ref()) {
        Some(id) => xxh3_64(id.as_bytes()),
        None => xxh3_64(event.id.to_string().as_bytes()),
    };
    // The 53 highest bits are what an f64 holds exactly.
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}
