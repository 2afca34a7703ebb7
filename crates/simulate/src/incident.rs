//! What can be planted at a known time, one function a kind.

use std::fmt;

use super::Simulation;
use super::delivery::URLS;
use super::job::{Fate, Outage};
use super::json::Object;
use super::kinds::{COMFYUI, OPENAI, kind_named};
use super::tell::{Line, Sender, Story};

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
    /// A connector takes five times as long on every worker, for forty minutes.
    SlowConnector,
    /// Two thirds of the workers are stopped while six times as many jobs come in, for half an hour.
    FullQueue,
    /// A connector fails a third of its jobs with an error never seen before, for half an hour.
    NewError,
    /// A worker of a new version leaves out a step that all others tell of, for two hours.
    MissingStep,
    /// Nothing is heard of the webhook service for twenty minutes, while jobs go on.
    SilentService,
    /// After a deploy, a quarter of the submissions fail for a quarter of an hour.
    ErrorBurst,
    /// A worker stands still for a minute with a job in hand, which another one takes over.
    LostJob,
    /// A queue hands out no jobs for ten minutes.
    PausedQueue,
    /// A customer's endpoint answers each webhook with an error, for twenty minutes.
    EndpointDown,
}

impl IncidentKind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::StuckJob,
        Self::LostWebhook,
        Self::RetryStorm,
        Self::SlowWorker,
        Self::SkewedClock,
        Self::SilentWorker,
        Self::SlowConnector,
        Self::FullQueue,
        Self::NewError,
        Self::MissingStep,
        Self::SilentService,
        Self::ErrorBurst,
        Self::LostJob,
        Self::PausedQueue,
        Self::EndpointDown,
    ];
    /// Those of a load of which nothing else was said.
    const USUAL: [Self; 6] =
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
            Self::SlowConnector => "slow-connector",
            Self::FullQueue => "full-queue",
            Self::NewError => "new-error",
            Self::MissingStep => "missing-step",
            Self::SilentService => "silent-service",
            Self::ErrorBurst => "error-burst",
            Self::LostJob => "lost-job",
            Self::PausedQueue => "paused-queue",
            Self::EndpointDown => "endpoint-down",
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
    /// One of each usual kind, evenly over the second half of those hours: what comes before
    /// shows what is normal.
    pub fn usual(from_ms: i64, hours: u32) -> Vec<Self> {
        let second_half_ms = i64::from(hours) * 1_800_000;
        let apart_ms = second_half_ms / IncidentKind::USUAL.len() as i64;
        let place = |(index, kind): (i64, IncidentKind)| Self {
            kind,
            at_ms: from_ms + second_half_ms + apart_ms / 2 + apart_ms * index,
        };
        (0..).zip(IncidentKind::USUAL).map(place).collect()
    }
}

/// What is known to be wrong in the simulated load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// What.
    pub kind: IncidentKind,
    /// Since when, ms since the epoch, in true time.
    pub at_ms: i64,
    /// Until when it lasts, where it ends.
    pub until_ms: Option<i64>,
    /// Who is behind it: `worker`, `machine`, `connector` (an endpoint, too), `queue`, `service` or `job`, and its name.
    pub culprit: (&'static str, String),
    /// The jobs that it hits, as far as it hits jobs; some of them where it is many.
    pub jobs: Vec<String>,
    /// Who else is a part of it, such as the workers that were stopped.
    pub also: Vec<String>,
    /// When the first of what shows it could be seen, ms since the epoch, in order: events that differ from what they
    /// would have been, or the last one before those that are missing.
    pub signs: Vec<i64>,
    /// The same in words.
    pub subject: String,
}

impl fmt::Display for Planted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = jiff::Timestamp::from_millisecond(self.at_ms).unwrap_or(jiff::Timestamp::MAX);
        write!(f, "{at:.0} {}: {}", self.kind, self.subject)
    }
}

/// Jobs that are noted of one incident.
const JOBS_NOTED_MAX: usize = 50;
/// Signs that are noted of one incident.
const SIGNS_NOTED_MAX: usize = 30;

