//! Redis: the stream that producers write to, and the consumer group that reads it.
//!
//! [`GroupReader`] reads, acknowledges and waits; [`Accounts`] tell what was trimmed before it
//! was read; [`Producer`] adds events. This room knows neither files nor OTLP.

mod accounts;
mod address;
mod connection;
mod entries;
mod error;
mod fence;
mod forwarded;
mod inquiry;
mod ledger;
mod pace;
mod poll;
mod producer;
mod reader;
mod reply;
mod resp;
mod sentinel;
mod tail;
mod tls;

pub use accounts::Accounts;
pub use address::RedisAddress;
pub use connection::Connection;
pub use entries::{Entries, Entry};
pub use error::StreamError;
pub use forwarded::Lease;
pub use inquiry::{Consumer, Memory, Unread};
pub use ledger::{Earlier, Holding, Returned};
pub use poll::{Poll, Settled, Start};
pub use producer::Producer;
pub use reader::GroupReader;
pub use reply::StreamState;
pub use tail::StreamTail;

/// The stream's name where none is set.
pub const DEFAULT_STREAM: &str = "emp:events";

/// How many entries producers keep in the stream, about: `XADD … MAXLEN ~`.
pub const STREAM_LENGTH_MAX: u64 = 10_000;

#[cfg(test)]
mod tests;
