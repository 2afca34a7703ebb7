//! What daemons tell Prometheus, the rules and the dashboard that read it, and real faults that set them off.

mod faults;
pub mod prometheus;
mod told;
