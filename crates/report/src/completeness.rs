//! What of a range may be missing, or is not to be trusted.

use emp_investigate::{
    ByClocks, EVENTS_WITH_CLOCKS_MAX, InvestigationError, Rows, WithoutLevel, clocks_note, clocks_since,
    has_many_events,
};
use emp_query::Engine;

use super::data::{Completeness, Rates, ReportQuestion};
use super::gather::in_range;

/// What is lost, quarantined, without a level or empty in the report's range, and whose clocks are wrong.
pub(super) async fn completeness(
    engine: &Engine,
    question: &ReportQuestion,
    rates: &Rates,
) -> Result<Completeness, InvestigationError> {
    let noticed = in_range(question).replace("timestamp ", "noticed_at ");
    let one = async |sql: String| -> Result<i64, InvestigationError> {
        Ok(Rows::ask(engine, &sql).await?.map(|row| row.integer("n"))?.first().copied().unwrap_or(0))
    };
    let sql = format!(
        "select count(*) as n, cast(min(timestamp) as bigint) as first, cast(max(timestamp) as bigint) as last \
         from events where {}",
        in_range(question)
    );
    let ends = Rows::ask(engine, &sql)
        .await?
        .map(|row| Ok((row.integer("n")?, row.integer("first")?, row.integer("last")?)))?;
    let ends = ends.first().filter(|(n, ..)| *n > 0).map(|(_, first, last)| (*first, *last));
    let has_many = has_many_events(engine, Some(question.since_ms), Some(question.until_ms), EVENTS_WITH_CLOCKS_MAX)?;
    let since_ms = if has_many { clocks_since(Some(question.since_ms), question.until_ms) } else { question.since_ms };
    let range = [("since", since_ms), ("until", question.until_ms)];
    let range: Vec<(String, String)> = range.iter().map(|(name, ms)| ((*name).to_owned(), ms.to_string())).collect();
    Ok(Completeness {
        clocks: clocks_note(engine, &range, ByClocks::Corrected).await?,
        lost: one(format!("select coalesce(sum(lost), 0) as n from losses where {noticed}")).await?,
        quarantined: one(format!("select count(*) as n from quarantine where {noticed}")).await?,
        without_level: WithoutLevel::of_range(engine, Some(question.since_ms), Some(question.until_ms)).await?.note(),
        empty: ends.map(|ends| empty_stretches(rates, ends)).unwrap_or_default(),
        ends,
    })
}

/// Buckets without any event, adjacent ones put together.
fn empty_stretches(rates: &Rates, (first_ms, last_ms): (i64, i64)) -> Vec<(i64, i64)> {
    let buckets = rates.services.first().map_or(0, |(_, values)| values.len());
    let mut empty: Vec<(i64, i64)> = Vec::new();
    for bucket in 0..buckets {
        let from_ms = rates.from_ms + bucket as i64 * rates.bucket_ms;
        let until_ms = from_ms + rates.bucket_ms;
        let is_empty = rates.services.iter().all(|(_, values)| values[bucket] == 0.0);
        if !is_empty || until_ms <= first_ms || from_ms > last_ms {
            continue;
        }
        match empty.last_mut().filter(|(_, until)| *until == from_ms) {
            Some((_, until)) => *until = until_ms,
            None => empty.push((from_ms, until_ms)),
        }
    }
    empty
}
