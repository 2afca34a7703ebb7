//! Forwarding: a second consumer group, whose events go to an OTLP receiver such as Dash0.
//!
//! [`forward`] reads the stream, sends, and acknowledges after the final answer; what the stream
//! trimmed meanwhile it takes from the store. [`send_again`] sends events of the store by hand.
//! [`check_forwarder`] says how it goes.

mod again;
mod deliver;
mod error;
mod forwarder;
mod health;
mod otlp;
mod outbox;
mod place;
mod post;
mod settings;
mod sieve;
mod status;

pub use again::{Again, replay_dead_letters, send_again};
pub use error::ForwardError;
pub use forwarder::{Source, forward};
pub use health::{Forwarding, check_forwarder};
pub use otlp::Signals;
pub use settings::{Asked, Settings, SettingsError, Target};
pub use sieve::{Sample, Sieve};
pub use status::Counts;

/// The consumer group of the forwarder.
pub const GROUP: &str = "emp-dash0";

#[cfg(test)]
mod tests;
