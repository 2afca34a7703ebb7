//! What a program finds around it: where a user's own files go, and a reader that has gone.

mod closed_pipe;
mod user_folder;

pub use closed_pipe::is_closed_pipe;
pub use user_folder::user_folder;
