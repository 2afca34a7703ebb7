//! What answers look like: snapshots of whole screens, and what must hold for any of them.

mod fixtures;
mod formats;
mod table;
mod text;
