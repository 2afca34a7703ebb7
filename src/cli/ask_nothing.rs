//! What stands in for `ask` where the program is built without SQL: no question, no option of one, and
//! nothing that is learnt from events.

use clap::{Args, Subcommand};
use emp_collect::Check;
use emp_event::visible_lines;
use emp_forward::Settings;

use super::failure::{Failure, Outcome};
use super::options::Options;

pub(super) use super::options::runtime;

#[derive(Subcommand)]
pub(super) enum Command {}

impl Command {
    pub fn run(self, _: &Options) -> Outcome {
        match self {}
    }
}

#[derive(Debug, Clone, Args)]
pub(super) struct AskOptions {}

#[derive(Debug, Args)]
pub(super) struct FromStore {}

impl FromStore {
    pub fn run(&self, _: &Options, _: &Settings) -> Option<Outcome> {
        None
    }
}

pub(super) fn with_candidates(command: clap::Command) -> clap::Command {
    command
}

#[derive(Debug, Args)]
pub(super) struct AsOf {}

impl AsOf {
    pub fn given_ms(&self, _: &Options) -> Result<Option<i64>, Failure> {
        Ok(None)
    }
}

pub(super) async fn check_events_at_shell(_: &Options, _: &AsOf) -> Vec<Check> {
    Vec::new()
}

pub(super) fn as_shown(text: &str, _: &Options) -> String {
    visible_lines(text)
}

pub(super) fn is_wrong_usage(_: &anyhow::Error) -> bool {
    false
}
