use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use emp_query::{Engine, literal};

use crate::cli::ask::Asking;
use crate::cli::ask::answer::{AsOf, gather, show_list};
use crate::cli::failure::{Failure, Outcome};

/// Ids at most.
const IDS_MAX: usize = 20;
/// What an id may be the id of.
const KINDS: [(&str, &str); 3] = [("job", "job_id"), ("trace", "trace_id"), ("worker", "worker_id")];

/// Find the job, trace or worker that is meant by the beginning of an id
#[derive(Debug, Args)]
pub(in crate::cli) struct Resolve {
    /// An id, or its beginning, which is looked for in the newest part of the store
    #[arg(long, value_name = "TEXT")]
    q: String,
    #[command(flatten)]
    as_of: AsOf,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Found {
    kind: &'static str,
    id: String,
}

impl Resolve {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        let engine = asking.engine()?;
        self.as_of.ms(asking, &engine)?;
        let text = self.q.trim();
        let mut all: Vec<Found> = Vec::new();
        if text.is_empty() {
            show_list(asking, &all, |_, _| Ok(()))?;
            return Ok(ExitCode::SUCCESS);
        }
        for (kind, column) in KINDS {
            if is_there(asking, &engine, column, text).await? {
                all.push(Found { kind, id: text.to_owned() });
            }
        }
        for (kind, column) in KINDS {
            let mut ids = engine.newest_like(column, text, IDS_MAX).await?;
            ids.sort_unstable();
            all.extend(ids.into_iter().filter(|id| id != text).map(|id| Found { kind, id }));
        }
        all.truncate(IDS_MAX);
        show_list(asking, &all, |_, _| Ok(()))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Has any event that id, however old it is? The index of ids knows.
async fn is_there(asking: &Asking<'_>, engine: &Engine, column: &str, id: &str) -> Result<bool, Failure> {
    let sql = format!("select 1 from events where {column} = {} limit 1", literal(id));
    let batches = gather(asking, engine.sql(&sql).await?).await?;
    Ok(batches.iter().any(|batch| batch.num_rows() > 0))
}
