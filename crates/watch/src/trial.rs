//! What would have been told, beside what is known to have been wrong.

use serde::Serialize;

use emp_findings::{Incident, Moment, Truth};

use super::{Message, State};

/// What is over is seen for as long in the windows that are looked at.
const AFTER_MS: i64 = 3_600_000;
/// Somebody is told soon within that time.
const SOON_MS: i64 = 5 * 60_000;
const DAY_MS: i64 = 24 * 3_600_000;

/// How a watch would have done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// Each incident of the range.
    pub incidents: Vec<Told>,
    /// The share of them that would have been told within five minutes of their beginning, from 0 to 1; none where there
    /// were none.
    pub told_soon: Option<f64>,
    /// The share that would have been told within five minutes of when somebody could know of them, of those of which
    /// anything was ever to be seen.
    pub told_soon_knowable: Option<f64>,
    /// The share that would have been told within five minutes of their beginning, of those of which anybody could know by
    /// then.
    pub told_soon_possible: Option<f64>,
    /// The share that would have been told at all.
    pub told: Option<f64>,
    /// Messages that are about none of them.
    pub false_messages: Vec<FalseMessage>,
    /// As many a day.
    pub false_per_day: f64,
    /// Days by the clock, all within the range, of which no part belongs to an incident.
    pub healthy_days: usize,
    /// Messages in those, a day.
    pub false_per_healthy_day: Option<f64>,
}

/// From when on somebody could know of an incident.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Since {
    /// By the definitions.
    pub knowable: Option<Moment>,
    /// By whatever anybody may go by.
    pub earliest: Option<Moment>,
}

/// An incident that is known, and the first message about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// What it was.
    pub kind: String,
    /// When it began.
    pub at: Moment,
    /// From when on somebody could know of it, by the definitions.
    pub knowable: Option<Moment>,
    /// Before when nobody could know of it without taking what is usual for it, too.
    pub earliest: Option<Moment>,
    /// Who was behind it.
    pub culprit: String,
    /// How long after its beginning somebody was told, in ms; `None` where nobody was.
    pub after_ms: Option<i64>,
    /// The same after it could be known.
    pub after_knowable_ms: Option<i64>,
    /// What the message said.
    pub told_as: Option<String>,
    /// How many messages were about it.
    pub messages: usize,
}

/// A message about nothing that is known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FalseMessage {
    /// When it would have been told.
    pub at: Moment,
    /// Of what kind it is.
    pub kind: String,
    /// What it says, in short and at length.
    pub headline: String,
    /// In a sentence.
    pub message: String,
    /// Is it of a day without any incident?
    pub is_of_healthy_day: bool,
}

impl Trial {
    /// Compares messages with what was wrong from `since_ms` to `until_ms`; what began before is left out. `since` has
    /// for each incident of the truth from when on somebody could know of it.
    pub fn of(messages: &[Message], truth: &Truth, since: &[Since], (since_ms, until_ms): (i64, i64)) -> Self {
        let is_within = |incident: &Incident| is_within(incident, (since_ms, until_ms));
        let opened: Vec<&Message> = messages.iter().filter(|message| message.state == State::Open).collect();
        let known = truth.planted.iter().zip(since).filter(|(incident, _)| is_within(incident));
        let incidents: Vec<Told> = known.map(|(incident, since)| told(incident, *since, &opened)).collect();
        let share = |is_told: &dyn Fn(&Told) -> bool| {
            let told = incidents.iter().filter(|incident| is_told(incident)).count();
            (!incidents.is_empty()).then(|| told as f64 / incidents.len() as f64)
        };
        let is_soon = |after_ms: Option<i64>| after_ms.is_some_and(|after_ms| after_ms <= SOON_MS);
        // Workers that are stopped while nobody needs them hold no job up.
        let could_be_known = |told: &&Told| told.knowable.is_some() || told.after_ms.is_some();
        let known = incidents.iter().filter(could_be_known).count();
        let is_possible = |told: &&Told| told.earliest.is_some_and(|earliest| earliest.0 - told.at.0 <= SOON_MS);
        let possible = incidents.iter().filter(|told| is_possible(told) || is_soon(told.after_ms)).count();
        let soon = incidents.iter().filter(|told| is_soon(told.after_ms)).count();
        let known_soon = incidents.iter().filter(|told| is_soon(told.after_knowable_ms)).count();
        let healthy: Vec<i64> = healthy_days(truth, (since_ms, until_ms));
        let is_of_healthy_day = |at_ms: i64| healthy.contains(&at_ms.div_euclid(DAY_MS));
        let is_false = |message: &&&Message| !truth.planted.iter().any(|incident| tells_of(message, incident));
        let false_messages: Vec<FalseMessage> = opened
            .iter()
            .filter(is_false)
            .map(|message| FalseMessage {
                at: Moment(message.at_ms),
                kind: message.seen.kind.clone(),
                headline: message.headline(),
                message: message.seen.message.clone(),
                is_of_healthy_day: is_of_healthy_day(message.at_ms),
            })
            .collect();
        let in_healthy = false_messages.iter().filter(|message| message.is_of_healthy_day).count();
        let days = ((until_ms - since_ms) as f64 / DAY_MS as f64).max(f64::EPSILON);
        Self {
            told_soon: share(&|told| is_soon(told.after_ms)),
            told_soon_knowable: (known > 0).then(|| known_soon as f64 / known as f64),
            told_soon_possible: (possible > 0).then(|| soon as f64 / possible as f64),
            told: share(&|told| told.after_ms.is_some()),
            false_per_day: false_messages.len() as f64 / days,
            healthy_days: healthy.len(),
            false_per_healthy_day: (!healthy.is_empty()).then(|| in_healthy as f64 / healthy.len() as f64),
            false_messages,
            incidents,
        }
    }
}

