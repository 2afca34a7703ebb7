//! What would have been said over a range of the past, and whether that was right.

use serde::{Deserialize, Serialize};

use crate::{Anomaly, AnomalyKind, Moment};

/// What would have been said over a range of the past.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backtest {
    /// How long the range is.
    pub days: f64,
    /// Alerts a day.
    pub alerts_per_day: f64,
    /// Each alert once, however often it was repeated.
    pub alerts: Vec<Alert>,
    /// How it compares with what is known to have been wrong, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared: Option<Compared>,
}

/// An alert, and how long it was repeated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alert {
    /// When it was given first.
    pub from: Moment,
    /// When it was given last.
    pub until: Moment,
    /// What it said first.
    pub anomaly: Anomaly,
}

/// What is known to have been wrong, as `simulate --format json` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Truth {
    /// Each incident.
    pub planted: Vec<Incident>,
}

/// An incident that is known.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Incident {
    /// What, by its name in `simulate --incident`.
    pub kind: String,
    /// When it began.
    pub at: Moment,
    /// When it ended, where it did.
    pub until: Option<Moment>,
    /// Who is behind it.
    pub culprit: KnownCulprit,
    /// Jobs that it hit.
    #[serde(default)]
    pub jobs: Vec<String>,
    /// Who else is a part of it, such as workers that were stopped.
    #[serde(default)]
    pub also: Vec<String>,
    /// When the first of what shows it could be seen: events that differ from what they would have been, or the last one
    /// before those that are missing.
    #[serde(default)]
    pub signs: Vec<Moment>,
}

/// From when on somebody could know of an incident, by the definitions in `docs/definitions.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowable {
    /// From that many signs on: fewer cases are called chance.
    Signs(usize),
    /// Once nothing has followed the first sign for longer than such a wait may last.
    Overdue,
}

/// Before when nobody could know of an incident, whatever he goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Earliest {
    /// Before that sign there is too little to be seen.
    Sign(usize),
    /// As long as more than one job a day is silent for as long and well, or the worker is.
    Unusual,
}

/// Who is behind a known incident.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KnownCulprit {
    /// Its name.
    pub id: String,
}

/// Alerts beside incidents.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// Each incident of the range.
    pub incidents: Vec<Hit>,
    /// Alerts that are about none of them.
    pub false_alarms: usize,
    /// The same a day.
    pub false_alarms_per_day: f64,
}

/// An incident, and the alert that told of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hit {
    /// What it was.
    pub kind: String,
    /// When it began.
    pub at: Moment,
    /// Who was behind it.
    pub culprit: String,
    /// When the first alert told of it; `None` where none did.
    pub told: Option<Moment>,
    /// How long after its beginning, or after that of the range where it began before, in ms.
    pub after_ms: Option<i64>,
    /// What kind of alert that was.
    pub told_as: Option<AnomalyKind>,
}

/// What is over is seen for as long in the windows that are looked at.
const AFTER_MS: i64 = 3_600_000;

impl Backtest {
    /// Compares the alerts with what is known to have been wrong from `since_ms` to `until_ms`. Incidents
    /// that were over before are left out.
    #[must_use]
    pub fn compared_with(self, truth: &Truth, (since_ms, until_ms): (i64, i64)) -> Self {
        let is_within = |incident: &&Incident| {
            let ends_ms = incident.until.map_or(i64::MAX, |until| until.0);
            incident.at.0 <= until_ms && ends_ms.saturating_add(AFTER_MS) >= since_ms
        };
        let incidents: Vec<&Incident> = truth.planted.iter().filter(is_within).collect();
        let hits = incidents.iter().map(|incident| {
            let told = self.alerts.iter().find(|alert| alert.tells_of(incident));
            Hit {
                kind: incident.kind.clone(),
                at: incident.at,
                culprit: incident.culprit.id.clone(),
                told: told.map(|alert| alert.from),
                after_ms: told.map(|alert| (alert.from.0 - incident.at.0.max(since_ms)).max(0)),
                told_as: told.map(|alert| alert.anomaly.kind),
            }
        });
        let hits = hits.collect();
        let is_false = |alert: &&Alert| !incidents.iter().any(|incident| alert.tells_of(incident));
        let false_alarms = self.alerts.iter().filter(is_false).count();
        let false_alarms_per_day = if self.days > 0.0 { false_alarms as f64 / self.days } else { 0.0 };
        Self { compared: Some(Compared { incidents: hits, false_alarms, false_alarms_per_day }), ..self }
    }
}

impl Alert {
    /// Was it given while that lasted, and names who is behind it or whom it hit, or is of the kind by which
    /// such incidents show?
    fn tells_of(&self, incident: &Incident) -> bool {
        let ends_ms = incident.until.map_or(i64::MAX, |until| until.0).saturating_add(AFTER_MS);
        let is_then = self.until.0 >= incident.at.0 && self.from.0 <= ends_ms;
        let names = std::iter::once(&incident.culprit.id).chain(&incident.jobs);
        is_then && (incident.shows_as().contains(&self.anomaly.kind) || names.into_iter().any(|name| self.names(name)))
    }

    fn names(&self, name: &str) -> bool {
        let subject = &self.anomaly.subject;
        let ids = [&subject.service, &subject.worker_id, &subject.machine_id, &subject.event_type, &subject.job_id];
        ids.into_iter().flatten().any(|id| id == name) || self.anomaly.message.contains(name)
    }
}

impl Incident {
    /// What the definitions ask for before anything is said of such an incident.
    pub fn knowable(&self) -> Knowable {
        match self.kind.as_str() {
            // What is missing is missed after its limit.
            "stuck-job" | "silent-worker" | "lost-webhook" | "silent-service" | "full-queue" | "paused-queue" => {
                Knowable::Overdue
            }
            // A clock is judged by thirty events.
            "skewed-clock" => Knowable::Signs(30),
            // The queue says so itself.
            "lost-job" => Knowable::Signs(1),
            // Jobs without a step that no other one lacks.
            "missing-step" => Knowable::Signs(2),
            // Three errors, three pieces of work.
            _ => Knowable::Signs(3),
        }
    }

    /// What has to be seen before anybody can tell such an incident from what is usual.
    pub fn earliest(&self) -> Earliest {
        match self.kind.as_str() {
            "stuck-job" | "silent-worker" => Earliest::Unusual,
            // One piece of work that takes four times as long is one in a thousand, and there are thousands a day.
            "slow-worker" | "slow-connector" => Earliest::Sign(2),
            _ => Earliest::Sign(1),
        }
    }

    /// When the last of its first signs could be seen, as many as that; `None` where there were not so many.
    pub fn sign(&self, number: usize) -> Option<Moment> {
        self.signs.get(number.checked_sub(1)?).copied()
    }

    /// The anomalies that only incidents of this kind bring about.
    pub fn shows_as(&self) -> &'static [AnomalyKind] {
        match self.kind.as_str() {
            // What is measured by two clocks, as the wait for a worker is, seems to take longer then.
            "skewed-clock" => &[AnomalyKind::Skew, AnomalyKind::Latency],
            "new-error" => &[AnomalyKind::NewError],
            "missing-step" => &[AnomalyKind::MissingStep],
            "retry-storm" => &[AnomalyKind::RetryLoop, AnomalyKind::ErrorShare, AnomalyKind::NewError],
            "error-burst" => &[AnomalyKind::ErrorShare, AnomalyKind::NewError],
            "full-queue" => &[AnomalyKind::Latency, AnomalyKind::Stuck],
            _ => &[],
        }
    }
}
