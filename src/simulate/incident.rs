//! What can be planted at a known time, one function a kind.

use std::fmt;

use super::Simulation;
use super::job::{Fate, Outage};
use super::kinds::{COMFYUI, kind_named};

/// Something that goes wrong at a known time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incident {
    /// What.
    pub kind: IncidentKind,
    /// When it begins, ms since the epoch.
    pub at_ms: i64,
}

/// The kinds of incidents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IncidentKind {
    /// A job is claimed and started, and then never heard of again.
    StuckJob,
    /// A job is done, but its webhook is sent and never confirmed.
    LostWebhook,
    /// A connector fails every job for twenty minutes: each is tried again and again.
    RetryStorm,
    /// A worker takes four times as long for two hours.
    SlowWorker,
    /// A machine's clock jumps ahead by seconds for two hours.
    SkewedClock,
    /// A worker dies with a job in hand, and is replaced half an hour later.
    SilentWorker,
}

impl IncidentKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::StuckJob, Self::LostWebhook, Self::RetryStorm, Self::SlowWorker, Self::SkewedClock, Self::SilentWorker];

    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StuckJob => "stuck-job",
            Self::LostWebhook => "lost-webhook",
            Self::RetryStorm => "retry-storm",
            Self::SlowWorker => "slow-worker",
            Self::SkewedClock => "skewed-clock",
            Self::SilentWorker => "silent-worker",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for IncidentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Incident {
    /// One of each kind, evenly over the second half of those hours: what comes before
    /// shows what is normal.
    pub fn one_of_each(from_ms: i64, hours: u32) -> Vec<Self> {
        let second_half_ms = i64::from(hours) * 1_800_000;
        let apart_ms = second_half_ms / IncidentKind::ALL.len() as i64;
        let place = |(index, kind): (i64, IncidentKind)| Self {
            kind,
            at_ms: from_ms + second_half_ms + apart_ms / 2 + apart_ms * index,
        };
        (0..).zip(IncidentKind::ALL).map(place).collect()
    }
}

/// What is known to be wrong in the simulated load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// What.
    pub kind: IncidentKind,
    /// Since when, ms since the epoch, in true time.
    pub at_ms: i64,
    /// Whom it concerns: a job, a worker, a machine, by id.
    pub subject: String,
}

impl fmt::Display for Planted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = jiff::Timestamp::from_millisecond(self.at_ms).unwrap_or(jiff::Timestamp::MAX);
        write!(f, "{at:.0} {}: {}", self.kind, self.subject)
    }
}

const STORM_MS: f64 = 1_200_000.0;
const AILING_MS: f64 = 7_200_000.0;
/// Who submits the planted jobs.
const USER: &str = "user_1001";

impl Simulation {
    pub(super) fn begin(&mut self, now_us: i64, kind: IncidentKind) {
        match kind {
            IncidentKind::StuckJob => self.plant_stuck_job(now_us),
            IncidentKind::LostWebhook => self.plant_lost_webhook(now_us),
            IncidentKind::RetryStorm => self.plant_retry_storm(now_us),
            IncidentKind::SlowWorker => self.plant_slow_worker(now_us),
            IncidentKind::SkewedClock => self.plant_skewed_clock(now_us),
            // Which worker it hits is known once one has claimed the job.
            IncidentKind::SilentWorker => {
                self.create_job(now_us, USER, kind_named("video_generation"), Fate::WorkerDies);
            }
        }
    }

    /// Notes what is known to be wrong.
    pub(super) fn plant(&mut self, kind: IncidentKind, at_us: i64, subject: String) {
        self.planted.push(Planted { kind, at_ms: at_us.div_euclid(1_000), subject });
    }

    fn plant_stuck_job(&mut self, now_us: i64) {
        let job_id = self.create_job(now_us, USER, kind_named("video_generation"), Fate::Stuck);
        self.plant(IncidentKind::StuckJob, now_us, format!("job {job_id}"));
    }

    fn plant_lost_webhook(&mut self, now_us: i64) {
        let job_id = self.create_job(now_us, USER, kind_named("image_generation"), Fate::WebhookLost);
        self.plant(IncidentKind::LostWebhook, now_us, format!("job {job_id}"));
    }

    fn plant_retry_storm(&mut self, now_us: i64) {
        let until_us = now_us + self.chance.scaled_us(STORM_MS);
        self.outage = Some(Outage { connector: &COMFYUI, error: "connect ECONNREFUSED 127.0.0.1:8188", until_us });
        let job_id = self.create_job(now_us, USER, kind_named("image_generation"), Fate::Ordinary);
        let subject = format!("connector {}, among others job {job_id}", COMFYUI.name);
        self.plant(IncidentKind::RetryStorm, now_us, subject);
    }

    /// Another worker than the one that is slow all the time.
    fn plant_slow_worker(&mut self, now_us: i64) {
        let index = self.fleet.workers.len() / 2;
        let until_us = now_us + self.chance.scaled_us(AILING_MS);
        self.fleet.workers[index].ailing_until_us = until_us;
        let subject = format!("worker {}", self.fleet.workers[index].id);
        self.plant(IncidentKind::SlowWorker, now_us, subject);
    }

    /// The first machine: the last one's clock is ahead all the time.
    fn plant_skewed_clock(&mut self, now_us: i64) {
        let until_us = now_us + self.chance.scaled_us(AILING_MS);
        self.fleet.machines[0].jumped_until_us = until_us;
        let subject = format!("machine {}", self.fleet.machines[0].id);
        self.plant(IncidentKind::SkewedClock, now_us, subject);
    }
}
