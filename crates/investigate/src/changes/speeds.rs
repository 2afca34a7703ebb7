//! Workers that became slower or faster beside their peers.

use std::collections::{BTreeMap, HashMap};

use emp_findings::ChangeKind;
use emp_job::{Meaning, vocabulary};
use emp_statistics::Counted;

use super::candidate::{Candidate, times};
use super::latencies::{ByType, Lengths};
use super::ranges::Ranges;
use super::tally::Tally;

/// What is usual is known of so many.
const USUAL_MIN: u64 = 10;

/// How long each worker takes, in units of what half of all workers need for the same type of event and connector in
/// the same range: a connector that became slow makes no worker slow.
pub(super) fn speeds(tally: &Tally, by_type: &ByType, ranges: &Ranges) -> Vec<Candidate> {
    let usual = usual(by_type);
    let mut workers: BTreeMap<&str, Lengths> = BTreeMap::new();
    for took in tally.durations.each(&tally.names) {
        let side = usize::from(took.pair >= ranges.before.slots / 2);
        let usual = usual.get(&(took.event_type, took.connector)).and_then(|sides| sides[side]);
        let (Some(worker), Some(usual_ms)) = (took.worker, usual) else { continue };
        let lengths = workers.entry(worker).or_insert_with(|| Lengths::new(ranges));
        lengths.add(took.pair, took.ms / usual_ms, took.events);
    }
    workers.iter().filter_map(|(worker, lengths)| speed(worker, lengths)).collect()
}

/// What is usual for each kind of work in each range, in ms. How long a job waited is no worker's doing.
fn usual(by_type: &ByType) -> HashMap<(&str, Option<&str>), [Option<f64>; 2]> {
    let is_work = |event_type: &str| vocabulary().meaning(event_type) != Some(Meaning::Claimed);
    let types = by_type.iter().filter(|(event_type, _)| is_work(event_type));
    let works =
        types.flat_map(|(event_type, by_key)| by_key.iter().map(move |(key, lengths)| (event_type, key, lengths)));
    let median = |side: &Counted| side.quantile(0.5).filter(|_| side.count() >= USUAL_MIN);
    works
        .map(|(event_type, key, lengths)| {
            ((event_type.as_str(), key.as_deref()), lengths.wholes().each_ref().map(median))
        })
        .collect()
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
