//! PostgreSQL's wire protocol, for programs that read: psql, Grafana, JDBC, psycopg.
//!
//! The protocol itself is `pgwire`'s: messages, SCRAM, TLS; how values are written is `arrow-pg`'s. Here is what a session
//! of readers needs. Nothing here knows SQL or the store: a [`Database`] is asked, and its rows are written out.

mod cancel;
mod database;
mod line;
mod parameters;
mod server;
mod session;
mod settings;
mod startup;
mod statements;

pub use database::{Answer, Database, Described, Parameter, Refused};
pub use pgwire::tokio::TlsAcceptor;
pub use server::{Encryption, ListenError, Listening, listen};
