//! Steps that jobs of a kind had, and that some of them lack now, or that they have again.
//!
//! That a type of event became rarer per job does not tell it: one kind of job may have lost a step that all others
//! never had.

use std::collections::{BTreeMap, HashMap, HashSet};

use emp_findings::{ChangeKind, Direction};
use emp_job::Meaning;
use emp_query::JobsRow;
use emp_statistics::Part;
use emp_units as units;

use super::candidate::{Candidate, percent};
use super::ranges::Ranges;
use super::series::Series;
use super::shares::Parts;
use super::tally::{Name, Names, Numbered, Tally, types_of};

/// Nineteen of twenty jobs have what is a step of their kind, in one of the ranges.
const USUAL_SHARE: f64 = 0.95;
/// Types of events that are looked for, the most frequent.
const TYPES_MAX: usize = 40;

/// Completed jobs of one kind, and those among them that have each type of event, slot by slot.
struct Kind {
    jobs: Vec<u64>,
    having: Vec<Vec<u64>>,
}

/// The share of completed jobs of each kind that lack a step.
pub(super) fn steps(tally: &Tally, series: &[Series], ranges: &Ranges) -> Vec<Candidate> {
    let types = types(&tally.jobs, &tally.names, series);
    let kinds = tally.jobs.kinds(&types, &tally.names, ranges);
    let mut found = Vec::new();
    for (name, kind) in &kinds {
        for ((event_type, service), having) in types.iter().zip(&kind.having) {
            let lacking: Vec<u64> = kind.jobs.iter().zip(having).map(|(jobs, having)| jobs - having).collect();
            let mut parts = Parts::default();
            parts.add(Some(&lacking), &kind.jobs);
            found.extend(step(name, (event_type, service), &parts, ranges));
        }
    }
    found
}

fn step(kind: &str, (event_type, service): (&str, &str), parts: &Parts, ranges: &Ranges) -> Option<Candidate> {
    let [before, after] = parts.sums(ranges)?;
    let had = |part: Part| 1.0 - part.hits as f64 / part.of.max(1) as f64;
    // What neither had in most cases depends on the job.
    if had(before).max(had(after)) < USUAL_SHARE {
        return None;
    }
    // One that there never was is a new type of event.
    if before.hits == before.of {
        return None;
    }
    let mut found = parts.compared(ranges, ChangeKind::MissingStep, event_type)?;
    let lacked = |part: Part| {
        format!(
            "{} of {}",
            units::count(part.hits),
            units::counted(part.of as usize, "completed job", "completed jobs")
        )
    };
    let of_kind = if kind.is_empty() { String::new() } else { format!(" of kind {kind}") };
    found.change.words = match found.change.change {
        Direction::More => format!(
            "{}{of_kind} lack {event_type} ({}), {} before ({})",
            lacked(after),
            percent(1.0 - had(after)),
            units::count(before.hits),
            percent(1.0 - had(before))
        ),
        _ => format!(
            "{event_type} is there again: {}{of_kind} lack it ({}), {} of {} before ({})",
            lacked(after),
            percent(1.0 - had(after)),
            units::count(before.hits),
            units::count(before.of),
            percent(1.0 - had(before))
        ),
    };
    found.change.service = Some(service.to_owned());
    found.event_type = Some(event_type.to_owned());
    found.job_type = Some(kind.to_owned());
    Some(found)
}

/// The types of events of jobs, with who sends them: those that begin and complete a job, all of these have.
fn types<'a>(jobs: &Jobs, names: &Names, series: &'a [Series]) -> Vec<(&'a str, &'a str)> {
    let is_tracked = |name: &str| names.find(name).is_some_and(|name| jobs.bits.contains_key(&name));
    let mut of_jobs: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    for one in series.iter().filter(|one| one.is_of_jobs() && is_tracked(&one.event_type)) {
        if one.meaning().is_some_and(|meaning| meaning.is_beginning() || meaning == Meaning::Completed) {
            continue;
        }
        let (events, _) = of_jobs.entry(&one.event_type).or_insert((0, &one.service));
        *events += one.all();
    }
    let mut types: Vec<_> =
        of_jobs.into_iter().map(|(event_type, (all, service))| (all, event_type, service)).collect();
    types.sort_by(|a, b| (b.0, a.1).cmp(&(a.0, b.1)));
    types.into_iter().take(TYPES_MAX).map(|(_, event_type, service)| (event_type, service)).collect()
}

