//! What a program finds around it: where a user's own files go, a reader that has gone, and how long to wait for
//! what fails.

mod backoff;
mod closed_pipe;
mod user_folder;

pub use backoff::Backoff;
pub use closed_pipe::is_closed_pipe;
pub use user_folder::user_folder;
