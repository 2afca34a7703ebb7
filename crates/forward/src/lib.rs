//! Forwarding: a second consumer group, whose events go to an OTLP receiver such as Dash0.
//!
//! [`forward`] reads the stream, sends, and acknowledges after the final answer; what the stream
//! trimmed meanwhile it takes from the store. [`send_again`] sends events of the store by hand.
//! [`check_forwarder`] says how it goes.

mod again;
mod answer;
mod archive;
mod deliver;
mod error;
mod forwarder;
mod gap;
mod health;
mod otlp;
mod outbox;
mod post;
mod progress;
mod reading;
mod redis;
mod seams;
mod settings;
mod settling;
mod shutdown;
mod sieve;
mod status;
mod told;
mod work;

pub use again::{Again, replay_dead_letters, send_again};
pub use error::ForwardError;
pub use forwarder::{Ending, Source, forward};
pub use health::{Forwarding, check_forwarder};
pub use otlp::Signals;
pub use settings::{Asked, Settings, SettingsError, Target};
pub use sieve::{Sample, Sieve};
pub use status::Counts;
pub use told::tell_forwarder;

/// The consumer group of the forwarder.
pub const GROUP: &str = "emp-dash0";

#[cfg(test)]
mod tests;
