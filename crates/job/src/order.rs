//! In which order the steps of jobs were told: what proves that a clock is behind, and what proves that it is not.
//!
//! No job is worked on before it is created, and nobody is told of its end before it ends. A worker that takes jobs
//! before they are created, by its clock, has one that is behind. Where a slow line holds its events up, they arrive
//! late, but in an order that can be; and what others do once they have heard of them comes sooner after them than
//! they arrive.

use std::collections::HashMap;

use super::meaning::Meaning;
use super::vocabulary::vocabulary;

/// Steps that follow each other in every job: it is created, worked on, ended, and somebody is told.
const STEPS: usize = 4;
/// Clocks that are kept in step, and what is sent a moment late, differ by less.
const MARGIN_MS: i64 = 100;
/// So many jobs have to be in an order that cannot be.
const IMPOSSIBLE_MIN: usize = 3;
/// Where none are, so many have to follow upon the late events as if they had waited for them.
const FOLLOWING_MIN: usize = 20;
/// Of jobs that follow upon late events one in so many may seem to follow too soon.
const TOO_SOON_SHARE: usize = 10;

/// The steps of jobs, each told first by somebody.
#[derive(Debug, Default)]
pub struct Order {
    jobs: HashMap<String, [Option<Told>; STEPS]>,
}

/// Who told of a step first, when by its own clock, and when that arrived.
#[derive(Debug, Clone)]
struct Told {
    producer: String,
    timestamp_ms: i64,
    arrived_ms: i64,
}

/// What jobs say of one producer whose events are late.
#[derive(Debug, Default)]
struct Evidence {
    /// Its events would have come before what they follow upon.
    impossible: usize,
    /// What followed upon them came before they can have happened, if its clock were behind.
    too_soon: usize,
    /// How long after them what followed came, in ms, beyond what they were late.
    following: Vec<i64>,
    offset_ms: i64,
}

impl Order {
    /// Does an event of that type tell of such a step?
    pub fn is_step(event_type: &str) -> bool {
        step(event_type).is_some()
    }

    /// The types of events that do.
    pub fn types() -> Vec<&'static str> {
        let meanings = Meaning::ALL.iter().map(|(.., meaning)| *meaning).filter(|meaning| step_of(*meaning).is_some());
        meanings.flat_map(|meaning| vocabulary().types(meaning)).collect()
    }

    /// Takes note of an event of a job; its times are in ms since the epoch.
    pub fn note(&mut self, job_id: &str, event_type: &str, producer: &str, timestamp_ms: i64, arrived_ms: i64) {
        let Some(step) = step(event_type) else { return };
        let steps = match self.jobs.get_mut(job_id) {
            Some(steps) => steps,
            None => self.jobs.entry(job_id.to_owned()).or_default(),
        };
        if steps[step].as_ref().is_none_or(|known| arrived_ms < known.arrived_ms) {
            steps[step] = Some(Told { producer: producer.to_owned(), timestamp_ms, arrived_ms });
        }
    }

    /// Those of the suspects whose clocks are behind; `offset` says by how much a producer's events are late when one
    /// arrives, in ms.
    pub(super) fn proven<'a>(&self, suspects: &'a [String], offset: &dyn Fn(&str, i64) -> i64) -> Vec<&'a str> {
        let mut found: HashMap<&str, Evidence> = HashMap::new();
        let suspect = |told: &Told| suspects.iter().find(|suspect| **suspect == told.producer).map(String::as_str);
        for steps in self.jobs.values() {
            let told: Vec<&Told> = steps.iter().flatten().collect();
            for pair in told.windows(2) {
                let [before, after] = [pair[0], pair[1]];
                match (suspect(before), suspect(after)) {
                    (None, Some(late)) => {
                        let offset_ms = offset(late, after.arrived_ms);
                        let evidence = found.entry(late).or_default();
                        let lead_ms = before.happened_ms() - after.timestamp_ms;
                        evidence.impossible += usize::from(offset_ms > 0 && lead_ms > MARGIN_MS.max(offset_ms / 2));
                    }
                    (Some(late), None) => {
                        let offset_ms = offset(late, before.arrived_ms);
                        if offset_ms > 0 {
                            let beyond_ms = after.happened_ms() - before.timestamp_ms - offset_ms;
                            let evidence = found.entry(late).or_default();
                            evidence.too_soon += usize::from(beyond_ms < -MARGIN_MS);
                            evidence.following.push(beyond_ms);
                            evidence.offset_ms = evidence.offset_ms.max(offset_ms);
                        }
                    }
                    _ => {}
                }
            }
        }
        suspects.iter().map(String::as_str).filter(|one| found.get(one).is_some_and(Evidence::is_proof)).collect()
    }
}

impl Told {
    /// As the clock of whoever is no suspect says it, which may be ahead.
    fn happened_ms(&self) -> i64 {
        self.timestamp_ms.min(self.arrived_ms)
    }
}

impl Evidence {
    fn is_proof(&self) -> bool {
        // A webhook may tell of more than the end, and then seems to come too soon of every job.
        let is_refuted = TOO_SOON_SHARE * self.too_soon > self.following.len();
        if self.impossible >= IMPOSSIBLE_MIN && (!is_refuted || self.impossible >= self.too_soon) {
            return true;
        }
        // Had the events only been held up, others would not have waited until they arrived.
        let quickest_ms = self.following.iter().min();
        let follow_at_once = quickest_ms.is_some_and(|ms| *ms <= self.offset_ms / 4 + MARGIN_MS);
        !is_refuted && self.following.len() >= FOLLOWING_MIN && follow_at_once
    }
}

fn step(event_type: &str) -> Option<usize> {
    vocabulary().meaning_anywhere(event_type).and_then(step_of)
}

/// What tells of a queue or of another attempt may be told late, or again, and is none.
fn step_of(meaning: Meaning) -> Option<usize> {
    match meaning {
        Meaning::Created | Meaning::Submitted => Some(0),
        Meaning::Claimed | Meaning::Started => Some(1),
        Meaning::Completed | Meaning::Failed => Some(2),
        meaning if meaning.is_of_webhook() => Some(3),
        _ => None,
    }
}
