//! The life of a job: submitted, claimed, worked on, retried, reported to its webhook.

use super::Simulation;
use super::chance::Length;
use super::generator::Step;
use super::incident::IncidentKind;
use super::json::Object;
use super::kinds::{Connector, JobKind};
use super::tell::{LeftOut, Line, Sender, Story, elapsed_ms};
use emp_event::Level;

/// A job between its attempts.
pub(super) struct Job {
    story: Story,
    kind: &'static JobKind,
    fate: Fate,
    created_us: i64,
    attempt: u32,
}

/// What is to become of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It mostly ends well.
    Ordinary,
    /// Started, then never heard of again.
    Stuck,
    /// Its worker dies with it.
    WorkerDies,
    /// Done, but its webhook is never confirmed.
    WebhookLost,
}

/// A connector that fails every job for a while.
pub(super) struct Outage {
    pub connector: &'static Connector,
    pub error: &'static str,
    pub until_us: i64,
}

/// How an attempt ends.
enum Outcome {
    Completed,
    Failed(Failure),
    Silence,
}

#[derive(Clone, Copy)]
struct Failure {
    error: &'static str,
    may_retry: bool,
    /// How far the work has come by then, in percent.
    share: i64,
}

/// A worker at work on a job.
#[derive(Clone, Copy)]
struct Run {
    worker: usize,
    claimed_us: i64,
    started_us: i64,
    processing_us: i64,
}

/// Some users submit several jobs at once; see `submit`.
pub(super) const MEAN_JOBS_AT_ONCE: f64 = 1.0 + 0.08 * 3.0;
const ATTEMPTS_MAX: u32 = 5;
const DELIVERIES_MAX: i64 = 3;

const STORE_JOB: Length = Length::new(3.0, 0.4);
const PICK_UP: Length = Length::new(350.0, 0.6);
const PREPARE: Length = Length::new(60.0, 0.5);
const WRAP_UP: Length = Length::new(45.0, 0.5);
const NOTICE: Length = Length::new(120.0, 0.5);
const RESPOND: Length = Length::new(180.0, 0.6);
const RETRY_AFTER_MS: f64 = 5_000.0;
const REDELIVER_AFTER_MS: f64 = 10_000.0;
/// A job that waits longer for a worker meets a full queue.
const NOTABLE_WAIT_US: i64 = 60_000_000;
/// A stuck job keeps its place on the worker for so long.
const STUCK_MS: f64 = 600_000.0;
/// A worker that died is replaced after so long.
const REPLACED_AFTER_MS: f64 = 1_800_000.0;

impl Simulation {
    /// A user submits something, and the next one is planned.
    pub(super) fn submit(&mut self, now_us: i64) {
        let mean_us = self.mean_arrival_interval_us / self.troubles.rush(now_us);
        let next_us = now_us + self.chance.interval_us(mean_us);
        self.schedule(next_us, Step::Submit);
        let user_id = self.chance.user_id();
        self.visit(now_us, &user_id);
        let jobs = if self.chance.happens(800) { self.chance.between(2, 6) } else { 1 };
        let mut at_us = now_us;
        for _ in 0..jobs {
            let kind = self.chance.job_kind();
            let fate = self.fate();
            self.create_job(at_us, &user_id, kind, fate);
            at_us += self.chance.duration_us(STORE_JOB);
        }
    }

    fn fate(&mut self) -> Fate {
        match self.chance.between(1, 10_000) {
            1..=7 if self.has_lasting_faults => Fate::Stuck,
            8..=9 if self.has_lasting_faults => Fate::WebhookLost,
            _ => Fate::Ordinary,
        }
    }

    /// The API server takes a job. Returns its id.
    pub(super) fn create_job(&mut self, now_us: i64, user_id: &str, kind: &'static JobKind, fate: Fate) -> String {
        let job_id = self.chance.id("job_", 12);
        let mut story = Story::new(self.chance.trace_id(), Some(job_id.clone()));
        let priority = self.chance.pick(&["normal", "normal", "normal", "high", "low"]);
        let data = Object::new().text("userId", user_id).text("jobType", kind.name).text("priority", priority);
        self.tell(&mut story, Line::new(now_us, Sender::Api, "job.created", data.finish()));

        let called_us = now_us + self.chance.duration_us(STORE_JOB);
        let answered_us = called_us + self.chance.duration_us(STORE_JOB);
        let burst = self.troubles.submission_error(now_us);
        if fate == Fate::Ordinary && self.chance.happens(if burst.is_some() { 2_500 } else { 40 }) {
            if burst.is_some() {
                self.note_hit(IncidentKind::ErrorBurst, Some(&job_id));
            }
            self.fail_creation(story, user_id, (called_us, answered_us), burst);
            return job_id;
        }
        self.call_redis(&mut story, called_us, answered_us, "submitJob", None);
        let queued_us = answered_us + self.chance.duration_us(STORE_JOB);
        let data = Object::new().text("queueName", kind.queue).finish();
        self.tell(&mut story, Line::new(queued_us, Sender::Api, "job.queued", data));
        let job = Job { story, kind, fate, created_us: now_us, attempt: 1 };
        self.schedule(queued_us, Step::Attempt(Box::new(job)));
        job_id
    }

