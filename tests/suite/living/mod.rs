//! Who lives, whose clock is off, who is slow since when: told about small systems that each show one thing.

mod blame;
mod clients;
mod clocks;
mod errors;
mod missing;
mod parcels;
mod speed;
mod workers;
mod world;
