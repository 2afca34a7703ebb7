//! What goes out to an OTLP backend: to `rotel`, and to a stub that fails in every way that the
//! specification names.

mod batches;
mod beside_the_collector;
mod crash;
mod faults;
mod forgetting;
mod full_redis;
mod http;
mod https;
mod otlp;
mod outage;
mod rotel;
pub mod scene;
mod second_opinion;
mod selection;
mod settings;
pub mod stub;
mod to_rotel;