    fn fail_creation(
        &mut self,
        mut story: Story,
        user_id: &str,
        (called_us, failed_us): (i64, i64),
        burst: Option<&'static str>,
    ) {
        let usual = self.chance.pick(&[
            "OOM command not allowed when used memory > 'maxmemory'",
            "READONLY You can't write against a read only replica.",
            "Command timed out",
        ]);
        let error = burst.unwrap_or(usual);
        self.call_redis(&mut story, called_us, failed_us, "submitJob", Some(error));
        let data = Object::new().text("error", error).finish();
        let line = Line::new(failed_us, Sender::Api, "job.creation_failed", data);
        self.tell(&mut story, line.level(Level::Error));
        self.report_api_error(&mut story, failed_us, ("/jobs", "POST", 503), error, user_id);
    }

    /// The API server's own call: it names the trace in `data` alone, and not the job.
    fn call_redis(&mut self, story: &mut Story, from_us: i64, to_us: i64, function: &str, error: Option<&str>) {
        let data = Object::new().text("functionName", function).number("argCount", self.chance.between(3, 6));
        let data = data.text("traceId", &story.trace_id).finish();
        let line = Line::new(from_us, Sender::Api, "redis_function.executing", data);
        self.tell(story, line.level(Level::Debug).without(LeftOut::Job));
        let data = Object::new().text("functionName", function);
        let line = match error {
            None => {
                let data = data.number("resultSize", self.chance.between(40, 90)).text("traceId", &story.trace_id);
                Line::new(to_us, Sender::Api, "redis_function.completed", data.finish()).level(Level::Debug)
            }
            Some(error) => {
                let data = data.text("error", error).text("traceId", &story.trace_id);
                Line::new(to_us, Sender::Api, "redis_function.failed", data.finish()).level(Level::Error)
            }
        };
        self.tell(story, line.without(LeftOut::Job));
    }

    /// The next free worker claims the job and works on it.
    pub(super) fn attempt(&mut self, now_us: i64, mut job: Box<Job>) {
        let (place, worker, free_us) = self.fleet.take_place(now_us);
        let mut claimed_us = free_us + self.chance.duration_us(PICK_UP);
        if job.fate == Fate::WorkerDies {
            // What else it works on ends first: a dead worker says nothing.
            claimed_us = claimed_us.max(self.fleet.workers[worker].busy_until_us);
        }
        let started_us = claimed_us + self.chance.duration_us(PREPARE);
        let usual_us = self.chance.duration_us(job.kind.processing) as f64;
        let slowness = self.slowness(&job, worker, started_us);
        if claimed_us - now_us > NOTABLE_WAIT_US {
            self.note_hit(IncidentKind::FullQueue, job.story.job_id.as_deref());
        }
        let processing_us = (usual_us * slowness).round() as i64;
        let run = Run { worker, claimed_us, started_us, processing_us };
        self.tell_claim(&mut job, run);
        let ended_us = match self.outcome(&job, started_us) {
            Outcome::Completed => self.complete(job, run),
            Outcome::Failed(failure) => self.fail(job, run, failure),
            Outcome::Silence => self.fall_silent(job, run),
        };
        self.fleet.give_back(place, ended_us);
    }

    /// By how much the work takes longer than usual.
    fn slowness(&mut self, job: &Job, worker: usize, started_us: i64) -> f64 {
        let of_connector = self.troubles.slowness(job.kind.connector, started_us);
        if of_connector > 1.0 {
            self.note_hit(IncidentKind::SlowConnector, job.story.job_id.as_deref());
        }
        if started_us < self.fleet.workers[worker].ailing_until_us {
            self.note_hit(IncidentKind::SlowWorker, job.story.job_id.as_deref());
        }
        of_connector * self.fleet.workers[worker].slowness(started_us)
    }

