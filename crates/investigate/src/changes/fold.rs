//! Which changes are told: those that are real and large, each cause before what follows from it.

use emp_event::tells_of_failure;
use emp_findings::{Change, ChangeKind, Direction};
use emp_job::{Meaning, entity, vocabulary};
use emp_query::Engine;

use super::candidate::Candidate;
use super::ranges::Ranges;
use super::{Q_MAX, belongs};
use crate::investigation::InvestigationError;

/// More changes of one kind and direction are put together.
const ALIKE_MAX: usize = 3;
/// Types of events whose factors differ by no more follow each other.
const ALIKE_TIMES: f64 = 1.1;
/// Of those that came or went so many are named.
const NAMED_MAX: usize = 4;
/// An error explains a surplus of events, or of errors, of which it is this share.
const SURPLUS_SHARE: f64 = 0.5;
/// Connectors explain a slower type of event where those that are as before have this share of its events at least.
const OTHERS_SHARE: f64 = 1.0 / 3.0;

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
    folding.fold(is_of_error);
    folding.fold(is_same_text);
    folding.fold(is_of_outcome);
    folding.fold(is_of_share);
    folding.fold(|cause, one| is_of_connector(cause, one, &calm));
    folding.fold(is_of_type);
    folding.fold(is_alike);
    folding.fold_alike();
    Ok(folding.found.into_iter().map(|one| one.change).collect())
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
fn rank(one: &Candidate) -> (u8, f64, f64) {
    use ChangeKind::{
        Connector, ErrorShare, ErrorText, EventType, Jobs, Latency, Machine, Outcome, Service, Worker, WorkerSpeed,
    };
    let change = &one.change;
    let is_worse = matches!(change.change, Direction::New | Direction::More | Direction::Gone | Direction::Slower);
    let completed = change.kind == Outcome && change.what == "completed";
    let place = match (change.kind, change.change) {
        (ErrorText, Direction::New) => 0,
        (Outcome, _) if is_worse != completed => 1,
        (ErrorText, Direction::More) => 2,
        (ErrorShare, Direction::More) => 3,
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
        (Outcome | ErrorText | ErrorShare, _) => 16,
    };
    let size = change.factor.filter(|factor| *factor > 0.0).map_or(f64::INFINITY, |factor| factor.ln().abs());
    (place, -size, change.p_value)
}

/// How many more, or fewer, there are than the earlier range lets expect.
fn surplus(change: &Change) -> f64 {
    match (change.before_of, change.after_of) {
        (Some(of_before), Some(of_after)) => {
            change.after_count as f64 - change.before_count as f64 / of_before.max(1) as f64 * of_after as f64
        }
        _ => match change.factor.filter(|factor| *factor > 0.0) {
            Some(factor) => change.after_count as f64 * (1.0 - 1.0 / factor),
            None => change.after_count as f64 - change.before_count as f64,
        },
    }
}

/// Is it more of both, or less of both?
fn agree(a: &Candidate, b: &Candidate) -> bool {
    let sign = |one: &Candidate| matches!(one.change.change, Direction::New | Direction::More | Direction::Slower);
    sign(a) == sign(b)
}

/// One error that several services, or several types of events, tell of.
fn is_same_text(cause: &Candidate, one: &Candidate) -> bool {
    let (own, other) = (&cause.change, &one.change);
    let is_text = own.kind == ChangeKind::ErrorText && other.kind == ChangeKind::ErrorText;
    is_text && own.what == other.what && agree(cause, one)
}

/// Events, or a share of errors, of which one error is the reason.
fn is_of_error(cause: &Candidate, one: &Candidate) -> bool {
    let (own, other) = (&cause.change, &one.change);
    let types = cause.event_type.as_deref().zip(one.event_type.as_deref());
    let is_same = match other.kind {
        ChangeKind::EventType => types.is_some_and(|(own, other)| own == other),
        ChangeKind::ErrorShare => types.is_some_and(|(own, other)| entity(own) == entity(other)),
        _ => false,
    };
    let is_most = surplus(own) / surplus(other) >= SURPLUS_SHARE;
    own.kind == ChangeKind::ErrorText && is_same && own.service == other.service && agree(cause, one) && is_most
}

