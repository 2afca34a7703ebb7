//! What a shell is offered as the value of an option: what the store has.

use std::ffi::OsStr;
use std::time::Duration;

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};

use emp_query::Engine;
use emp_store::Layout;

use super::answer::{canned, runtime};
use crate::cli::options::store_in;

/// A shell waits for the answer between two keys.
const PATIENCE: Duration = Duration::from_millis(500);
/// More are no help.
const JOBS_MAX: usize = 100;

/// Which arguments take a value of which column.
const COLUMNS: [(&str, &str); 8] = [
    ("job", "job_id"),
    ("jobs", "job_id"),
    ("job_id", "job_id"),
    ("service", "service"),
    ("event_type", "event_type"),
    ("worker_id", "worker_id"),
    ("machine_id", "machine_id"),
    ("user_id", "user_id"),
];

/// The same commands, whose arguments know what the store has.
pub(crate) fn with_candidates(command: Command) -> Command {
    let is_query = command.get_name() == "query";
    command.mut_args(|argument| with_candidates_of(argument, is_query)).mut_subcommands(with_candidates)
}

fn with_candidates_of(argument: Arg, is_query: bool) -> Arg {
    if is_query && argument.get_id() == "name" {
        return argument.add(ArgValueCompleter::new(queries));
    }
    let known = COLUMNS.iter().find(|(id, _)| argument.get_id() == id);
    match known {
        Some((_, column)) => argument.add(ArgValueCompleter::new(|begun: &OsStr| values(column, begun))),
        None => argument,
    }
}

fn queries(begun: &OsStr) -> Vec<CompletionCandidate> {
    let queries = canned().unwrap_or_default();
    let begun = begun.to_string_lossy();
    let known = queries.iter().filter(|query| query.name.starts_with(begun.as_ref()));
    known.map(|query| CompletionCandidate::new(&query.name).help(Some(query.summary.clone().into()))).collect()
}

/// The values of a column that begin so, of the newest part of the store; none where that takes too long.
fn values(column: &str, begun: &OsStr) -> Vec<CompletionCandidate> {
    let begun = begun.to_string_lossy().into_owned();
    let ask = async {
        let engine =
            Engine::open(&Layout::new(Some(store_in(std::env::args_os())).filter(|store| store.is_dir())?)).ok()?;
        let values = match column {
            "job_id" => engine.newest_jobs_like(&begun, JOBS_MAX).await,
            column => engine.newest_values(column).await,
        };
        values.ok()
    };
    let asked = runtime().ok().and_then(|runtime| {
        let answer = runtime.block_on(async { tokio::time::timeout(PATIENCE, ask).await });
        // What was begun and took too long is not waited for.
        runtime.shutdown_background();
        answer.ok().flatten()
    });
    let values = asked.unwrap_or_default().into_iter().filter(|value| value.starts_with(&begun));
    values.map(CompletionCandidate::new).collect()
}
