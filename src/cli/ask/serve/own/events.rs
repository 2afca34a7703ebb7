use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use emp_event::EntryId;
use emp_query::{EVENT_COLUMNS, literal, moment_literal};

use crate::cli::ask::Asking;
use crate::cli::ask::answer::{AsOf, TimeRange, stream};
use crate::cli::ask::filters::Filters;
use crate::cli::failure::Outcome;

/// Find events, those that arrived last first, a page after the other
#[derive(Debug, Args)]
pub(in crate::cli) struct Events {
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    range: TimeRange,
    /// Only events that arrived before the one of this ID: the page after the one that ended with it
    #[arg(long, value_name = "ID", value_parser = entry_id)]
    before: Option<EntryId>,
    /// Only events that arrived after it: those right after it
    #[arg(long, value_name = "ID", value_parser = entry_id)]
    after: Option<EntryId>,
    /// Events at most, 1000 or fewer
    #[arg(long, value_name = "EVENTS", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    #[command(flatten)]
    as_of: AsOf,
}

const NEWEST_FIRST: &str = "ingested_at desc, length(id) desc, id desc";
const OLDEST_FIRST: &str = "ingested_at, length(id), id";

impl Events {
    pub async fn answer(self, asking: &Asking<'_>) -> Outcome {
        let begun = Instant::now();
        let engine = asking.engine()?;
        let now_ms = self.as_of.ms(asking, &engine)?;
        let mut filter = self.filters.filter()?;
        (filter.since_ms, filter.until_ms) = self.range.bounds(asking, &self.as_of, now_ms)?;
        let mut conditions = vec![filter.sql()];
        conditions.extend(self.before.map(|id| beside(id, "<")));
        conditions.extend(self.after.map(|id| beside(id, ">")));
        let (conditions, limit) = (conditions.join(" and "), self.limit);
        let sql = format!("select {EVENT_COLUMNS} from events where {conditions}");
        let sql = match self.after {
            None => format!("{sql} order by {NEWEST_FIRST} limit {limit}"),
            // Those next to the ID, and not the newest of all.
            Some(_) => format!("select * from ({sql} order by {OLDEST_FIRST} limit {limit}) order by {NEWEST_FIRST}"),
        };
        asking.is_in_sql(&sql);
        stream(asking, &engine, begun, false, engine.sql(&sql)).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The condition that an event arrived on that side of the one of that ID: a moment, and within it a number.
fn beside(id: EntryId, side: &str) -> String {
    let text = id.to_string();
    let (moment, length, id) = (moment_literal(i64::try_from(id.ms).unwrap_or(i64::MAX)), text.len(), literal(&text));
    format!(
        "ingested_at {side}= {moment} and (ingested_at {side} {moment} or length(id) {side} {length} \
         or (length(id) = {length} and id {side} {id}))"
    )
}

pub(in crate::cli) fn entry_id(text: &str) -> Result<EntryId, String> {
    text.parse().map_err(|_| "expected the ID of an event, such as 1758967800000-0".to_owned())
}