    fn tell_claim(&mut self, job: &mut Job, run: Run) {
        let sender = Sender::Worker(run.worker);
        let worker_id = self.fleet.workers[run.worker].id.clone();
        // Two clocks: a skewed worker's claim time is wrong by its skew, as it would be.
        let claim_ms = self.stamp_ms(sender, run.claimed_us) - self.stamp_ms(Sender::Api, job.created_us);
        let data = Object::new().text("workerId", &worker_id).number("claimTimeMs", claim_ms);
        let data = data.number("attempt", i64::from(job.attempt)).finish();
        let line = Line::new(run.claimed_us, sender, "job.claimed", data);
        self.tell(&mut job.story, line.without(LeftOut::Sender));
        let data = Object::new().text("connectorType", job.kind.connector.name).text("workerId", &worker_id);
        let line = Line::new(run.started_us, sender, "connector.processing_started", data.finish());
        self.tell(&mut job.story, line.without(LeftOut::Sender));
    }

    fn outcome(&mut self, job: &Job, started_us: i64) -> Outcome {
        match job.fate {
            Fate::Stuck | Fate::WorkerDies => return Outcome::Silence,
            Fate::WebhookLost => return Outcome::Completed,
            Fate::Ordinary => {}
        }
        let connector = job.kind.connector;
        if let Some(outage) = &self.troubles.outage
            && outage.connector == connector
            && started_us < outage.until_us
        {
            // What is down refuses the job at once.
            let failure = Failure { error: outage.error, may_retry: true, share: 1 };
            self.note_hit(IncidentKind::RetryStorm, job.story.job_id.as_deref());
            return Outcome::Failed(failure);
        }
        if let Some(error) = self.troubles.new_error(connector, started_us)
            && self.chance.happens(3_000)
        {
            self.note_hit(IncidentKind::NewError, job.story.job_id.as_deref());
            return Outcome::Failed(Failure { error, may_retry: false, share: 20 });
        }
        if self.chance.happens(9_700) {
            return Outcome::Completed;
        }
        let may_retry = self.chance.happens(8_000);
        let errors = if may_retry { connector.passing_errors } else { connector.lasting_errors };
        Outcome::Failed(Failure { error: self.chance.pick(errors), may_retry, share: self.chance.between(5, 90) })
    }

    /// Progress up to that share of the work, in percent.
    fn tell_progress(&mut self, job: &mut Job, run: Run, up_to: i64) {
        let sender = Sender::Worker(run.worker);
        let updates = self.chance.between(2, 5);
        for update in 1..=updates {
            let progress = update * 100 / (updates + 1);
            if progress >= up_to {
                break;
            }
            let at_us = run.started_us + run.processing_us * progress / 100;
            let steps = job.kind.steps;
            let details = steps[progress as usize * steps.len() / 100];
            let data = Object::new().number("progress", progress).text("details", details);
            let data = data.number("timestamp", self.stamp_ms(sender, at_us)).finish();
            self.tell(&mut job.story, Line::new(at_us, sender, "job.progress_updated", data));
        }
    }

    fn complete(&mut self, mut job: Box<Job>, run: Run) -> i64 {
        self.tell_progress(&mut job, run, 100);
        let sender = Sender::Worker(run.worker);
        let processed_us = run.started_us + run.processing_us;
        let data = Object::new().text("connectorType", job.kind.connector.name);
        let data = data.number("processingTimeMs", elapsed_ms(run.started_us, processed_us));
        let data = data.number("resultSize", self.chance.between(180, 4_000)).finish();
        if self.troubles.leaves_out_step(run.worker, processed_us) {
            self.note_hit(IncidentKind::MissingStep, job.story.job_id.as_deref());
        } else {
            self.tell(&mut job.story, Line::new(processed_us, sender, "connector.processing_completed", data));
        }
        let completed_us = processed_us + self.chance.duration_us(WRAP_UP);
        let data = Object::new().text("resultType", "object").boolean("hasAssets", job.kind.has_assets);
        let data = data.number("completionTimeMs", elapsed_ms(run.claimed_us, completed_us)).finish();
        self.tell(&mut job.story, Line::new(completed_us, sender, "job.completed", data));
        self.deliver(&mut job, completed_us, "job.completed");
        completed_us
    }

