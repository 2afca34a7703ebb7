//! Systems unlike each other: the same jobs and the same troubles, told by other producers.

use super::IncidentKind;
use super::chance::Chance;
use super::tongue::{self, Tongue};

/// A system: how large it is, who speaks in it and how, and when its users come.
#[derive(Debug, PartialEq)]
pub struct World {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// How many workers it has.
    pub workers: usize,
    /// How many machines they run on.
    pub machines: usize,
    /// How many jobs are created in an hour, on average.
    pub jobs_per_hour: f64,
    pub(super) tongue: &'static Tongue,
    pub(super) ids: Ids,
    /// Do its producers say how severe an event is?
    pub(super) has_levels: bool,
    /// How often each worker says that it lives.
    pub(super) beats_every_ms: Option<f64>,
    pub(super) clocks: Clocks,
    pub(super) rhythm: Rhythm,
    /// How many of 10,000 jobs are to wait until a later moment.
    pub(super) delayed: u32,
}

/// What names look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ids {
    /// `job_` and twelve characters; `worker-gpu01-1`.
    Plan,
    /// `j-00042-` and eight; `w0`.
    Numbered,
    /// `default:42`; `w1@host2:4711`.
    Queue,
    /// 32 hexadecimal digits; `celery@host2`.
    Uuid,
}

/// Whose clocks are off, all the time and by nobody's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clocks {
    Right,
    /// One worker's by that much: those beside it on its machine are right.
    OneAhead(i64),
    /// Each machine's by its own, some ahead and some behind, at most by that much.
    Apart(i64),
}

/// When jobs come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rhythm {
    Even,
    /// By day, and few at night and on weekends.
    Office,
    /// Twice as many in five minutes of each half hour, and fewer between.
    Bursts,
}

const HOUR_US: i64 = 3_600_000_000;
const DAY_HOURS: i64 = 24;
/// The epoch was a Thursday.
const EPOCH_WEEKDAY: i64 = 3;

impl Ids {
    pub fn worker(self, index: usize, machine: usize, machines: usize) -> String {
        match self {
            Self::Plan => format!("worker-gpu{:02}-{}", machine + 1, index / machines + 1),
            Self::Numbered => format!("w{index}"),
            Self::Queue => format!("w{index}@host{machine}:{}", 4_711 + 13 * index),
            Self::Uuid => format!("celery@host{machine}-{index}"),
        }
    }

    pub fn machine(self, index: usize) -> String {
        match self {
            Self::Plan => format!("machine-gpu{:02}", index + 1),
            Self::Numbered => format!("m{index}"),
            Self::Queue | Self::Uuid => format!("host{index}"),
        }
    }

    /// The id of the job of that number.
    pub fn job(self, chance: &mut Chance, number: u64, queue: &str) -> String {
        match self {
            Self::Plan => chance.id("job_", 12),
            Self::Numbered => chance.id(&format!("j-{number:05}-"), 8),
            Self::Queue => format!("{queue}:{number}"),
            Self::Uuid => chance.trace_id(),
        }
    }
}

impl Clocks {
    /// By how much a machine's clock is ahead.
    pub fn of_machine(self, machine: usize) -> i64 {
        match self {
            // From the one end to the other, and not in the order of the machines.
            Self::Apart(most_ms) => ((machine * 5 + 6) % 13) as i64 * most_ms / 6 - most_ms,
            Self::Right | Self::OneAhead(_) => 0,
        }
    }

    /// By how much more a worker's is.
    pub fn of_worker(self, worker: usize, workers: usize) -> i64 {
        match self {
            Self::OneAhead(ms) if worker == workers * 7 / 8 => ms,
            _ => 0,
        }
    }
}

impl Rhythm {
    /// How many times as many jobs come in then.
    pub fn at(self, now_us: i64) -> f64 {
        match self {
            Self::Even => 1.0,
            Self::Office => {
                let hours = now_us.div_euclid(HOUR_US);
                let (hour, day) = (hours.rem_euclid(DAY_HOURS), hours.div_euclid(DAY_HOURS));
                let is_weekend = (day + EPOCH_WEEKDAY).rem_euclid(7) >= 5;
                match (is_weekend, hour) {
                    (true, _) => 0.2,
                    (false, 7..=18) => 1.6,
                    (false, _) => 0.3,
                }
            }
            Self::Bursts => {
                let minute = now_us.div_euclid(60_000_000).rem_euclid(30);
                if minute < 5 { 2.2 } else { 0.76 }
            }
        }
    }
}

/// The load of a small team: 147 jobs an hour are about 18 million events a year.
const SMALL_TEAM: World = World {
    name: "emp",
    about: "the plan's own names, with levels; 6 workers",
    workers: 6,
    machines: 3,
    jobs_per_hour: 147.0,
    tongue: &tongue::PLAN,
    ids: Ids::Plan,
    has_levels: true,
    beats_every_ms: None,
    clocks: Clocks::Right,
    rhythm: Rhythm::Even,
    delayed: 0,
};

