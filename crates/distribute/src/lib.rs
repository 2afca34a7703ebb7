//! Questions spread over workers: other processes, on other machines as a rule, that read the same store.
//!
//! [`Workers`] is who asks: it has the engine's own plan, over the files that the catalog left, cut into tasks of about as
//! many bytes, and goes without who fails. [`serve`] is who helps: it reads the files of one store and nothing else, for
//! whoever knows its token. Cutting plans, moving rows and knowing what may run where is `datafusion-distributed`'s.

mod channels;
mod error;
mod held;
mod shares;
mod token;
mod worker;
mod workers;

pub use error::DistributeError;
pub use shares::Share;
pub use token::Token;
pub use url::Url;
pub use worker::{Certificate, Worker, serve};
pub use workers::{Tell, Workers, address};

/// What a worker and who asks it have to agree on: plans and functions are those of one version.
const VERSION: &str = env!("CARGO_PKG_VERSION");
