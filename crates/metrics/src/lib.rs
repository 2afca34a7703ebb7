//! What a program says of itself, as Prometheus reads it: the text, and a listener that is small enough for a daemon.
//!
//! The listener is written by hand: one of a library keeps hundreds of kilobytes a connection, and a daemon that must
//! stay below 30 MB is asked four times a minute for one text.

mod histogram;
mod listener;
mod process;
mod text;

pub use histogram::Histogram;
pub use listener::{ListenError, Listener, Told};
pub use process::tell_process;
pub use text::{Kind, Text};
