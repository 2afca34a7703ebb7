//! How an event gets out: stamped by its host's clock, carried to the stream.

use super::generator::Step;
use super::{IncidentKind, Simulation};
use emp_event::{Draft, Level};

/// Who sends an event: decides its service, its clock, and the ids that it carries.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sender {
    Api,
    Webhook,
    Monitor,
    /// By its place in the fleet.
    Worker(usize),
    /// By its place in the fleet.
    Machine(usize),
}

/// Which ids a producer leaves out of the fields, mostly because it puts them into `data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeftOut {
    Nothing,
    /// The worker or machine.
    Sender,
    /// The trace and the job.
    Job,
}

/// One event about to be sent.
pub(super) struct Line {
    at_us: i64,
    sender: Sender,
    event_type: &'static str,
    level: Level,
    left_out: LeftOut,
    data: String,
}

impl Line {
    pub fn new(at_us: i64, sender: Sender, event_type: &'static str, data: String) -> Self {
        Self { at_us, sender, event_type, level: Level::Info, left_out: LeftOut::Nothing, data }
    }

    pub fn level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    pub fn without(self, left_out: LeftOut) -> Self {
        Self { left_out, ..self }
    }
}

/// Events that belong together: of one trace, mostly of one job. They arrive in the order
/// in which they are told, as over the one connection of a producer.
#[derive(Debug)]
pub(super) struct Story {
    pub trace_id: String,
    pub job_id: Option<String>,
    arrived_us: i64,
}

impl Story {
    /// When the last of it arrives that has been told.
    pub fn told_us(&self) -> i64 {
        self.arrived_us
    }

    pub fn new(trace_id: String, job_id: Option<String>) -> Self {
        Self { trace_id, job_id, arrived_us: i64::MIN }
    }
}

/// Transport to the stream, whatever the time scale: networks don't know of it.
const TRANSPORT_US: (i64, i64) = (1_000, 20_000);

impl Simulation {
    /// Sends an event. It is delivered once virtual time has reached its arrival.
    pub(super) fn tell(&mut self, story: &mut Story, line: Line) {
        if matches!(line.sender, Sender::Webhook) && self.troubles.silences_webhooks(line.at_us) {
            self.note_hit(IncidentKind::SilentService, story.job_id.as_deref());
            self.note_sign(IncidentKind::SilentService, line.at_us);
            return;
        }
        let tongue = self.world.tongue;
        let Some(event_type) = tongue.word(line.event_type) else { return };
        if self.jumps(line.sender, line.at_us) {
            self.note_sign(IncidentKind::SkewedClock, line.at_us);
        }
        let transport_us = self.chance.between(TRANSPORT_US.0, TRANSPORT_US.1);
        story.arrived_us = story.arrived_us.max(line.at_us + transport_us);
        let (service, worker, machine) = match line.sender {
            Sender::Api => ("api-server", None, None),
            Sender::Webhook => ("webhook-service", None, None),
            Sender::Monitor => ("monitor", None, None),
            Sender::Worker(index) => ("worker", Some(self.fleet.workers[index].id.as_str()), None),
            Sender::Machine(index) => ("machine", None, Some(self.fleet.machines[index].id.as_str())),
        };
        let with_sender = line.left_out != LeftOut::Sender;
        let with_job = line.left_out != LeftOut::Job;
        let draft = Draft {
            timestamp: self.stamp_ms(line.sender, line.at_us),
            service: tongue.service(service).to_owned(),
            event_type: event_type.to_owned(),
            level: if self.world.has_levels { line.level } else { Level::of_type(event_type) },
            trace_id: with_job.then(|| story.trace_id.clone()),
            job_id: story.job_id.clone().filter(|_| with_job),
            worker_id: worker.filter(|_| with_sender).map(str::to_owned),
            machine_id: machine.filter(|_| with_sender).map(str::to_owned),
            user_id: None,
            data: tongue.data(line.data),
        };
        self.schedule(story.arrived_us, Step::Deliver(Box::new(draft)));
    }

    /// Is the sender's clock ahead then by a planted incident?
    fn jumps(&self, sender: Sender, at_us: i64) -> bool {
        let machine = match sender {
            Sender::Worker(index) => self.fleet.workers[index].machine,
            Sender::Machine(index) => index,
            Sender::Api | Sender::Webhook | Sender::Monitor => return false,
        };
        at_us < self.fleet.machines[machine].jumped_until_us
    }

    /// What the sender's clock shows at that moment of true time.
    pub(super) fn stamp_ms(&self, sender: Sender, at_us: i64) -> i64 {
        let skew_ms = match sender {
            Sender::Worker(index) => {
                let machine = self.fleet.workers[index].machine;
                let own_ms = self.world.clocks.of_worker(index, self.fleet.workers.len());
                self.fleet.machines[machine].skew_ms(at_us) + self.world.clocks.of_machine(machine) + own_ms
            }
            Sender::Machine(index) => self.fleet.machines[index].skew_ms(at_us) + self.world.clocks.of_machine(index),
            Sender::Api | Sender::Webhook | Sender::Monitor => 0,
        };
        at_us.div_euclid(1_000) + skew_ms
    }
}

/// Whole milliseconds between two moments, as the difference of two stamps of one clock.
pub(super) fn elapsed_ms(from_us: i64, to_us: i64) -> i64 {
    to_us.div_euclid(1_000) - from_us.div_euclid(1_000)
}
