//! Machines and their workers: who is free, who is slow, whose clock is ahead.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::chance::Length;
use super::generator::Step;
use super::json::Object;
use super::kinds::JOB_KINDS;
use super::tell::{LeftOut, Line, Sender, Story, elapsed_ms};
use super::{Settings, Simulation};
use emp_event::Level;

/// Where jobs are worked on.
pub(super) struct Fleet {
    pub workers: Vec<Worker>,
    pub machines: Vec<Machine>,
    /// When each place for a job is free, the earliest first.
    places: BinaryHeap<Reverse<(i64, usize)>>,
}

pub(super) struct Worker {
    pub id: String,
    pub machine: usize,
    /// Nothing that it has claimed goes on after this.
    pub busy_until_us: i64,
    /// Until when a planted incident slows it down.
    pub ailing_until_us: i64,
    is_slow: bool,
    /// Nothing is heard of it from then on, until it is back.
    pub down_us: i64,
    /// It claims nothing before this.
    pub back_us: i64,
}

pub(super) struct Machine {
    pub id: String,
    /// Until when a planted incident puts its clock ahead.
    pub jumped_until_us: i64,
    is_ahead: bool,
}

/// The slow worker among its peers.
const SLOWNESS: f64 = 3.0;
/// One that a planted incident slows down.
const AILING_SLOWNESS: f64 = 4.0;
/// The clock that is ahead from the start.
const AHEAD_MS: i64 = 4_200;
/// A clock that is ahead by less is not worth a word.
const NOTABLE_SKEW_MS: i64 = 1_000;
/// One that a planted incident puts ahead.
const JUMP_MS: i64 = 6_800;
/// The share of its places that the fleet needs on average: the rest is for bursts.
const UTILISATION: f64 = 0.4;

const BOOT: Length = Length::new(3_500.0, 0.3);
const START_SERVICE: Length = Length::new(2_200.0, 0.5);
const START_WORKER: Length = Length::new(1_800.0, 0.4);
const WORKER_RESTART_HOURS: f64 = 20.0;
const MACHINE_RESTART_HOURS: f64 = 40.0;
const PM2_SERVICES: [&str; 3] = ["comfyui", "redis-worker", "log-shipper"];

impl Worker {
    /// Is anything heard of it then?
    fn is_up(&self, at_us: i64) -> bool {
        at_us < self.down_us || at_us >= self.back_us
    }

    /// By how much its work takes longer than its peers'.
    pub fn slowness(&self, at_us: i64) -> f64 {
        let lasting = if self.is_slow { SLOWNESS } else { 1.0 };
        if at_us < self.ailing_until_us { lasting * AILING_SLOWNESS } else { lasting }
    }
}

impl Machine {
    /// By how much its clock is ahead.
    pub fn skew_ms(&self, at_us: i64) -> i64 {
        let lasting = if self.is_ahead { AHEAD_MS } else { 0 };
        if at_us < self.jumped_until_us { lasting + JUMP_MS } else { lasting }
    }
}

impl Fleet {
    /// As many places as the load needs, on so many workers.
    pub fn new(settings: &Settings, jobs_per_us: f64, time_scale: f64) -> Self {
        let (workers, machines) = (settings.workers.max(1), settings.machines.max(1));
        let (ids, has_faults) = (settings.world.ids, settings.lasting_faults);
        let weights: u32 = JOB_KINDS.iter().map(|kind| kind.weight).sum();
        let work: f64 = JOB_KINDS.iter().map(|kind| f64::from(kind.weight) * kind.processing.mean_ms()).sum();
        let busy_places = jobs_per_us * 1_000.0 * time_scale * work / f64::from(weights);
        let places_per_worker = (busy_places / UTILISATION / workers as f64).ceil().max(1.0) as usize;
        let name_worker = |index: usize| Worker {
            id: ids.worker(index, index % machines, machines),
            machine: index % machines,
            busy_until_us: i64::MIN,
            ailing_until_us: i64::MIN,
            is_slow: has_faults && workers > 2 && index == 1,
            down_us: i64::MAX,
            back_us: i64::MIN,
        };
        let name_machine = |index: usize| Machine {
            id: ids.machine(index),
            jumped_until_us: i64::MIN,
            is_ahead: has_faults && machines > 1 && index == machines - 1,
        };
        Self {
            workers: (0..workers).map(name_worker).collect(),
            machines: (0..machines).map(name_machine).collect(),
            places: (0..workers * places_per_worker).map(|place| Reverse((i64::MIN, place))).collect(),
        }
    }

