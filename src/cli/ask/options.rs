use clap::Args;

use emp_units::parse_bytes;

#[cfg(feature = "workers")]
use super::spreading::WorkersOptions;

/// Options of questions.
#[derive(Debug, Clone, Args)]
pub(crate) struct AskOptions {
    /// What a question may use for sorting, grouping and joining, such as 512MiB [default: a quarter
    /// of the machine's memory]
    #[arg(
        long,
        global = true,
        value_name = "SIZE",
        env = "EMP_EVENTS_MEMORY",
        value_parser = parse_bytes,
        help_heading = "Options of every command"
    )]
    pub memory: Option<u64>,
    #[cfg(feature = "workers")]
    #[command(flatten)]
    pub workers: WorkersOptions,
}
