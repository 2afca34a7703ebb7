//! What a program finds around it: where a user's own files go, a reader that has gone, how long to wait for
//! what fails, and its processors.

mod backoff;
mod closed_pipe;
mod threads;
mod user_folder;

pub use backoff::Backoff;
pub use closed_pipe::is_closed_pipe;
pub use threads::{all_threads, at_once, for_each_share, share};
pub use user_folder::user_folder;
