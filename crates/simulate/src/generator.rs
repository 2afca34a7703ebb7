use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::chance::Chance;
use super::fleet::Fleet;
use super::job::Job;
use super::troubles::Troubles;
use super::{Incident, Planted, Settings, World};
use emp_event::Draft;

/// An event as it reaches the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The stream's clock, which is true time; never falls from one arrival to the next.
    pub arrived_at_ms: i64,
    /// What the producer wrote.
    pub draft: Draft,
}

/// The simulated system: an endless iterator over what it sends, in order of arrival.
///
/// It holds only what is under way. Its steps wait in a heap; running one tells events and
/// plans later steps, never earlier ones, so the arrivals come out in order.
pub struct Simulation {
    pub(super) world: &'static World,
    pub(super) chance: Chance,
    pub(super) fleet: Fleet,
    pub(super) troubles: Troubles,
    pub(super) has_lasting_faults: bool,
    pub(super) planted: Vec<Planted>,
    pub(super) jobs_created: u64,
    pub(super) mean_arrival_interval_us: f64,
    incidents: Vec<Incident>,
    steps: BinaryHeap<Scheduled>,
    scheduled: u64,
}

/// What happens at a moment of virtual time.
pub(super) enum Step {
    /// An event reaches the stream.
    Deliver(Box<Draft>),
    /// A user submits a job, or several at once.
    Submit,
    /// A job is up for its next attempt.
    Attempt(Box<Job>),
    /// The load balancer asks for the server's health.
    CheckHealth,
    /// The monitor looks at the queue.
    Monitor,
    /// A new version of the API server is rolled out.
    Deploy,
    /// A worker says that it lives.
    Beat(usize),
    /// A worker is restarted once it has nothing to do.
    RestartWorker(usize),
    /// A machine is restarted once its workers have nothing to do.
    RestartMachine(usize),
    /// A planted incident begins.
    Begin(usize),
}

struct Scheduled {
    at_us: i64,
    number: u64,
    step: Step,
}

impl Simulation {
    /// A system that is being started up. Settings that make no sense are taken as the
    /// nearest that do: at least one worker and one machine, and some load.
    pub fn new(settings: Settings) -> Self {
        let time_scale = settings.time_scale.clamp(1e-6, 1e3);
        let jobs_per_us = settings.jobs_per_hour.clamp(1e-3, 1e10) / 3.6e9;
        let from_us = settings.from_ms * 1_000;
        let fleet = Fleet::new(&settings, jobs_per_us, time_scale);
        let chance = Chance::new(settings.seed, time_scale);
        let troubles = Troubles::ahead(&settings.incidents, &chance);
        let mut simulation = Self {
            world: settings.world,
            chance,
            fleet,
            troubles,
            has_lasting_faults: settings.lasting_faults,
            planted: Vec::new(),
            jobs_created: 0,
            mean_arrival_interval_us: super::job::MEAN_JOBS_AT_ONCE / jobs_per_us,
            incidents: settings.incidents,
            steps: BinaryHeap::new(),
            scheduled: 0,
        };
        simulation.start_up(from_us);
        simulation
    }

    /// What has been planted so far, and what is wrong from the start.
    pub fn planted(&self) -> &[Planted] {
        &self.planted
    }

    pub(super) fn schedule(&mut self, at_us: i64, step: Step) {
        self.scheduled += 1;
        self.steps.push(Scheduled { at_us, number: self.scheduled, step });
    }

    fn start_up(&mut self, from_us: i64) {
        self.report_lasting_faults(from_us);
        self.start_server(from_us);
        for machine in 0..self.fleet.machines.len() {
            self.start_machine(from_us, machine);
            self.plan_machine_restart(from_us, machine);
        }
        for worker in 0..self.fleet.workers.len() {
            self.plan_worker_restart(from_us, worker);
        }
        if let Some(every_ms) = self.world.beats_every_ms {
            for worker in 0..self.fleet.workers.len() {
                let first_us = from_us + self.chance.between(0, self.chance.scaled_us(every_ms));
                self.schedule(first_us, Step::Beat(worker));
            }
        }
        self.plan_deploy(from_us);
        self.schedule(from_us, Step::CheckHealth);
        self.schedule(from_us, Step::Monitor);
        self.schedule(from_us, Step::Submit);
        for index in 0..self.incidents.len() {
            let at_us = self.incidents[index].at_ms * 1_000;
            self.schedule(at_us.max(from_us), Step::Begin(index));
        }
    }

    fn run(&mut self, at_us: i64, step: Step) {
        match step {
            Step::Deliver(_) => {}
            Step::Submit => self.submit(at_us),
            Step::Attempt(job) => self.attempt(at_us, job),
            Step::CheckHealth => self.check_health(at_us),
            Step::Monitor => self.monitor(at_us),
            Step::Beat(worker) => self.beat(at_us, worker),
            Step::Deploy => self.deploy(at_us),
            Step::RestartWorker(worker) => self.restart_worker(at_us, worker),
            Step::RestartMachine(machine) => self.restart_machine(at_us, machine),
            Step::Begin(index) => self.begin(at_us, self.incidents[index].kind),
        }
    }
}

impl Iterator for Simulation {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        // The periodic steps plan their own successors, so the heap never runs empty.
        while let Some(Scheduled { at_us, step, .. }) = self.steps.pop() {
            match step {
                Step::Deliver(draft) => {
                    return Some(Arrival { arrived_at_ms: at_us.div_euclid(1_000), draft: *draft });
                }
                step => self.run(at_us, step),
            }
        }
        None
    }
}

/// The heap gives its greatest first: the earliest is the greatest, then the first planned.
impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at_us, other.number).cmp(&(self.at_us, self.number))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Scheduled {}
