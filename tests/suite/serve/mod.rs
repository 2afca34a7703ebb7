//! `emp-events serve`: the real binary on real stores, asked over real sockets.

mod answers;
mod catalog;
mod described;
mod documents;
mod exporting;
mod following;
mod jaeger;
mod law;
mod limits;
mod places;
mod postgres;
mod safety;
pub mod scene;
