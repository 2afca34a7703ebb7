//! What would have been told, beside what is known to have been wrong.

use serde::Serialize;

use emp_findings::{Incident, Moment, Truth};

use super::{Message, State};

/// What is over is seen for as long in the windows that are looked at.
const AFTER_MS: i64 = 3_600_000;
/// Somebody is told soon within that time.
const SOON_MS: i64 = 5 * 60_000;

/// How a watch would have done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// Each incident of the range.
    pub incidents: Vec<Told>,
    /// The share of them that would have been told within five minutes, from 0 to 1; none where there were none.
    pub told_soon: Option<f64>,
    /// The share that would have been told at all.
    pub told: Option<f64>,
    /// Messages that are about none of them, a day.
    pub false_per_day: f64,
}

/// An incident that is known, and the first message about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// What it was.
    pub kind: String,
    /// When it began.
    pub at: Moment,
    /// Who was behind it.
    pub culprit: String,
    /// How long after its beginning somebody was told, in ms; `None` where nobody was.
    pub after_ms: Option<i64>,
    /// What the message said.
    pub told_as: Option<String>,
}

impl Trial {
    /// Compares messages with what was wrong from `since_ms` to `until_ms`; what began before is left out.
    pub fn of(messages: &[Message], truth: &Truth, (since_ms, until_ms): (i64, i64)) -> Self {
        let is_within = |incident: &&Incident| incident.at.0 >= since_ms && incident.at.0 <= until_ms;
        let planted: Vec<&Incident> = truth.planted.iter().filter(is_within).collect();
        let opened: Vec<&Message> = messages.iter().filter(|message| message.state == State::Open).collect();
        let incidents: Vec<Told> = planted.iter().map(|incident| told(incident, &opened)).collect();
        let share = |is_told: &dyn Fn(&Told) -> bool| {
            let told = incidents.iter().filter(|incident| is_told(incident)).count();
            (!incidents.is_empty()).then(|| told as f64 / incidents.len() as f64)
        };
        let told_soon = share(&|told| told.after_ms.is_some_and(|after_ms| after_ms <= SOON_MS));
        let told = share(&|told| told.after_ms.is_some());
        let is_false = |message: &&&Message| !truth.planted.iter().any(|incident| tells_of(message, incident));
        let days = (until_ms - since_ms) as f64 / 86_400_000.0;
        let false_per_day = opened.iter().filter(is_false).count() as f64 / days.max(f64::EPSILON);
        Self { incidents, told_soon, told, false_per_day }
    }
}

fn told(incident: &Incident, opened: &[&Message]) -> Told {
    let first = opened.iter().find(|message| tells_of(message, incident));
    Told {
        kind: incident.kind.clone(),
        at: incident.at,
        culprit: incident.culprit.id.clone(),
        after_ms: first.map(|message| message.at_ms - incident.at.0),
        told_as: first.map(|message| message.headline()),
    }
}

/// Did it come while that lasted, and names who is behind it or whom it hit, or is of a kind by which alone such incidents
/// show?
fn tells_of(message: &Message, incident: &Incident) -> bool {
    let ends_ms = incident.until.map_or(i64::MAX, |until| until.0).saturating_add(AFTER_MS);
    let is_then = message.at_ms >= incident.at.0 && message.at_ms <= ends_ms;
    let seen = &message.seen;
    let names = |name: &String| {
        let is_named = |text: &str| text.contains(name.as_str());
        seen.who.as_deref().is_some_and(is_named)
            || is_named(&seen.message)
            || seen.about.iter().any(|one| is_named(one))
    };
    let is_shown = incident.shows_as().iter().any(|kind| kind.as_str() == seen.kind);
    is_then && (is_shown || names(&incident.culprit.id) || incident.jobs.iter().any(names))
}
