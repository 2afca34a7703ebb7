//! The store in a bucket: closed hours are put there once, and read from there by whoever may read.
//!
//! [`Archiver`] is the way in. The files lie there under the names that they have in the store's folder, so that other
//! engines read them as they are; what is derived from them lies beside, and one small object, the head, says what there
//! is. Nothing that must be right relies on conditional writes or on listings.

mod address;
mod archiver;
mod behind;
mod bundle;
mod cache;
mod cold;
mod connect;
mod derived;
mod error;
mod fetching;
mod files;
mod head;
mod health;
mod here;
mod process_credentials;
mod profile;
mod rebuilding;
mod records;
mod releasing;
mod remote;
mod retaining;
mod run;
mod runtime;
mod sending;
mod several;
mod state;
#[cfg(test)]
mod tests;
mod verify;

pub use address::{Address, Provider, WrongAddress};
pub use archiver::{Archiver, Backlog, Settings, Step};
pub use behind::with_archive;
pub use cold::Expected;
pub use error::BucketError;
pub use head::Head;
pub use health::{Status, archiving};
pub use rebuilding::Rebuilt;
pub use retaining::Taken;
pub use sending::OnFile;
pub use several::{Place, Store, stores_at, together};
pub use state::archive_of;
pub use verify::{Verified, Wrong, verify};
