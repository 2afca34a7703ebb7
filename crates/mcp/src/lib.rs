//! The Model Context Protocol on stdin and stdout, for a server of tools that answer with text.
//!
//! The protocol itself is `rmcp`'s, by those who specify it: versions, errors, cancelling. Here is what remains: tools
//! that are one after the other asked, and answers that are no longer than they may be.

mod bounded;
mod server;

pub use bounded::bounded;
pub use server::{Answer, McpError, Tool, Tools, serve};
