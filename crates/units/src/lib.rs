//! Numbers, times and spans of time: as people read them, and as they type them.

mod amount;
mod bucket;
mod error;
mod moment;
mod shown;

pub use amount::{parse_bytes, parse_duration, parse_positive_duration};
pub use bucket::bucket_ms;
pub use error::ParseError;
pub use moment::parse_moment;
pub use shown::{
    bytes, count, counted, decimal, duration, factor, millis, probability, signed_millis, sparkline, tenth,
};

#[cfg(test)]
mod tests;
