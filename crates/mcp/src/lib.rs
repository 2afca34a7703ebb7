//! The Model Context Protocol on stdin and stdout: JSON-RPC, a message a line, as far as a server of tools needs it.
//!
//! It is written by hand: the protocol's own crate turns on features of `serde`, `indexmap` and `chrono` that everything
//! below DataFusion is built with, for what are five methods here.

mod bounded;
mod protocol;

pub use bounded::bounded;
pub use protocol::{Answer, Tool, Tools, serve};
