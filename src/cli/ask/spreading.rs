//! Workers that help with questions.

use std::sync::{Arc, OnceLock};

use clap::Args;
use emp_distribute::{Token, Url, Workers, address};
use emp_query::Spread;
use emp_units::{bytes, count, parse_bytes};

use crate::cli::failure::{Failure, say};

const HEADING: &str = "Options of every command";

/// Those that help.
#[derive(Debug, Clone, Args)]
pub(crate) struct WorkersOptions {
    /// Have these workers read the files of a question that reads many, as http://HOST:PORT or https://HOST:PORT (see
    /// `emp-events worker --help`)
    #[arg(
        long,
        global = true,
        value_name = "URL,…",
        value_delimiter = ',',
        env = "EMP_EVENTS_WORKERS",
        value_parser = address,
        help_heading = HEADING
    )]
    workers: Vec<Url>,
    /// The token that the workers were started with
    #[arg(
        long,
        global = true,
        value_name = "TOKEN",
        env = "EMP_EVENTS_WORKER_TOKEN",
        hide_env_values = true,
        value_parser = Token::chosen,
        help_heading = HEADING
    )]
    worker_token: Option<Token>,
    /// How many bytes of files are worth a worker: what reads fewer is answered here
    #[arg(
        long,
        global = true,
        value_name = "SIZE",
        env = "EMP_EVENTS_WORKER_BYTES",
        default_value = "32MiB",
        value_parser = parse_bytes,
        help_heading = HEADING
    )]
    worker_bytes: u64,
}

/// All questions of this process are helped with by the same.
static WORKERS: OnceLock<Arc<Workers>> = OnceLock::new();

impl WorkersOptions {
    /// Those that help, if any do.
    pub fn others(&self) -> Result<Option<Arc<dyn Spread>>, Failure> {
        if self.workers.is_empty() {
            return Ok(None);
        }
        if let Some(known) = WORKERS.get() {
            return Ok(Some(Arc::clone(known) as Arc<dyn Spread>));
        }
        let Some(token) = &self.worker_token else {
            return Err(Failure::Usage(
                "--workers needs the token that they were started with: --worker-token".to_owned(),
            ));
        };
        let workers = Workers::new(self.workers.clone(), token, self.worker_bytes, Arc::new(say))?;
        Ok(Some(Arc::clone(WORKERS.get_or_init(|| Arc::new(workers))) as Arc<dyn Spread>))
    }
}

/// Says what workers had to do, where they had.
pub(crate) fn tell_shares() {
    for (url, share) in WORKERS.get().map(|workers| workers.shares()).unwrap_or_default() {
        let url = url.as_str().trim_end_matches('/');
        eprintln!("{url}: {} tasks, {} of files", count(share.tasks as u64), bytes(share.bytes));
    }
}
