//! Steps that jobs of a kind had, and that some of them lack now, or that they have again.
//!
//! That a type of event became rarer per job does not tell it: one kind of job may have lost a step that all others
//! never had.

use std::collections::BTreeMap;

use emp_findings::{ChangeKind, Direction};
use emp_job::{Meaning, vocabulary};
use emp_query::{Engine, literal};
use emp_statistics::Part;
use emp_units as units;

use super::candidate::{Candidate, percent};
use super::ranges::Ranges;
use super::series::Series;
use super::shares::Parts;
use crate::investigation::InvestigationError;
use crate::rows::Rows;

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
pub(super) async fn steps(
    engine: &Engine,
    series: &[Series],
    ranges: &Ranges,
) -> Result<Vec<Candidate>, InvestigationError> {
    let types = types(series);
    if types.is_empty() {
        return Ok(Vec::new());
    }
    let kinds = kinds(engine, &types, ranges).await?;
    let mut found = Vec::new();
    for (name, kind) in &kinds {
        for ((event_type, service), having) in types.iter().zip(&kind.having) {
            let lacking: Vec<u64> = kind.jobs.iter().zip(having).map(|(jobs, having)| jobs - having).collect();
            let mut parts = Parts::default();
            parts.add(Some(&lacking), &kind.jobs);
            found.extend(step(name, (event_type, service), &parts, ranges));
        }
    }
    Ok(found)
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
fn types(series: &[Series]) -> Vec<(&str, &str)> {
    let mut of_jobs: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    for one in series.iter().filter(|one| one.is_of_jobs()) {
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

/// Jobs that were created and completed in these ranges, by kind. Those of a range's last slot are left out: what
/// follows their end may not have happened yet.
async fn kinds(
    engine: &Engine,
    types: &[(&str, &str)],
    ranges: &Ranges,
) -> Result<BTreeMap<String, Kind>, InvestigationError> {
    let among = |is_it: fn(Meaning) -> bool| {
        let meanings = Meaning::ALL.iter().map(|(.., meaning)| *meaning).filter(|meaning| is_it(*meaning));
        let types = meanings.flat_map(|meaning| vocabulary().types(meaning)).map(literal);
        types.collect::<Vec<_>>().join(", ")
    };
    let columns = |column: &dyn Fn(usize, &str) -> String| {
        types.iter().enumerate().map(|(at, (event_type, _))| column(at, event_type)).collect::<String>()
    };
    let sql = format!(
        "select kind, slot, count(*) as jobs{} from (select max(case when {begins} then job_type(data) end) as kind, \
         bool_or({begins}) as is_whole, max(case when event_type in ({}) then {} end) as slot{} \
         from events where job_id is not null and {} group by job_id) \
         where is_whole and slot is not null and slot not in ({}, {}) group by 1, 2",
        columns(&|at, _| format!(", count(*) filter (where has_{at}) as has_{at}")),
        among(|meaning| meaning == Meaning::Completed),
        ranges.slot(),
        columns(&|at, event_type| format!(", bool_or(event_type = {}) as has_{at}", literal(event_type))),
        ranges.condition(),
        ranges.before.slots - 1,
        ranges.slots() - 1,
        begins = format!("event_type in ({})", among(Meaning::is_beginning))
    );
    let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
    let slots = ranges.slots();
    Rows::ask(engine, &sql).await?.map(|row| {
        let none = || Kind { jobs: vec![0; slots], having: vec![vec![0; slots]; types.len()] };
        let kind = kinds.entry(row.text("kind")?).or_insert_with(none);
        let slot = usize::try_from(row.integer("slot")?).unwrap_or(0).min(slots - 1);
        kind.jobs[slot] += row.integer("jobs")?.unsigned_abs();
        for (at, having) in kind.having.iter_mut().enumerate() {
            having[slot] += row.integer(&format!("has_{at}"))?.unsigned_abs();
        }
        Ok(())
    })?;
    Ok(kinds)
}
