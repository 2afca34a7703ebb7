//! Which changes are told: those that are real and large, each cause before what follows from it.

use emp_findings::{Change, ChangeKind, Direction};
use emp_query::{Engine, literal};

use super::candidate::Candidate;
use super::causes::{
    is_alike, is_of_connector, is_of_error, is_of_outcome, is_of_service, is_of_share, is_of_step, is_of_type,
    is_of_worker, is_same_text,
};
use super::latencies::CONNECTOR;
use super::ranges::Ranges;
use super::{Q_MAX, belongs};
use crate::investigation::InvestigationError;

/// More changes of one kind and direction are put together.
const ALIKE_MAX: usize = 3;
/// Of those that came or went so many are named.
const NAMED_MAX: usize = 4;

/// The changes that are told, the most important first.
pub(super) async fn told(
    engine: &Engine,
    candidates: Vec<Candidate>,
    ranges: &Ranges,
) -> Result<Vec<Change>, InvestigationError> {
    let is_told = |one: &Candidate| one.is_large && one.change.q_value < Q_MAX;
    let calm: Vec<Candidate> = candidates.iter().filter(|one| !is_told(one)).cloned().collect();
    let mut folding = Folding::new(candidates.into_iter().filter(is_told).collect());
    belongs::fold(engine, &mut folding, ranges).await?;
    folding.fold(is_of_service);
    folding.fold(is_of_error);
    folding.fold(is_same_text);
    folding.fold(is_of_outcome);
    folding.fold(is_of_share);
    folding.fold(is_of_step);
    folding.fold(is_of_worker);
    folding.fold(|cause, one| is_of_connector(cause, one, &calm));
    folding.fold(is_of_type);
    folding.fold(is_alike);
    folding.fold_alike();
    for one in &mut folding.found {
        one.change.key = key(engine, one, ranges).await?;
    }
    Ok(folding.found.into_iter().map(|one| one.change).collect())
}

/// The key by which the events of a connector name it.
async fn key(engine: &Engine, one: &Candidate, ranges: &Ranges) -> Result<Option<String>, InvestigationError> {
    let (Some(connector), Some(event_type)) = (&one.connector, &one.event_type) else { return Ok(None) };
    let sql = format!(
        "select min(connector_key(data)) as key from events \
         where event_type = {} and {CONNECTOR} = {} and {}",
        literal(event_type),
        literal(connector),
        ranges.condition()
    );
    Ok(ranges.ask(engine, &sql).await?.map(|row| row.optional_text("key"))?.into_iter().flatten().next())
}

/// Changes in the course of being put under their causes.
pub(super) struct Folding {
    /// The most important first.
    found: Vec<Candidate>,
}

impl Folding {
    fn new(mut found: Vec<Candidate>) -> Self {
        found.sort_by(|a, b| {
            rank(a).partial_cmp(&rank(b)).unwrap_or(std::cmp::Ordering::Equal).then_with(|| {
                let name = |one: &Candidate| (one.change.what.clone(), one.change.service.clone());
                name(a).cmp(&name(b))
            })
        });
        Self { found }
    }

    pub fn all(&self) -> impl Iterator<Item = &Candidate> {
        self.found.iter()
    }

    pub fn of_kind(&self, kind: ChangeKind) -> impl Iterator<Item = &Candidate> {
        self.all().filter(move |one| one.change.kind == kind)
    }

    /// Puts each change under the first other one that is its cause.
    pub fn fold(&mut self, is_cause: impl Fn(&Candidate, &Candidate) -> bool) {
        let mut at = self.found.len();
        while at > 0 {
            at -= 1;
            let causes = |cause: &usize| *cause != at && is_cause(&self.found[*cause], &self.found[at]);
            let Some(cause) = (0..self.found.len()).find(causes) else { continue };
            let one = self.found.remove(at);
            let cause = if cause > at { cause - 1 } else { cause };
            let implied = one.implied();
            let into = &mut self.found[cause].change.implies;
            into.insert(0, implied);
            into.extend(one.change.implies);
        }
    }

    /// Of many that are alike the first stands for all.
    fn fold_alike(&mut self) {
        let kind = |one: &Candidate| (one.change.kind, one.change.change, one.change.service.clone());
        let kinds: Vec<_> = self.found.iter().map(kind).collect();
        let mut seen = Vec::new();
        for this in &kinds {
            if seen.contains(this) || kinds.iter().filter(|other| *other == this).count() <= ALIKE_MAX {
                continue;
            }
            seen.push(this.clone());
            let first = self.found.iter().find(|one| kind(one) == *this).map(|one| one.change.what.clone());
            self.fold(|cause, one| {
                kind(one) == *this
                    && kind(cause) == *this
                    && Some(&cause.change.what) == first.as_ref()
                    && Some(&one.change.what) != first.as_ref()
            });
        }
        self.found.iter_mut().for_each(name_all);
    }
}

/// Says of services, machines and workers that came or went together how many there are.
fn name_all(one: &mut Candidate) {
    let change = &mut one.change;
    let (kind, direction) = (change.kind, change.change);
    let alike = change.implies.iter().filter(|implied| (implied.kind, implied.change) == (kind, direction));
    let names: Vec<&str> = std::iter::once(change.what.as_str()).chain(alike.map(|one| one.what.as_str())).collect();
    if names.len() < 2 || !matches!(kind, ChangeKind::Service | ChangeKind::Machine | ChangeKind::Worker) {
        return;
    }
    let named = names.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    let more = match names.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let how = direction.as_str();
    change.words = format!("{} {}s are {how}: {named}{more}", names.len(), kind.in_words());
}

/// What comes first: errors and failing jobs, who is gone, what is slow, and only then what is more or less.
pub(super) fn rank(one: &Candidate) -> (u8, f64, f64) {
    use ChangeKind::{
        Connector, ErrorShare, ErrorText, EventType, Jobs, Latency, Machine, MissingStep, Outcome, Service, Worker,
        WorkerSpeed,
    };
    let change = &one.change;
    let is_worse = matches!(change.change, Direction::New | Direction::More | Direction::Gone | Direction::Slower);
    let completed = change.kind == Outcome && change.what == "completed";
    let place = match (change.kind, change.change) {
        (ErrorText, Direction::New) => 0,
        (Outcome, _) if is_worse != completed => 1,
        (ErrorText, Direction::More) => 2,
        (ErrorShare | MissingStep, Direction::More) => 3,
        (Service, Direction::Gone) => 4,
        (Machine, Direction::Gone) => 5,
        (Worker, Direction::Gone) => 6,
        (Connector, Direction::Slower) => 7,
        (Latency, Direction::Slower) => 8,
        (WorkerSpeed, Direction::Slower) => 9,
        (Jobs, _) => 10,
        (EventType, Direction::Gone) => 11,
        (EventType, Direction::New) => 12,
        (EventType, _) => 13,
        (Service | Machine | Worker, _) => 14,
        (Connector | Latency | WorkerSpeed, _) => 15,
        (Outcome | ErrorText | ErrorShare | MissingStep, _) => 16,
    };
    let size = change.factor.filter(|factor| *factor > 0.0).map_or(f64::INFINITY, |factor| factor.ln().abs());
    (place, -size, change.p_value)
}
