//! Workers that became slower or faster beside their peers.

use std::collections::BTreeMap;

use emp_findings::ChangeKind;
use emp_job::{Meaning, vocabulary};
use emp_query::{Engine, literal};

use super::candidate::{Candidate, times};
use super::latencies::{ByType, CONNECTOR, Lengths};
use super::ranges::Ranges;
use crate::investigation::InvestigationError;
use crate::rows::Rows;

/// Relative durations are counted in steps of 5 %.
const STEP: f64 = 1.05;
/// What is usual is known of so many.
const USUAL_MIN: u64 = 10;
/// Kinds of work that are looked at, the most frequent.
const KINDS_MAX: usize = 1_000;

/// How long each worker takes, in units of what half of all workers need for the same type of event and connector in
/// the same range: a connector that became slow makes no worker slow.
pub(super) async fn speeds(
    engine: &Engine,
    by_type: &ByType,
    ranges: &Ranges,
) -> Result<Vec<Candidate>, InvestigationError> {
    let usual = usual(by_type);
    if usual.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select worker_id, pair, cast(floor(ln(greatest(duration_ms, 0.01) / usual.ms) / ln({STEP})) as bigint) as step, \
         count(*) as events from (select worker_id, event_type, coalesce({CONNECTOR}, '') as key, ({slot}) / 2 as pair, \
         duration_ms from events where worker_id is not null and duration_ms >= 0 and {condition}) as done \
         join (values {}) as usual(of_type, of_key, is_after, ms) \
         on event_type = of_type and key = of_key and (pair >= {before}) = is_after group by 1, 2, 3",
        usual.join(", "),
        slot = ranges.slot(),
        condition = ranges.condition(),
        before = ranges.before.slots / 2
    );
    let mut workers: BTreeMap<String, Lengths> = BTreeMap::new();
    Rows::ask(engine, &sql).await?.map(|row| {
        let lengths = workers.entry(row.text("worker_id")?).or_insert_with(|| Lengths::new(ranges));
        let pair = usize::try_from(row.integer("pair")?).unwrap_or(0);
        let relative = STEP.powf(row.integer("step")? as f64 + 0.5);
        lengths.add(pair, relative, row.integer("events")?.unsigned_abs());
        Ok(())
    })?;
    Ok(workers.iter().filter_map(|(worker, lengths)| speed(worker, lengths)).collect())
}

/// What is usual for each kind of work in each range, as rows of SQL. How long a job waited is no worker's doing.
fn usual(by_type: &ByType) -> Vec<String> {
    let is_work = |event_type: &&String| vocabulary().meaning(event_type.as_str()) != Some(Meaning::Claimed);
    let mut found: Vec<(u64, String)> = Vec::new();
    for (event_type, by_key) in by_type.iter().filter(|(event_type, _)| is_work(event_type)) {
        for (key, lengths) in by_key {
            for (side, is_after) in lengths.wholes().iter().zip([false, true]) {
                let Some(ms) = side.quantile(0.5).filter(|_| side.count() >= USUAL_MIN) else { continue };
                let key = literal(key.as_deref().unwrap_or_default());
                found.push((side.count(), format!("({}, {key}, {is_after}, {ms:e})", literal(event_type))));
            }
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().take(KINDS_MAX).map(|(_, row)| row).collect()
}

fn speed(worker: &str, lengths: &Lengths) -> Option<Candidate> {
    let (mut found, before, after) = lengths.compared(ChangeKind::WorkerSpeed, worker)?;
    found.change.words = format!(
        "{worker} takes {} as long as it did for the same work ({:.2} of what is usual, {before:.2} before)",
        times(after / before),
        after
    );
    Some(found)
}
