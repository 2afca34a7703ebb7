//! The binary `emp-events`. All it does is in [`emp_events::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    emp_events::cli::run()
}
