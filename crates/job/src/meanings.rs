//! What each event of one job means, in view of the others.

use super::event::JobEvent;
use super::meaning::Meaning;
use super::tries::{attempts_allowed, is_tried_again};
use super::vocabulary::Dialect;

/// What tells of a step may be sent this much after what tells of the next one: a service says that it has queued a
/// job once that has returned, and a worker may have begun by then.
pub(super) const LATE_MS_MAX: i64 = 1_000;

/// What each of these events means, which are of one job and in order; `None` where it means nothing for the job. And
/// which of them tell of a step that others have already built on: these are no part of its course.
pub(super) fn meanings(events: &[JobEvent]) -> (Vec<Option<Meaning>>, Vec<bool>) {
    let mut dialect = Dialect::of(events.iter().map(|event| &*event.event_type));
    let mut meanings: Vec<_> = events.iter().map(|event| dialect.meaning(&event.event_type)).collect();
    let mut late = vec![false; events.len()];
    for (index, is_told_late) in late.iter_mut().enumerate() {
        if is_late(events, &meanings, index) {
            (meanings[index], *is_told_late) = (None, true);
        }
    }
    leave_attempts_open(events, &mut meanings);
    (meanings, late)
}

/// Does this event tell of a step that others have already built on? It is the first to tell of it since something led
/// back to it, if anything did, and another producer told of a later step a moment before.
fn is_late(events: &[JobEvent], meanings: &[Option<Meaning>], index: usize) -> bool {
    let Some(step) = meanings[index].and_then(step) else { return false };
    let own = &events[index];
    let (mut is_told, mut later) = (false, None);
    for (event, meaning) in events.iter().zip(meanings).take(index) {
        let Some(meaning) = meaning.filter(|meaning| meaning.is_of_job()) else { continue };
        let is_other = event.service != own.service || event.worker_id != own.worker_id;
        match step_or_end(meaning) {
            None => (is_told, later) = (false, None),
            Some(earlier) if earlier == step || (meaning == Meaning::Submitted && step == 1) => is_told = true,
            Some(earlier) if earlier > step && is_other => later = later.or(Some(event)),
            Some(_) => {}
        }
    }
    !is_told && later.is_some_and(|later| own.happened_ms() - later.happened_ms() <= LATE_MS_MAX)
}

/// The steps that follow each other in every job.
fn step(meaning: Meaning) -> Option<u8> {
    match meaning {
        Meaning::Created | Meaning::Submitted => Some(0),
        Meaning::Queued => Some(1),
        Meaning::Claimed => Some(2),
        _ => None,
    }
}

/// The same with what follows on them; `None` where something leads back.
fn step_or_end(meaning: Meaning) -> Option<u8> {
    match meaning {
        Meaning::Started | Meaning::Progressed => Some(3),
        Meaning::Completed => Some(4),
        meaning => step(meaning),
    }
}

/// A failure after which another attempt is allowed ends its attempt, not the job.
fn leave_attempts_open(events: &[JobEvent], meanings: &mut [Option<Meaning>]) {
    let (mut begun, mut allowed) = (0, None);
    for (event, meaning) in events.iter().zip(meanings) {
        match meaning {
            Some(meaning) if meaning.is_beginning() || *meaning == Meaning::Queued => {
                allowed = attempts_allowed(&event.data).or(allowed);
            }
            Some(Meaning::Claimed) => begun += 1,
            Some(Meaning::Failed | Meaning::TimedOut)
                if is_tried_again(&event.data, begun.max(1), allowed) == Some(true) =>
            {
                *meaning = Some(Meaning::AttemptFailed);
            }
            _ => {}
        }
    }
}