    /// The place that is free first, its worker, and from when on; [`Self::give_back`] it.
    pub fn take_place(&mut self, now_us: i64) -> (usize, usize, i64) {
        loop {
            // At least one worker, each job gives its place back at once, so there is one.
            let Reverse((free_us, place)) = self.places.pop().expect("a place");
            let worker = place % self.workers.len();
            let free_us = free_us.max(now_us);
            let back_us = self.workers[worker].back_us;
            if back_us <= free_us {
                return (place, worker, free_us);
            }
            self.places.push(Reverse((back_us, place)));
        }
    }

    /// The place is free again from then on.
    pub fn give_back(&mut self, place: usize, ended_us: i64) {
        let index = place % self.workers.len();
        let worker = &mut self.workers[index];
        worker.busy_until_us = worker.busy_until_us.max(ended_us);
        self.places.push(Reverse((ended_us, place)));
    }

    /// How many workers can claim a job, or are at work on one.
    pub fn workers_ready(&self, now_us: i64) -> usize {
        self.workers.iter().filter(|worker| worker.back_us <= now_us).count()
    }
}

impl Simulation {
    /// What is wrong from the start belongs to what is known about the load.
    pub(super) fn report_lasting_faults(&mut self, from_us: i64) {
        let slow = self.fleet.workers.iter().find(|worker| worker.is_slow).map(|worker| worker.id.clone());
        if let Some(id) = slow {
            let subject = format!("worker {id} takes {SLOWNESS} times as long as its peers, all the time");
            self.plant(super::IncidentKind::SlowWorker, (from_us, None), ("worker", &id), subject);
        }
        let ahead = self.fleet.machines.iter().find(|machine| machine.is_ahead).map(|machine| machine.id.clone());
        if let Some(id) = ahead {
            self.report_clock(from_us, ("machine", &id), AHEAD_MS);
        }
        for machine in 0..self.fleet.machines.len() {
            let id = self.fleet.machines[machine].id.clone();
            self.report_clock(from_us, ("machine", &id), self.world.clocks.of_machine(machine));
        }
        for worker in 0..self.fleet.workers.len() {
            let id = self.fleet.workers[worker].id.clone();
            self.report_clock(from_us, ("worker", &id), self.world.clocks.of_worker(worker, self.fleet.workers.len()));
        }
    }