/// The usual one.
pub static EMP: World = SMALL_TEAM;

static PLAIN: World = World {
    name: "plain",
    about: "the plan's names, no levels, a heartbeat every 15 s; 16 workers, one with its clock 90 s ahead",
    workers: 16,
    machines: 4,
    jobs_per_hour: 400.0,
    ids: Ids::Numbered,
    has_levels: false,
    beats_every_ms: Some(15_000.0),
    clocks: Clocks::OneAhead(90_000),
    ..SMALL_TEAM
};

static BULLMQ: World = World {
    name: "bullmq",
    about: "BullMQ's names, delayed jobs, a heartbeat every 10 s; 4 workers",
    workers: 4,
    machines: 3,
    jobs_per_hour: 160.0,
    tongue: &tongue::BULLMQ,
    ids: Ids::Queue,
    has_levels: false,
    beats_every_ms: Some(10_000.0),
    delayed: 300,
    ..SMALL_TEAM
};

static CELERY: World = World {
    name: "celery",
    about: "Celery's tasks, no connectors and no webhooks, clocks seconds apart, office hours; 12 workers",
    workers: 12,
    machines: 6,
    jobs_per_hour: 300.0,
    tongue: &tongue::CELERY,
    ids: Ids::Uuid,
    has_levels: false,
    beats_every_ms: Some(30_000.0),
    clocks: Clocks::Apart(8_000),
    rhythm: Rhythm::Office,
    ..SMALL_TEAM
};

static TEMPORAL: World = World {
    name: "temporal",
    about: "Temporal's workflows and activities, no heartbeats; 8 workers",
    workers: 8,
    machines: 4,
    jobs_per_hour: 240.0,
    tongue: &tongue::TEMPORAL,
    ids: Ids::Uuid,
    has_levels: false,
    ..SMALL_TEAM
};

static SIDEKIQ: World = World {
    name: "sidekiq",
    about: "Sidekiq's and Active Job's names, three events a job, in bursts; 5 workers",
    workers: 5,
    machines: 2,
    jobs_per_hour: 250.0,
    tongue: &tongue::SIDEKIQ,
    ids: Ids::Uuid,
    has_levels: false,
    rhythm: Rhythm::Bursts,
    ..SMALL_TEAM
};

static SPARSE: World = World {
    name: "sparse",
    about: "the plan's names, created, claimed and ended alone, few jobs; 2 workers",
    workers: 2,
    machines: 1,
    jobs_per_hour: 60.0,
    tongue: &tongue::SPARSE,
    has_levels: false,
    ..SMALL_TEAM
};

static FARM: World = World {
    name: "farm",
    about: "the plan's names with levels, a heartbeat a minute; 500 workers on 60 machines",
    workers: 500,
    machines: 60,
    jobs_per_hour: 4_000.0,
    beats_every_ms: Some(60_000.0),
    clocks: Clocks::Apart(400),
    ..SMALL_TEAM
};

impl World {
    /// Every world.
    pub const ALL: [&'static Self; 8] = [&EMP, &PLAIN, &BULLMQ, &CELERY, &TEMPORAL, &SIDEKIQ, &SPARSE, &FARM];

    /// The world of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|world| world.name == name)
    }

    /// The first that is told of a job.
    pub(super) fn first_word(&self) -> &'static str {
        let words = ["job.created", "job.queued"];
        words.into_iter().find_map(|word| self.tongue.word(word)).unwrap_or_default()
    }

    /// Does each worker say now and then that it lives?
    pub fn has_heartbeats(&self) -> bool {
        self.beats_every_ms.is_some()
    }

    /// Can that go wrong in it, and be seen? A system that tells of no webhooks loses none.
    pub fn can_have(&self, kind: IncidentKind) -> bool {
        let tells = |event_type: &'static str| self.tongue.word(event_type).is_some();
        match kind {
            IncidentKind::LostWebhook | IncidentKind::EndpointDown | IncidentKind::SilentService => {
                tells("webhook.delivering")
            }
            IncidentKind::SlowConnector | IncidentKind::MissingStep => tells("connector.processing_completed"),
            IncidentKind::RetryStorm | IncidentKind::NewError => tells("connector.processing_failed"),
            IncidentKind::ErrorBurst => tells("job.creation_failed"),
            IncidentKind::PausedQueue => tells("queue.paused"),
            IncidentKind::SkewedClock => self.clocks == Clocks::Right && self.machines > 2,
            IncidentKind::SlowWorker => self.workers > 2,
            IncidentKind::StuckJob | IncidentKind::SilentWorker | IncidentKind::FullQueue | IncidentKind::LostJob => {
                true
            }
        }
    }
}
