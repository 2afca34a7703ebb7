//! What follows from what: of two changes, is the one the cause of the other?

use emp_event::tells_of_failure;
use emp_findings::{Change, ChangeKind, Direction};
use emp_job::{Meaning, entity, vocabulary};

use super::candidate::Candidate;
use super::fold::rank;

/// An error explains a surplus of events, or of errors, of which it is this share.
const SURPLUS_SHARE: f64 = 0.5;
/// Connectors explain a slower type of event where those that are as before have this share of its events at least.
const OTHERS_SHARE: f64 = 1.0 / 3.0;
/// Types of events whose factors differ by no more follow each other.
const ALIKE_TIMES: f64 = 1.1;

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
pub(super) fn is_same_text(cause: &Candidate, one: &Candidate) -> bool {
    let (own, other) = (&cause.change, &one.change);
    let is_text = own.kind == ChangeKind::ErrorText && other.kind == ChangeKind::ErrorText;
    is_text && own.what == other.what && agree(cause, one)
}

/// Events, or a share of errors, of which one error is the reason.
pub(super) fn is_of_error(cause: &Candidate, one: &Candidate) -> bool {
    let (own, other) = (&cause.change, &one.change);
    let types = cause.event_type.as_deref().zip(one.event_type.as_deref());
    let is_same = match other.kind {
        ChangeKind::EventType => types.is_some_and(|(own, other)| own == other),
        // Work that fails is not brought to its end.
        ChangeKind::ErrorShare | ChangeKind::MissingStep => {
            types.is_some_and(|(own, other)| entity(own) == entity(other))
        }
        _ => false,
    };
    let is_most = surplus(own) / surplus(other) >= SURPLUS_SHARE;
    own.kind == ChangeKind::ErrorText && is_same && own.service == other.service && agree(cause, one) && is_most
}

/// Events that say how jobs end, and the other ends.
pub(super) fn is_of_outcome(cause: &Candidate, one: &Candidate) -> bool {
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
pub(super) fn is_of_share(cause: &Candidate, one: &Candidate) -> bool {
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

/// A step that jobs lack since whoever took it is gone.
pub(super) fn is_of_service(cause: &Candidate, one: &Candidate) -> bool {
    let (own, other) = (&cause.change, &one.change);
    let is_gone = own.kind == ChangeKind::Service && own.change == Direction::Gone;
    is_gone && other.kind == ChangeKind::MissingStep && other.service.as_ref() == Some(&own.what)
}

/// What follows from a step that jobs lack: that there are fewer such events; and the other steps, which just as many of
/// the same jobs lack.
pub(super) fn is_of_step(cause: &Candidate, one: &Candidate) -> bool {
    if cause.change.kind != ChangeKind::MissingStep {
        return false;
    }
    match one.change.kind {
        ChangeKind::EventType => cause.event_type == one.event_type && !agree(cause, one),
        ChangeKind::MissingStep => {
            let is_as_large = surplus(&one.change) / surplus(&cause.change) <= ALIKE_TIMES;
            let is_first = (rank(cause), &cause.change.what) < (rank(one), &one.change.what);
            cause.job_type == one.job_type && agree(cause, one) && is_as_large && is_first
        }
        _ => false,
    }
}

/// What a slower connector explains: the types of events of which it has the most, and jobs that need it; and all
/// that it does is one change.
pub(super) fn is_of_connector(cause: &Candidate, one: &Candidate, calm: &[Candidate]) -> bool {
    let (own, other) = (&cause.change, &one.change);
    if own.kind != ChangeKind::Connector || own.change != other.change {
        return false;
    }
    match other.kind {
        ChangeKind::Connector => cause.connector == one.connector,
        ChangeKind::Latency => {
            let is_of_type = |calm: &&Candidate| {
                calm.connector.is_some() && calm.event_type == one.event_type && calm.is_tail == one.is_tail
            };
            let events = |one: &Candidate| one.change.after_of.unwrap_or(one.change.after_count);
            let others: u64 = calm.iter().filter(is_of_type).map(events).sum();
            let is_same_type = cause.event_type == one.event_type;
            let meaning = one.event_type.as_deref().and_then(|event_type| vocabulary().meaning(event_type));
            let is_job = meaning == Some(Meaning::Completed);
            is_job || (is_same_type && others as f64 >= OTHERS_SHARE * events(one) as f64)
        }
        _ => false,
    }
}

/// The slowest alone take longer where a worker among several has become slower: they are its own.
pub(super) fn is_of_worker(cause: &Candidate, one: &Candidate) -> bool {
    cause.change.kind == ChangeKind::WorkerSpeed && one.is_tail && cause.change.change == one.change.change
}

/// A type of event that is slower as a whole: so it is with each connector.
pub(super) fn is_of_type(cause: &Candidate, one: &Candidate) -> bool {
    let (own, other) = (&cause.change, &one.change);
    let are_both = own.kind == ChangeKind::Latency && other.kind == ChangeKind::Connector;
    are_both && own.change == other.change && cause.event_type == one.event_type
}

/// Types of events of one service that became more or fewer alike.
pub(super) fn is_alike(cause: &Candidate, one: &Candidate) -> bool {
    let (own, other) = (&cause.change, &one.change);
    let are_both = own.kind == ChangeKind::EventType && other.kind == ChangeKind::EventType;
    let ratio = own.factor.zip(other.factor).map(|(own, other)| own / other);
    let is_first = (-rank(cause).1, &own.what) > (-rank(one).1, &other.what);
    let is_close = ratio.is_some_and(|ratio| ratio.max(1.0 / ratio) <= ALIKE_TIMES);
    are_both && is_first && own.service == other.service && own.change == other.change && is_close
}
