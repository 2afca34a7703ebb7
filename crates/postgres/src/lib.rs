//! PostgreSQL's wire protocol, as far as programs need it that read: psql, Grafana, psycopg.
//!
//! It is written by hand: the crates that speak it turn on features of `chrono`, `rand` and `syn` that everything below
//! DataFusion is built with. Nothing here knows SQL or the store: a [`Database`] is asked, and its rows are written out.

mod literals;
mod scram;
mod server;
mod session;
mod value;
mod wire;

pub use server::{ListenError, Listening, listen};
pub use value::{Column, Database, Refused, Rows, Type, Value};