/// Events that say how jobs end, and the other ends.
fn is_of_outcome(cause: &Candidate, one: &Candidate) -> bool {
    if cause.change.kind != ChangeKind::Outcome {
        return false;
    }
    let is_completed = cause.change.what == "completed";
    match one.change.kind {
        // More of one end is less of another.
        ChangeKind::Outcome => !is_completed && !agree(cause, one),
        // The errors among events of jobs are the ends themselves.
        ChangeKind::ErrorShare => {
            let is_of_jobs = |event_type: &str| {
                let failures = vocabulary().own_types(Meaning::Failed);
                failures.iter().any(|failure| entity(failure) == entity(event_type))
            };
            !is_completed && agree(cause, one) && one.event_type.as_deref().is_some_and(is_of_jobs)
        }
        ChangeKind::EventType => {
            let meaning = one.event_type.as_deref().and_then(|event_type| vocabulary().meaning_anywhere(event_type));
            let is_end = meaning.is_some_and(Meaning::is_end);
            let of_completed = meaning == Some(Meaning::Completed);
            is_end && if of_completed == is_completed { agree(cause, one) } else { !agree(cause, one) }
        }
        _ => false,
    }
}

/// Failures of a service's entity of which more are errors; and of two shares of one entity the more general one.
fn is_of_share(cause: &Candidate, one: &Candidate) -> bool {
    let (own, other) = (&cause.change, &one.change);
    let types = cause.event_type.as_deref().zip(one.event_type.as_deref());
    let is_of_entity = types.is_some_and(|(own, other)| entity(own) == entity(other));
    let is_same = own.kind == ChangeKind::ErrorShare && own.service == other.service && is_of_entity;
    let is_part = match other.kind {
        ChangeKind::EventType => one.event_type.as_deref().is_some_and(tells_of_failure),
        ChangeKind::ErrorShare => other.what.ends_with(".*"),
        _ => false,
    };
    is_same && is_part && agree(cause, one)
}

/// What a slower connector explains: the types of events of which it has the most, and jobs that need it; and all
/// that it does is one change.
fn is_of_connector(cause: &Candidate, one: &Candidate, calm: &[Candidate]) -> bool {
    let (own, other) = (&cause.change, &one.change);
    if own.kind != ChangeKind::Connector || own.change != other.change {
        return false;
    }
    match other.kind {
        ChangeKind::Connector => cause.connector == one.connector,
        ChangeKind::Latency => {
            let is_of_type = |calm: &&Candidate| calm.connector.is_some() && calm.event_type == one.event_type;
            let others: u64 = calm.iter().filter(is_of_type).map(|calm| calm.change.after_count).sum();
            let is_same_type = cause.event_type == one.event_type;
            let meaning = one.event_type.as_deref().and_then(|event_type| vocabulary().meaning(event_type));
            let is_job = meaning == Some(Meaning::Completed);
            is_job || (is_same_type && others as f64 >= OTHERS_SHARE * other.after_count as f64)
        }
        _ => false,
    }
}

/// A type of event that is slower as a whole: so it is with each connector.
fn is_of_type(cause: &Candidate, one: &Candidate) -> bool {
    let (own, other) = (&cause.change, &one.change);
    let are_both = own.kind == ChangeKind::Latency && other.kind == ChangeKind::Connector;
    are_both && own.change == other.change && cause.event_type == one.event_type
}

/// Types of events of one service that became more or fewer alike.
fn is_alike(cause: &Candidate, one: &Candidate) -> bool {
    let (own, other) = (&cause.change, &one.change);
    let are_both = own.kind == ChangeKind::EventType && other.kind == ChangeKind::EventType;
    let ratio = own.factor.zip(other.factor).map(|(own, other)| own / other);
    let is_first = (-rank(cause).1, &own.what) > (-rank(one).1, &other.what);
    let is_close = ratio.is_some_and(|ratio| ratio.max(1.0 / ratio) <= ALIKE_TIMES);
    are_both && is_first && own.service == other.service && own.change == other.change && is_close
}
