//! A lifelike load: an EMP job system simulated event by event, the same for the same seed.
//!
//! [`Simulation`] yields what its producers would write, in order of arrival;
//! [`into_store`] writes whole hours of it into a store. Jobs walk from the API server over
//! a worker and its connector to the webhook service, and some go wrong in the ways that
//! people debug: they get stuck, are retried, meet a slow worker or a host whose clock is
//! ahead. An [`Incident`] plants one such case at a known time. A [`World`] is what kind of system tells of it all.

mod background;
mod chance;
mod delivery;
mod fleet;
mod generator;
mod incident;
mod into_store;
mod into_stream;
mod job;
mod json;
mod kinds;
mod settings;
mod tell;
mod tongue;
mod troubles;
mod world;

pub use generator::{Arrival, Simulation};
pub use incident::{Incident, IncidentKind, Planted};
pub use into_store::{Progress, SimulateError, Summary, WRITER, into_store};
pub use into_stream::{Fed, Feed, feed_stream};
pub use settings::Settings;
pub use world::World;

#[cfg(test)]
mod tests;
