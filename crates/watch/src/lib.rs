//! What is told to people who are not looking: incidents, each once when it begins and once when it is over.
//!
//! [`seen`] makes incidents of what `anomalies` and `diagnose --all` say at one moment; a [`Book`] remembers from one
//! look to the next what is open and what was told, and gives the [`Message`]s that are to be sent; [`Courier`] sends
//! them. The book is written down before anything is sent and after each answer, so that a restart forgets nothing.

mod book;
mod courier;
mod incident;
mod kept;
mod message;
mod quiet;
mod target;
mod trial;

pub use book::{Book, Policy};
pub use courier::Courier;
pub use incident::{Seen, seen, without_collector};
pub use kept::{KeptError, Place};
pub use message::{Message, State};
pub use quiet::Quiet;
pub use target::{Shape, Target, TargetError};
pub use trial::{FalseMessage, Since, Told, Trial, is_within};
