use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use std::process::ExitCode;

use emp_findings::Moment;
use emp_query::Engine;
use emp_store::StoreWriter;

use crate::cli::ask::Asking;
use crate::cli::ask::answer::{AsOf, gather, write_json};
use crate::cli::ask::serve::questions::names;
use crate::cli::failure::{Failure, Outcome};

/// Say what the store is, and what is in it
#[derive(Debug, Args)]
pub(in crate::cli) struct Meta {
    #[command(flatten)]
    as_of: AsOf,
}

impl Meta {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        let engine = asking.engine()?;
        let now_ms = self.as_of.ms(asking, &engine)?;
        let range = range(asking, &engine).await?;
        let live = asking.folders().iter().any(|layout| StoreWriter::is_locked(layout).unwrap_or(false));
        let events: u64 = engine.kept_by_writers()?.values().map(|kept| kept.events).sum();
        let meta = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "store": asking.shown_store(),
            "now": Moment(now_ms),
            "now_ms": now_ms,
            "clock_ms": Timestamp::now().as_millisecond(),
            "tz": asking.time_zone().iana_name(),
            "live": live,
            "first_event_ms": range.0,
            "last_event_ms": range.1,
            "events": events,
            "services": engine.newest_values("service").await?,
            "event_types": engine.newest_values("event_type").await?,
            "commands": names().collect::<Vec<_>>(),
        });
        write_json(&mut &*asking, asking, &meta)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// When the first and the last event happened, ms since the epoch.
async fn range(asking: &Asking<'_>, engine: &Engine) -> Result<(Option<i64>, Option<i64>), Failure> {
    let sql =
        "select arrow_cast(min(timestamp), 'Int64') as first, arrow_cast(max(timestamp), 'Int64') as last from events";
    let batches = gather(asking, engine.sql(sql).await?).await?;
    let of = |column: usize| {
        let batch = batches.iter().find(|batch| batch.num_rows() > 0)?;
        let values = batch.column(column).as_primitive_opt::<Int64Type>()?;
        values.iter().next().flatten()
    };
    Ok((of(0), of(1)))
}