    fn fail(&mut self, mut job: Box<Job>, run: Run, failure: Failure) -> i64 {
        let Failure { error, may_retry, share } = failure;
        self.tell_progress(&mut job, run, share);
        let sender = Sender::Worker(run.worker);
        let failed_us = run.started_us + run.processing_us * share / 100;
        let attempt = i64::from(job.attempt);
        let data = Object::new().text("connectorType", job.kind.connector.name).text("error", error);
        let line =
            Line::new(failed_us, sender, "connector.processing_failed", data.number("attempt", attempt).finish());
        self.tell(&mut job.story, line.level(Level::Error));
        let ended_us = failed_us + self.chance.duration_us(WRAP_UP);
        if may_retry && job.attempt < ATTEMPTS_MAX {
            self.plan_retry(job, ended_us, sender, error);
        } else {
            let data = Object::new().text("error", error).number("attempt", attempt).finish();
            let line = Line::new(ended_us, sender, "job.failed", data);
            self.tell(&mut job.story, line.level(Level::Error));
            self.deliver(&mut job, ended_us, "job.failed");
        }
        ended_us
    }

    fn plan_retry(&mut self, mut job: Box<Job>, now_us: i64, sender: Sender, error: &str) {
        let jitter = self.chance.between(80, 120) as f64 / 100.0;
        let backoff_ms = RETRY_AFTER_MS * f64::from(1 << (job.attempt - 1)) * jitter;
        let retry_us = now_us + self.chance.scaled_us(backoff_ms);
        let data = Object::new().number("attempt", i64::from(job.attempt)).text("error", error);
        let data = data.number("nextRetryAt", self.stamp_ms(sender, retry_us)).finish();
        let line = Line::new(now_us, sender, "job.retry_scheduled", data);
        self.tell(&mut job.story, line.level(Level::Warn));
        job.attempt += 1;
        self.schedule(retry_us, Step::Attempt(job));
    }

    fn fall_silent(&mut self, mut job: Box<Job>, run: Run) -> i64 {
        self.tell_progress(&mut job, run, 45);
        if job.fate == Fate::Stuck {
            return run.started_us + self.chance.scaled_us(STUCK_MS);
        }
        let back_us = run.started_us + run.processing_us + self.chance.scaled_us(REPLACED_AFTER_MS);
        let worker_id = self.fleet.workers[run.worker].id.clone();
        let job_id = job.story.job_id.take().unwrap_or_default();
        let subject = format!("worker {worker_id} with job {job_id}");
        let lasts_us = (run.claimed_us, Some(back_us));
        self.plant(IncidentKind::SilentWorker, lasts_us, ("worker", &worker_id), subject);
        self.note_hit(IncidentKind::SilentWorker, Some(&job_id));
        self.start_worker(back_us, run.worker);
        back_us
    }

    /// The webhook service tells the user's server, again and again where it must.
    fn deliver(&mut self, job: &mut Job, ended_us: i64, about: &str) {
        const URLS: [&str; 3] =
            ["https://hooks.acme.example/emp", "https://api.studio.example/jobs/done", "https://n8n.example/webhook/7"];
        let url = self.chance.pick(&URLS);
        let mut at_us = ended_us;
        for attempt in 1..=DELIVERIES_MAX {
            at_us += self.chance.duration_us(NOTICE);
            let data = Object::new().text("url", url).text("about", about).number("attempt", attempt).finish();
            self.tell(&mut job.story, Line::new(at_us, Sender::Webhook, "webhook.delivering", data));
            if job.fate == Fate::WebhookLost {
                return;
            }
            let sent_us = at_us;
            at_us += self.chance.duration_us(RESPOND);
            let response_ms = elapsed_ms(sent_us, at_us);
            if !self.chance.happens(150) {
                let data = Object::new().number("statusCode", 200).number("responseTimeMs", response_ms).finish();
                self.tell(&mut job.story, Line::new(at_us, Sender::Webhook, "webhook.delivered", data));
                return;
            }
            let status = self.chance.pick(&[500, 502, 503]);
            let data = Object::new().number("statusCode", status).number("responseTimeMs", response_ms);
            let data = data.text("error", "the receiver answered with an error").number("attempt", attempt).finish();
            let line = Line::new(at_us, Sender::Webhook, "webhook.delivery_failed", data);
            self.tell(&mut job.story, line.level(Level::Warn));
            at_us += self.chance.scaled_us(REDELIVER_AFTER_MS * attempt as f64);
        }
    }
}