/// How many types of events are told apart in a job: a bit each.
pub(super) const TRACKED_MAX: usize = 64;
/// Of so many jobs it is held which types of events they have, in some 70 MB; of more, of a part of them.
const JOBS_MAX: usize = 2_000_000;

/// Which types of events each job has.
#[derive(Debug)]
pub(super) struct Jobs {
    bits: HashMap<Name, u64>,
    begin: HashSet<Name>,
    complete: HashSet<Name>,
    jobs: HashMap<u64, Job>,
    /// Jobs are looked at whose hash ends with so many zeros.
    zeros: u32,
}

/// A job, as far as its steps go.
#[derive(Debug, Clone, Copy, Default)]
struct Job {
    steps: u64,
    kind: Name,
    /// The last slot in which it was completed.
    completed: Option<u16>,
    is_begun: bool,
}

impl Jobs {
    /// None yet, of which these types of events will be told apart.
    pub fn new(tracked: &[String], names: &mut Names) -> Self {
        let tracked = tracked.iter().take(TRACKED_MAX).enumerate();
        let bits = tracked.map(|(at, name)| (names.number(name), 1 << at)).collect();
        let mut named = |types: Vec<&str>| types.into_iter().map(|name| names.number(name)).collect();
        let begin = named(types_of(Meaning::is_beginning));
        let complete = named(types_of(|meaning| meaning == Meaning::Completed));
        Self { bits, begin, complete, jobs: HashMap::new(), zeros: 0 }
    }

    /// Jobs that have these types of events in a slot.
    pub fn add(&mut self, slot: usize, row: &JobsRow, (numbered, names): (Numbered<'_>, &Names)) {
        let types = || row.event_types.iter().map(|number| numbered.name(*number));
        let steps = types().filter_map(|name| self.bits.get(&name)).fold(0, |all, bit| all | bit);
        let is_begun = types().any(|name| self.begin.contains(&name));
        let completed = types().any(|name| self.complete.contains(&name)).then(|| u16::try_from(slot).ok()).flatten();
        let kind = numbered.name(row.kind);
        for hash in row.jobs.iter() {
            if hash.trailing_zeros() < self.zeros {
                continue;
            }
            let job = self.jobs.entry(hash).or_default();
            job.steps |= steps;
            job.is_begun |= is_begun;
            job.completed = job.completed.max(completed);
            if kind != job.kind && names.text(kind) > names.text(job.kind) {
                job.kind = kind;
            }
        }
        while self.jobs.len() > JOBS_MAX {
            self.zeros += 1;
            let zeros = self.zeros;
            self.jobs.retain(|hash, _| hash.trailing_zeros() >= zeros);
        }
    }

    /// What there is to say where not all jobs were looked at.
    pub fn note(&self) -> Option<String> {
        let every = units::count(1_u64.checked_shl(self.zeros).unwrap_or(u64::MAX));
        (self.zeros > 0)
            .then(|| format!("steps that jobs lack were looked for in one of {every} jobs, as there are so many"))
    }

    /// Jobs that were created and completed in these ranges, by kind, with those that have each of the types. Those of a
    /// range's last slot are left out: what follows their end may not have happened yet.
    fn kinds(&self, types: &[(&str, &str)], names: &Names, ranges: &Ranges) -> BTreeMap<String, Kind> {
        let bits: Vec<u64> = types
            .iter()
            .map(|(name, _)| names.find(name).and_then(|name| self.bits.get(&name)).copied().unwrap_or_default())
            .collect();
        let slots = ranges.slots();
        let is_last = |slot: usize| slot == ranges.before.slots - 1 || slot == slots - 1;
        let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
        for job in self.jobs.values().filter(|job| job.is_begun) {
            let Some(slot) = job.completed.map(usize::from).filter(|slot| !is_last(*slot)) else { continue };
            let none = || Kind { jobs: vec![0; slots], having: vec![vec![0; slots]; types.len()] };
            let kind = kinds.entry(names.text(job.kind).to_owned()).or_insert_with(none);
            kind.jobs[slot] += 1;
            for (having, bit) in kind.having.iter_mut().zip(&bits) {
                having[slot] += u64::from(job.steps & bit != 0);
            }
        }
        kinds
    }
}
