//! Which share of events are errors, and how jobs end.

use std::collections::BTreeMap;

use emp_findings::{ChangeKind, Direction};
use emp_job::{Meaning, entity};
use emp_statistics::{Part, share_test};
use emp_units as units;

use super::candidate::{Candidate, finite, percent};
use super::ranges::Ranges;
use super::series::Series;

/// A share is worth telling that differs by this much: a percentage point,
const POINTS_MIN: f64 = 0.01;
/// and by so many events.
const HITS_MIN: u64 = 3;
/// Of fewer events a share says nothing.
const EVENTS_MIN: u64 = 10;

/// How jobs end, in words, and by which meanings.
const OUTCOMES: [(&str, &[Meaning]); 4] = [
    ("failed", &[Meaning::Failed]),
    ("timed out", &[Meaning::TimedOut]),
    ("cancelled", &[Meaning::Cancelled]),
    ("completed", &[Meaning::Completed]),
];

/// Hits among events, slot by slot.
#[derive(Default)]
pub(super) struct Parts(Vec<Part>);

impl Parts {
    pub fn add(&mut self, hits: Option<&[u64]>, of: &[u64]) {
        self.0.resize(of.len(), Part::default());
        for (at, part) in self.0.iter_mut().enumerate() {
            part.hits += hits.map_or(0, |hits| hits[at]);
            part.of += of[at];
        }
    }

    /// All of each range; nothing where nothing was counted, as there are no slots then.
    pub fn sums(&self, ranges: &Ranges) -> Option<[Part; 2]> {
        let (of_before, of_after) = self.0.split_at_checked(ranges.before.slots)?;
        let sum = |parts: &[Part]| {
            parts.iter().fold(Part::default(), |all, one| Part { hits: all.hits + one.hits, of: all.of + one.of })
        };
        Some([sum(of_before), sum(of_after)])
    }

    /// The test, where there are enough events on both sides.
    pub fn compared(&self, ranges: &Ranges, kind: ChangeKind, what: &str) -> Option<Candidate> {
        let [before, after] = self.sums(ranges)?;
        let (of_before, of_after) = self.0.split_at(ranges.before.slots);
        if before.of < EVENTS_MIN || after.of < EVENTS_MIN || before.hits + after.hits == 0 {
            return None;
        }
        let share = |part: Part| part.hits as f64 / part.of as f64;
        let direction = if share(after) >= share(before) { Direction::More } else { Direction::Less };
        let mut found = Candidate::new(kind, direction, what, share_test(of_before, of_after));
        let change = &mut found.change;
        (change.before_count, change.after_count) = (before.hits, after.hits);
        (change.before_of, change.after_of) = (Some(before.of), Some(after.of));
        change.factor = finite(share(after) / share(before));
        let expected = share(before) * after.of as f64;
        found.is_large = (share(after) - share(before)).abs() >= POINTS_MIN
            && (after.hits as f64 - expected).abs() >= HITS_MIN as f64;
        Some(found)
    }
}

fn in_words(found: &Candidate, sentence: &str) -> String {
    let change = &found.change;
    let (of_before, of_after) = (change.before_of.unwrap_or(1), change.after_of.unwrap_or(1));
    format!(
        "{} of the {sentence} ({} of {}), {} before ({} of {})",
        percent(change.after_count as f64 / of_after as f64),
        units::count(change.after_count),
        units::count(of_after),
        percent(change.before_count as f64 / of_before as f64),
        units::count(change.before_count),
        units::count(of_before),
    )
}

/// The share of errors among the events of each entity of a service, and among those of each type that has both
/// errors and others.
pub(super) fn error_shares(series: &[Series], ranges: &Ranges) -> Vec<Candidate> {
    let mut shares: BTreeMap<(&str, String), Parts> = BTreeMap::new();
    for one in series {
        let errors: u64 = one.errors.iter().sum();
        let is_mixed = errors > 0 && errors < one.all();
        let of_entity = format!("{}.*", entity(&one.event_type));
        for name in [Some(of_entity), is_mixed.then(|| one.event_type.clone())].into_iter().flatten() {
            shares.entry((&one.service, name)).or_default().add(Some(&one.errors), &one.events);
        }
    }
    let tested = shares.iter().filter_map(|((service, name), parts)| {
        let mut found = parts.compared(ranges, ChangeKind::ErrorShare, name)?;
        found.event_type = Some(name.clone());
        found.change.service = Some((*service).to_owned());
        found.change.words = in_words(&found, &format!("{name} events of {service} are errors"));
        Some(found)
    });
    tested.collect()
}

/// How jobs end: the share of each end among all ends. The words of other systems count where none of this
/// project's are said.
pub(super) fn outcomes(series: &[Series], ranges: &Ranges) -> Vec<Candidate> {
    let of_meaning = |one: &&Series, meaning: Meaning| one.meaning() == Some(meaning);
    let vocabulary = emp_job::vocabulary();
    let ends = |one: &&Series| OUTCOMES.iter().any(|(_, meanings)| meanings.iter().any(|of| of_meaning(one, *of)));
    let has_own = series.iter().filter(ends).any(|one| vocabulary.meaning(&one.event_type).is_some());
    let counts = |one: &&Series| !has_own || vocabulary.meaning(&one.event_type).is_some();
    let ends: Vec<&Series> = series.iter().filter(ends).filter(counts).collect();
    let tested = OUTCOMES.iter().filter_map(|(name, meanings)| {
        let mut parts = Parts::default();
        for one in &ends {
            let is_hit = meanings.iter().any(|meaning| of_meaning(one, *meaning));
            parts.add(is_hit.then_some(&one.events[..]), &one.events);
        }
        let mut found = parts.compared(ranges, ChangeKind::Outcome, name)?;
        found.change.words = in_words(&found, &format!("jobs that ended {name}"));
        Some(found)
    });
    tested.collect()
}
