//! The page and the HTTP API: who may ask, how much, and what is sent back.
//!
//! A [`Server`] answers over HTTP what a [`Questions`] knows to answer. Nothing here knows the store or SQL, and nothing
//! of what comes in is run, written or fetched: a request names a question, and its reply is what the question wrote
//! into a [`Reply`], in a process of its own.

mod apart;
mod api;
mod aside;
mod assets;
mod at_once;
mod follow;
mod guard;
mod jaeger;
mod limits;
mod listener;
mod looks;
mod metrics;
mod problem;
mod questions;
mod reply;
mod routes;
mod server;
mod session;
mod settings;

pub use apart::{Allowed, answer_one};
pub use aside::{Aside, Parts};
pub use at_once::{Whole, answer_at_once};
pub use follow::Followed;
pub use limits::QUESTIONS_AT_ONCE;
pub use listener::acceptor;
pub use problem::{Kind, Refusal};
pub use questions::{Answers, Asked, Questions};
pub use reply::Reply;
pub use server::{ServeError, Server};
pub use settings::{Place, Settings, Tls, Token};
