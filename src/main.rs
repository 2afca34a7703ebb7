//! `emp-events`: a local columnar event store with SQL, for people who debug distributed job systems.
//!
//! The binary: a command line over the rooms in `crates/`. ARCHITECTURE.md is the map.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
