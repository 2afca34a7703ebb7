//! Troubles that were planted and last.

use super::chance::Chance;
use super::incident::{CONNECTOR_SLOWNESS, Incident, IncidentKind, RUSH, SILENT_SERVICE_MS};
use super::job::Outage;
use super::kinds::Connector;

/// What nobody has met before.
const NEW_ERROR: &str = "KeyError: 'tokenizer_config' in /srv/connector/loader.py";

/// Planted troubles that last, each with the moment until which it does.
#[derive(Default)]
pub(super) struct Troubles {
    pub outage: Option<Outage>,
    pub slow_connector: Option<(&'static Connector, i64)>,
    pub rush_until_us: i64,
    pub new_error: Option<(&'static Connector, i64)>,
    pub silent_step: Option<(usize, i64)>,
    silent_service: Vec<(i64, i64)>,
    pub burst_until_us: i64,
    pub pause: Option<(&'static str, i64)>,
    pub endpoint_down: Option<(&'static str, i64)>,
}

impl Troubles {
    /// What has to be known before it begins: much of a job is told ahead of its time.
    pub fn ahead(incidents: &[Incident], chance: &Chance) -> Self {
        let silent = incidents.iter().filter(|incident| incident.kind == IncidentKind::SilentService);
        let silent_service = silent.map(|incident| {
            let from_us = incident.at_ms * 1_000;
            (from_us, from_us + chance.scaled_us(SILENT_SERVICE_MS))
        });
        Self { silent_service: silent_service.collect(), ..Self::default() }
    }

    /// By how much the connector's work takes longer than usual.
    pub fn slowness(&self, connector: &Connector, at_us: i64) -> f64 {
        let is_slow = self.slow_connector.is_some_and(|(slow, until_us)| slow == connector && at_us < until_us);
        if is_slow { CONNECTOR_SLOWNESS } else { 1.0 }
    }

    /// How many times as many jobs come in.
    pub fn rush(&self, at_us: i64) -> f64 {
        if at_us < self.rush_until_us { RUSH } else { 1.0 }
    }

    /// The error that a third of the connector's jobs meet.
    pub fn new_error(&self, connector: &Connector, at_us: i64) -> Option<&'static str> {
        let (flawed, until_us) = self.new_error?;
        (flawed == connector && at_us < until_us).then_some(NEW_ERROR)
    }

    /// The incident that an error is of.
    pub fn kind_of(&self, error: &str) -> Option<IncidentKind> {
        if self.outage.as_ref().is_some_and(|outage| outage.error == error) {
            return Some(IncidentKind::RetryStorm);
        }
        (error == NEW_ERROR).then_some(IncidentKind::NewError)
    }

    /// Does the worker leave out that its connector is done?
    pub fn leaves_out_step(&self, worker: usize, at_us: i64) -> bool {
        self.silent_step.is_some_and(|(silent, until_us)| silent == worker && at_us < until_us)
    }

    /// Is nothing heard of the webhook service?
    pub fn silences_webhooks(&self, at_us: i64) -> bool {
        self.silent_service.iter().any(|(from_us, until_us)| (*from_us..*until_us).contains(&at_us))
    }

    /// Until when the queue hands out no jobs, where it is paused.
    pub fn paused_until(&self, queue: &str, at_us: i64) -> Option<i64> {
        self.pause.filter(|(paused, until_us)| *paused == queue && at_us < *until_us).map(|(_, until_us)| until_us)
    }

    /// Does that endpoint answer with an error?
    pub fn refuses(&self, url: &str, at_us: i64) -> bool {
        self.endpoint_down.is_some_and(|(down, until_us)| down == url && at_us < until_us)
    }

    /// The error with which submissions fail.
    pub fn submission_error(&self, at_us: i64) -> Option<&'static str> {
        (at_us < self.burst_until_us).then_some("TypeError: Cannot read properties of undefined (reading 'tier')")
    }
}
