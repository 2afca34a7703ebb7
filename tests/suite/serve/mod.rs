//! `emp-events serve`: the real binary on real stores, asked over real sockets.

mod answers;
mod documents;
mod following;
mod limits;
mod places;
mod postgres;
mod safety;
pub mod scene;
