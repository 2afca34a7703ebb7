//! Types of events that there were none of before: new, or only rare.

use std::collections::HashSet;

use emp_findings::{ChangeKind, Direction, Test};
use emp_query::{Engine, literal};

use super::candidate::Candidate;
use super::earlier::{Earlier, absence};
use super::ranges::Ranges;
use super::series::Series;
use crate::investigation::InvestigationError;

/// So many events of a new type are worth telling.
const EVENTS_MIN: u64 = 3;

/// Judges the types that are new by all that the store knows from before: what was seen there is not new.
pub(super) async fn judge(
    engine: &Engine,
    found: &mut [Candidate],
    series: &[Series],
    ranges: &Ranges,
    earlier: &Earlier,
) -> Result<(), InvestigationError> {
    let is_new = |one: &&mut Candidate| one.change.kind == ChangeKind::EventType && one.change.change == Direction::New;
    let new: Vec<&mut Candidate> = found.iter_mut().filter(is_new).collect();
    let known = known(engine, &new, ranges, earlier).await?;
    for one in new {
        let change = &mut one.change;
        let pair = (change.service.clone().unwrap_or_default(), change.what.clone());
        if known.contains(&pair) {
            change.change = Direction::More;
            change.words.push_str(" in the earlier range, but some before that");
            continue;
        }
        let of_pair = series.iter().find(|one| (&one.service, &one.event_type) == (&pair.0, &pair.1));
        let active = of_pair.map_or(0, |one| one.events.iter().filter(|events| **events > 0).count());
        change.test = Test::Absence;
        change.p_value = absence(active as f64, earlier.share_with(ranges));
        one.is_large = change.after_count >= EVENTS_MIN;
    }
    Ok(())
}

async fn known(
    engine: &Engine,
    new: &[&mut Candidate],
    ranges: &Ranges,
    earlier: &Earlier,
) -> Result<HashSet<(String, String)>, InvestigationError> {
    if new.is_empty() || earlier.is_empty() {
        return Ok(HashSet::new());
    }
    let names: Vec<String> = new.iter().map(|one| literal(&one.change.what)).collect();
    let sql = format!(
        "select service, event_type from events where event_type in ({}) and {} group by 1, 2",
        names.join(", "),
        earlier.condition()
    );
    let rows = ranges.ask(engine, &sql).await?;
    Ok(rows.map(|row| Ok((row.text("service")?, row.text("event_type")?)))?.into_iter().collect())
}
