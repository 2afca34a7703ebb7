//! A terminal dashboard: what the system is doing, and what is wrong with it, again and again.
//!
//! [`Overview`] is one look at the store, [`Dashboard`] what is on the screen: it takes looks and keys,
//! and says what is to be done. Whoever owns the terminal does it.

mod overview;
mod screen;
mod state;

pub use overview::{Overview, ServiceRate, SlowType, StoreState, Trends};
pub use state::{Dashboard, Request};

#[cfg(test)]
mod tests;