    fn report_clock(&mut self, from_us: i64, whose: (&'static str, &str), ahead_ms: i64) {
        if ahead_ms >= NOTABLE_SKEW_MS {
            let subject = format!("{} {}: its clock is {ahead_ms} ms ahead, all the time", whose.0, whose.1);
            self.plant(super::IncidentKind::SkewedClock, (from_us, None), whose, subject);
        }
    }

    /// A worker says that it lives, and will again.
    pub(super) fn beat(&mut self, now_us: i64, worker: usize) {
        let Some(every_ms) = self.world.beats_every_ms else { return };
        let late_us = self.chance.between(-200_000, 200_000);
        self.schedule(now_us + self.chance.scaled_us(every_ms) + late_us, Step::Beat(worker));
        if self.fleet.workers[worker].is_up(now_us) {
            let machine_id = &self.fleet.machines[self.fleet.workers[worker].machine].id;
            let data = Object::new().text("machineId", machine_id).finish();
            let mut story = Story::new(self.chance.trace_id(), None);
            self.tell(&mut story, Line::new(now_us, Sender::Worker(worker), "worker.heartbeat", data));
        }
    }

    /// Stops a worker, which is started again at that moment.
    pub(super) fn close_worker(&mut self, now_us: i64, until_us: i64, index: usize) {
        let down_us = self.stop_worker(now_us, index, "scaled down");
        self.start_worker(until_us.max(down_us), index);
    }

    /// Starts a worker; it claims jobs once it is ready.
    pub(super) fn start_worker(&mut self, at_us: i64, index: usize) {
        let sender = Sender::Worker(index);
        let machine_id = self.fleet.machines[self.fleet.workers[index].machine].id.clone();
        let mut story = Story::new(self.chance.trace_id(), None);
        let capabilities = Object::new().texts("capabilities", &["gpu", "comfyui"]).text("machineId", &machine_id);
        self.tell(&mut story, Line::new(at_us, sender, "worker.starting", capabilities.finish()));
        let ready_us = at_us + self.chance.duration_us(START_WORKER);
        let types = Object::new().texts("connectorTypes", &["comfyui", "openai", "a1111", "speech"]).finish();
        self.tell(&mut story, Line::new(ready_us, sender, "worker.ready", types));
        self.fleet.workers[index].back_us = ready_us;
    }

    /// Lets the worker end what it has claimed, then stops it. Returns when it is down.
    fn stop_worker(&mut self, now_us: i64, index: usize, reason: &str) -> i64 {
        let worker = &self.fleet.workers[index];
        let down_us = now_us.max(worker.busy_until_us).max(worker.back_us);
        let mut story = Story::new(self.chance.trace_id(), None);
        let data = Object::new().text("reason", reason).finish();
        self.tell(&mut story, Line::new(down_us, Sender::Worker(index), "worker.shutting_down", data));
        if self.fleet.workers[index].is_up(now_us) {
            self.fleet.workers[index].down_us = down_us;
        }
        down_us
    }

    pub(super) fn plan_worker_restart(&mut self, now_us: i64, worker: usize) {
        let at_us = now_us + self.far_away_us(WORKER_RESTART_HOURS);
        self.schedule(at_us, Step::RestartWorker(worker));
    }

    pub(super) fn plan_machine_restart(&mut self, now_us: i64, machine: usize) {
        let at_us = now_us + self.far_away_us(MACHINE_RESTART_HOURS);
        self.schedule(at_us, Step::RestartMachine(machine));
    }

    /// About so many hours, half of them at the least.
    pub(super) fn far_away_us(&mut self, hours: f64) -> i64 {
        let half_us = self.chance.scaled_us(hours * 1_800_000.0);
        half_us + self.chance.interval_us(half_us as f64)
    }

    pub(super) fn restart_worker(&mut self, now_us: i64, worker: usize) {
        let down_us = self.stop_worker(now_us, worker, "SIGTERM");
        let up_us = down_us + self.chance.duration_us(START_WORKER);
        self.start_worker(up_us, worker);
        self.plan_worker_restart(up_us, worker);
    }

    pub(super) fn restart_machine(&mut self, now_us: i64, machine: usize) {
        let mut down_us = now_us;
        for worker in 0..self.fleet.workers.len() {
            if self.fleet.workers[worker].machine == machine {
                down_us = down_us.max(self.stop_worker(now_us, worker, "machine restart"));
            }
        }
        let up_us = down_us + self.chance.duration_us(BOOT);
        self.start_machine(up_us, machine);
        self.plan_machine_restart(up_us, machine);
    }

    /// Boots a machine, its services, then its workers.
    pub(super) fn start_machine(&mut self, at_us: i64, index: usize) {
        let sender = Sender::Machine(index);
        let mut story = Story::new(self.chance.trace_id(), None);
        let data = Object::new().text("imageVersion", "2025.9.3").texts("capabilities", &["gpu", "comfyui"]).finish();
        self.tell(&mut story, Line::new(at_us, sender, "machine.starting", data));
        let mut now_us = at_us + self.chance.duration_us(BOOT);
        let data = Object::new().number("gpuCount", 1).number("totalMemoryMB", 64_311).number("diskSpaceGB", 480);
        self.tell(&mut story, Line::new(now_us, sender, "machine.hardware_detected", data.finish()));
        for service in PM2_SERVICES {
            now_us = self.start_pm2_service(&mut story, now_us, index, service);
        }
        let data = Object::new().texts("services", &PM2_SERVICES).finish();
        self.tell(&mut story, Line::new(now_us, sender, "machine.services_ready", data));
        let data = Object::new().number("startupTimeMs", elapsed_ms(at_us, now_us)).finish();
        self.tell(&mut story, Line::new(now_us, sender, "machine.ready", data));
        for worker in 0..self.fleet.workers.len() {
            if self.fleet.workers[worker].machine == index {
                self.start_worker(now_us, worker);
            }
        }
    }

    /// Tries until the service runs. Returns when it does.
    fn start_pm2_service(&mut self, story: &mut Story, at_us: i64, machine: usize, service: &str) -> i64 {
        let sender = Sender::Machine(machine);
        let mut now_us = at_us;
        loop {
            let machine_id = &self.fleet.machines[machine].id;
            let data = Object::new().text("serviceName", service).text("machineId", machine_id).finish();
            let line = Line::new(now_us, sender, "pm2.service_starting", data);
            self.tell(story, line.without(LeftOut::Sender));
            now_us += self.chance.duration_us(START_SERVICE);
            if !self.chance.happens(1_500) {
                let data = Object::new().text("serviceName", service).number("pid", self.chance.between(200, 32_000));
                self.tell(story, Line::new(now_us, sender, "pm2.service_started", data.finish()));
                return now_us;
            }
            let data = Object::new().text("serviceName", service);
            let data = data.text("error", "[PM2][ERROR] Script not found: /srv/service/index.js").finish();
            let line = Line::new(now_us, sender, "pm2.service_failed", data);
            self.tell(story, line.level(Level::Error));
        }
    }
}