const STORM_MS: f64 = 1_200_000.0;
const AILING_MS: f64 = 7_200_000.0;
const SLOW_CONNECTOR_MS: f64 = 2_400_000.0;
const RUSH_MS: f64 = 1_800_000.0;
const NEW_ERROR_MS: f64 = 1_800_000.0;
const MISSING_STEP_MS: f64 = 7_200_000.0;
pub(super) const SILENT_SERVICE_MS: f64 = 1_200_000.0;
const BURST_MS: f64 = 900_000.0;
const PAUSE_MS: f64 = 600_000.0;
const ENDPOINT_DOWN_MS: f64 = 1_200_000.0;
/// A connector that is slow takes so many times as long.
pub(super) const CONNECTOR_SLOWNESS: f64 = 5.0;
/// In a rush so many times as many jobs come in.
pub(super) const RUSH: f64 = 6.0;
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
            IncidentKind::SlowConnector => self.plant_slow_connector(now_us),
            IncidentKind::FullQueue => self.plant_full_queue(now_us),
            IncidentKind::NewError => self.plant_new_error(now_us),
            IncidentKind::MissingStep => self.plant_missing_step(now_us),
            IncidentKind::SilentService => self.plant_silent_service(now_us),
            IncidentKind::ErrorBurst => self.plant_error_burst(now_us),
            // Whose it is is known once a worker has claimed it.
            IncidentKind::LostJob => {
                self.create_job(now_us, USER, kind_named("video_generation"), Fate::Lost);
            }
            IncidentKind::PausedQueue => self.plant_paused_queue(now_us),
            IncidentKind::EndpointDown => self.plant_endpoint_down(now_us),
        }
    }

    /// Notes what is known to be wrong.
    pub(super) fn plant(
        &mut self,
        kind: IncidentKind,
        (from_us, until_us): (i64, Option<i64>),
        culprit: (&'static str, &str),
        subject: String,
    ) {
        let ms = |us: i64| us.div_euclid(1_000);
        let culprit = match culprit {
            ("service", name) => ("service", self.service(name).to_owned()),
            (kind, name) => (kind, name.to_owned()),
        };
        let (at_ms, until_ms) = (ms(from_us), until_us.map(ms));
        self.planted.push(Planted {
            kind,
            at_ms,
            until_ms,
            culprit,
            jobs: Vec::new(),
            also: Vec::new(),
            signs: Vec::new(),
            subject,
        });
    }

    /// What a service of the plan is called in this world.
    fn service(&self, plan: &str) -> &'static str {
        match plan {
            "webhook-service" => self.world.tongue.service("webhook-service"),
            _ => self.world.tongue.service("api-server"),
        }
    }

    /// Notes a job that the last incident of a kind hits.
    pub(super) fn note_hit(&mut self, kind: IncidentKind, job_id: Option<&str>) {
        let planted = self.planted.iter_mut().rev().find(|planted| planted.kind == kind && planted.until_ms.is_some());
        if let (Some(planted), Some(job_id)) = (planted, job_id)
            && planted.jobs.len() < JOBS_NOTED_MAX
            && planted.jobs.last().is_none_or(|last| last != job_id)
        {
            planted.jobs.push(job_id.to_owned());
        }
    }

    /// Notes when something could be seen that shows the last incident of a kind.
    pub(super) fn note_sign(&mut self, kind: IncidentKind, at_us: i64) {
        let planted = self.planted.iter_mut().rev().find(|planted| planted.kind == kind);
        if let Some(planted) = planted {
            // Much is told ahead of its time, so the earliest are kept, and not the first.
            planted.signs.push(at_us.div_euclid(1_000));
            planted.signs.sort_unstable();
            planted.signs.truncate(SIGNS_NOTED_MAX);
        }
    }

    fn plant_job(&mut self, now_us: i64, kind: IncidentKind, job_kind: &str, fate: Fate) {
        let job_id = self.create_job(now_us, USER, kind_named(job_kind), fate);
        let culprit =
            if kind == IncidentKind::LostWebhook { ("service", "webhook-service") } else { ("job", &*job_id) };
        self.plant(kind, (now_us, None), culprit, format!("job {job_id}"));
        self.planted.last_mut().into_iter().for_each(|planted| planted.jobs.push(job_id.clone()));
    }

    fn plant_stuck_job(&mut self, now_us: i64) {
        self.plant_job(now_us, IncidentKind::StuckJob, "video_generation", Fate::Stuck);
    }

    fn plant_lost_webhook(&mut self, now_us: i64) {
        self.plant_job(now_us, IncidentKind::LostWebhook, "image_generation", Fate::WebhookLost);
    }

    fn plant_retry_storm(&mut self, now_us: i64) {
        let until_us = now_us + self.chance.scaled_us(STORM_MS);
        let error = "connect ECONNREFUSED 127.0.0.1:8188";
        self.troubles.outage = Some(Outage { connector: &COMFYUI, error, until_us });
        let job_id = self.create_job(now_us, USER, kind_named("image_generation"), Fate::Ordinary);
        let subject = format!("connector {}, among others job {job_id}", COMFYUI.name);
        self.plant(IncidentKind::RetryStorm, (now_us, Some(until_us)), ("connector", COMFYUI.name), subject);
        self.note_hit(IncidentKind::RetryStorm, Some(&job_id));
    }

    /// Another worker than the one that is slow all the time.
    fn plant_slow_worker(&mut self, now_us: i64) {
        let index = self.fleet.workers.len() / 2;
        let until_us = now_us + self.chance.scaled_us(AILING_MS);
        self.fleet.workers[index].ailing_until_us = until_us;
        let id = self.fleet.workers[index].id.clone();
        self.plant(IncidentKind::SlowWorker, (now_us, Some(until_us)), ("worker", &id), format!("worker {id}"));
    }

    /// The first machine: the last one's clock is ahead all the time.
    fn plant_skewed_clock(&mut self, now_us: i64) {
        let until_us = now_us + self.chance.scaled_us(AILING_MS);
        self.fleet.machines[0].jumped_until_us = until_us;
        let id = self.fleet.machines[0].id.clone();
        self.plant(IncidentKind::SkewedClock, (now_us, Some(until_us)), ("machine", &id), format!("machine {id}"));
    }

    fn plant_slow_connector(&mut self, now_us: i64) {
        let until_us = now_us + self.chance.scaled_us(SLOW_CONNECTOR_MS);
        self.troubles.slow_connector = Some((&OPENAI, until_us));
        let subject = format!("connector {} takes {CONNECTOR_SLOWNESS} times as long", OPENAI.name);
        self.plant(IncidentKind::SlowConnector, (now_us, Some(until_us)), ("connector", OPENAI.name), subject);
    }

    fn plant_full_queue(&mut self, now_us: i64) {
        let until_us = now_us + self.chance.scaled_us(RUSH_MS);
        self.troubles.rush_until_us = until_us;
        for index in (0..self.fleet.workers.len()).filter(|index| index % 3 != 0) {
            self.close_worker(now_us, until_us, index);
        }
        let subject = "queue default: two thirds of the workers are stopped in a rush".to_owned();
        self.plant(IncidentKind::FullQueue, (now_us, Some(until_us)), ("queue", "default"), subject);
        let stopped = self.fleet.workers.iter().enumerate().filter(|(index, _)| index % 3 != 0);
        let stopped: Vec<String> = stopped.map(|(_, worker)| worker.id.clone()).collect();
        if let Some(planted) = self.planted.last_mut() {
            planted.also = stopped;
        }
    }

    fn plant_new_error(&mut self, now_us: i64) {
        let until_us = now_us + self.chance.scaled_us(NEW_ERROR_MS);
        self.troubles.new_error = Some((&COMFYUI, until_us));
        let subject = format!("connector {}: KeyError: 'tokenizer_config'", COMFYUI.name);
        self.plant(IncidentKind::NewError, (now_us, Some(until_us)), ("connector", COMFYUI.name), subject);
    }

    fn plant_missing_step(&mut self, now_us: i64) {
        let index = self.fleet.workers.len() / 2;
        let until_us = now_us + self.chance.scaled_us(MISSING_STEP_MS);
        self.troubles.silent_step = Some((index, until_us));
        let id = self.fleet.workers[index].id.clone();
        let subject = format!("worker {id} leaves out connector.processing_completed");
        self.plant(IncidentKind::MissingStep, (now_us, Some(until_us)), ("worker", &id), subject);
    }

    fn plant_silent_service(&mut self, now_us: i64) {
        let until_us = now_us + self.chance.scaled_us(SILENT_SERVICE_MS);
        let subject = format!("service {}", self.service("webhook-service"));
        self.plant(IncidentKind::SilentService, (now_us, Some(until_us)), ("service", "webhook-service"), subject);
    }

    fn plant_paused_queue(&mut self, now_us: i64) {
        const QUEUE: &str = "default";
        let until_us = now_us + self.chance.scaled_us(PAUSE_MS);
        self.troubles.pause = Some((QUEUE, until_us));
        for (at_us, event_type) in [(now_us, "queue.paused"), (until_us, "queue.resumed")] {
            let mut story = Story::new(self.chance.trace_id(), None);
            let data = Object::new().text("queueName", QUEUE).finish();
            self.tell(&mut story, Line::new(at_us, Sender::Api, event_type, data));
        }
        let subject = format!("queue {QUEUE} is paused");
        self.plant(IncidentKind::PausedQueue, (now_us, Some(until_us)), ("queue", QUEUE), subject);
    }

    fn plant_endpoint_down(&mut self, now_us: i64) {
        let until_us = now_us + self.chance.scaled_us(ENDPOINT_DOWN_MS);
        self.troubles.endpoint_down = Some((URLS[0], until_us));
        let subject = format!("the endpoint {} answers with errors", URLS[0]);
        self.plant(IncidentKind::EndpointDown, (now_us, Some(until_us)), ("connector", URLS[0]), subject);
    }

    fn plant_error_burst(&mut self, now_us: i64) {
        self.restart_server(now_us);
        let until_us = now_us + self.chance.scaled_us(BURST_MS);
        self.troubles.burst_until_us = until_us;
        let subject = format!("service {} after a deploy", self.service("api-server"));
        self.plant(IncidentKind::ErrorBurst, (now_us, Some(until_us)), ("service", "api-server"), subject);
    }
}