/// The days by the clock, by their number since the epoch, that lie within the range and have no part of an incident; what
/// is wrong all the time belongs to no day.
fn healthy_days(truth: &Truth, (since_ms, until_ms): (i64, i64)) -> Vec<i64> {
    let first = (since_ms + DAY_MS - 1).div_euclid(DAY_MS);
    let is_healthy = |day: &i64| {
        let (from_ms, to_ms) = (day * DAY_MS, (day + 1) * DAY_MS);
        let is_in = |incident: &Incident| {
            let lasts = incident.until.map_or(incident.at.0, |until| until.0) + AFTER_MS;
            incident.at.0 >= since_ms && incident.at.0 < to_ms && lasts > from_ms
        };
        !truth.planted.iter().any(is_in)
    };
    (first..until_ms.div_euclid(DAY_MS)).filter(is_healthy).collect()
}

/// Has it begun within that range?
pub fn is_within(incident: &Incident, (since_ms, until_ms): (i64, i64)) -> bool {
    incident.at.0 >= since_ms && incident.at.0 <= until_ms
}

fn told(incident: &Incident, Since { knowable, earliest }: Since, opened: &[&Message]) -> Told {
    let about: Vec<&&Message> = opened.iter().filter(|message| tells_of(message, incident)).collect();
    let first = about.first();
    // Where too little of it was ever to be seen, it could not be known before it was told.
    let knowable_ms = knowable.map_or_else(|| first.map(|message| message.at_ms), |knowable| Some(knowable.0));
    Told {
        kind: incident.kind.clone(),
        at: incident.at,
        knowable,
        earliest,
        culprit: incident.culprit.id.clone(),
        after_ms: first.map(|message| message.at_ms - incident.at.0),
        after_knowable_ms: first.zip(knowable_ms).map(|(message, knowable_ms)| (message.at_ms - knowable_ms).max(0)),
        told_as: first.map(|message| message.headline()),
        messages: about.len(),
    }
}

/// Did it come while that lasted, and names who is behind it or whom it hit, or is of a kind by which alone such incidents
/// show?
fn tells_of(message: &Message, incident: &Incident) -> bool {
    let ends_ms = incident.until.map_or(i64::MAX, |until| until.0).saturating_add(AFTER_MS);
    let is_then = message.at_ms >= incident.at.0 && message.at_ms <= ends_ms;
    let seen = &message.seen;
    let names = |name: &String| {
        let is_named = |text: &str| has_word(text, name);
        seen.who.as_deref().is_some_and(is_named)
            || is_named(&seen.message)
            || seen.about.iter().any(|one| is_named(one))
    };
    let is_shown = incident.shows_as().iter().any(|kind| kind.as_str() == seen.kind);
    // What never ends and has hit a job is known by that job alone: whoever is behind it does other things later.
    let is_of_one_job = incident.until.is_none() && !incident.jobs.is_empty();
    let is_culprit = !is_of_one_job && names(&incident.culprit.id);
    is_then && (is_shown || is_culprit || incident.jobs.iter().chain(&incident.also).any(names))
}

/// Is that name in the text, and not as a part of another one?
fn has_word(text: &str, name: &str) -> bool {
    let is_of_name = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        !name.is_empty() && !before.is_some_and(is_of_name) && !after.is_some_and(is_of_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_part_of_another_one() {
        assert!(has_word("worker w1", "w1") && has_word("(queue default)", "default") && has_word("w1", "w1"));
        assert!(!has_word("worker w12", "w1") && !has_word("gpu-w1", "w1") && !has_word("worker", ""));
        assert!(has_word("w12 and w1: slow", "w1"), "a later one may be it");
    }

    #[test]
    fn a_day_is_healthy_where_no_part_of_an_incident_lies_in_it() {
        let incident = |from_ms: i64, until_ms: Option<i64>| Incident {
            kind: "stuck-job".to_owned(),
            at: Moment(from_ms),
            until: until_ms.map(Moment),
            culprit: emp_findings::KnownCulprit { id: "j".to_owned() },
            jobs: Vec::new(),
            also: Vec::new(),
            signs: Vec::new(),
        };
        let truth = |planted: Vec<Incident>| Truth { planted };
        let range = (0, 4 * DAY_MS);
        assert_eq!(healthy_days(&truth(vec![]), range), [0, 1, 2, 3]);
        let of_two_days = incident(DAY_MS + 5, Some(2 * DAY_MS + 5));
        assert_eq!(healthy_days(&truth(vec![of_two_days]), range), [0, 3]);
        assert_eq!(healthy_days(&truth(vec![incident(3 * DAY_MS, None)]), range), [0, 1, 2]);
        assert_eq!(healthy_days(&truth(vec![incident(-5, None)]), range), [0, 1, 2, 3], "what was wrong all the time");
        assert_eq!(healthy_days(&truth(vec![]), (5, 2 * DAY_MS)), [1], "whole days alone");
    }
}
