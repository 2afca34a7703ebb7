use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use emp_collect::{CollectError, Room, check_law_by_catalog};
use emp_stream::StreamError;

use crate::cli::ask::Asking;
use crate::cli::ask::answer::write_json;
use crate::cli::failure::{Failure, Missing, Outcome};
use crate::cli::upkeep::law_as_json;

/// Say where every entry is that the stream was ever given, and how soon the first one would be lost
#[derive(Debug, Args)]
pub(in crate::cli) struct Law {}

impl Law {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        let settings = asking.collect_settings(None)?;
        let law = check_law_by_catalog(&settings).await.map_err(refused)?;
        let room = Room::look(&settings).await.map_err(refused)?;
        let mut answer = law_as_json(&law);
        answer["stream"] = json!({
            "entries": room.entries, "entries_max": room.entries_max, "unread": room.unread, "bytes": room.bytes,
            "added_per_second": room.added_per_second, "first_loss_ms": room.first_loss_ms,
            "answered_ms": room.answered_ms,
        });
        write_json(&mut &*asking, asking, &answer)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Where there is no stream that anybody reads, there is no sum.
fn refused(error: CollectError) -> Failure {
    match error {
        CollectError::Stream(error @ StreamError::NoGroup { .. }) => Missing(error.to_string()).into(),
        error => error.into(),
    }
}
