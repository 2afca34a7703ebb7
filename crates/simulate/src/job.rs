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
    pub(super) story: Story,
    kind: &'static JobKind,
    pub(super) fate: Fate,
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
    /// Its worker stands still for a minute, and another one takes it.
    Lost,
    /// Taken over from a worker that stood still, and brought to its end.
    Rescued,
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

const STORE_JOB: Length = Length::new(3.0, 0.4);
const PICK_UP: Length = Length::new(350.0, 0.6);
const PREPARE: Length = Length::new(60.0, 0.5);
const WRAP_UP: Length = Length::new(45.0, 0.5);
/// A worker that stands still does for so long; the queue notices after half of it, as BullMQ does.
const STILL_MS: f64 = 60_000.0;
const NOTICED_AFTER_MS: f64 = 30_000.0;
const RETRY_AFTER_MS: f64 = 5_000.0;
/// A job that waits longer for a worker meets a full queue.
const NOTABLE_WAIT_US: i64 = 60_000_000;
/// A stuck job keeps its place on the worker for so long.
const STUCK_MS: f64 = 600_000.0;
/// A worker that died is replaced after so long.
const REPLACED_AFTER_MS: f64 = 1_800_000.0;

impl Simulation {
    /// A user submits something, and the next one is planned.
    pub(super) fn submit(&mut self, now_us: i64) {
        let mean_us = self.mean_arrival_interval_us / (self.troubles.rush(now_us) * self.world.rhythm.at(now_us));
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
        self.jobs_created += 1;
        let job_id = self.world.ids.job(&mut self.chance, self.jobs_created, kind.queue);
        let mut story = Story::new(self.chance.trace_id(), Some(job_id.clone()));
        let priority = self.chance.pick(&["normal", "normal", "normal", "high", "low"]);
        let data = Object::new().text("userId", user_id).text("jobType", kind.name).text("priority", priority);
        self.tell(&mut story, Line::new(now_us, Sender::Api, "job.created", data.finish()));

        let called_us = now_us + self.chance.duration_us(STORE_JOB);
        let answered_us = called_us + self.chance.duration_us(STORE_JOB);
        let burst = self.troubles.submission_error(now_us);
        // Where nobody tells of it, such a job would have no story at all.
        let can_fail = fate == Fate::Ordinary && self.world.tongue.word("job.creation_failed").is_some();
        if can_fail && self.chance.happens(if burst.is_some() { 2_500 } else { 40 }) {
            if burst.is_some() {
                self.note_hit(IncidentKind::ErrorBurst, Some(&job_id));
                self.note_sign(IncidentKind::ErrorBurst, answered_us);
            }
            self.fail_creation(story, user_id, (called_us, answered_us), burst);
            return job_id;
        }
        self.call_redis(&mut story, called_us, answered_us, "submitJob", None);
        let mut queued_us = answered_us + self.chance.duration_us(STORE_JOB);
        if fate == Fate::Ordinary && self.world.delayed > 0 && self.chance.happens(self.world.delayed) {
            queued_us = self.delay(&mut story, queued_us, kind);
        }
        let data = Object::new().text("queueName", kind.queue);
        // What kind of job it is, the first that is told of it says.
        let is_first = self.world.tongue.word("job.created").is_none();
        let data = if is_first { data.text("jobType", kind.name) } else { data }.finish();
        self.tell(&mut story, Line::new(queued_us, Sender::Api, "job.queued", data));
        let job = Job { story, kind, fate, created_us: now_us, attempt: 1 };
        self.schedule(queued_us, Step::Attempt(Box::new(job)));
        job_id
    }

    /// The job is to wait, as whoever made it asked. Until when.
    fn delay(&mut self, story: &mut Story, now_us: i64, kind: &JobKind) -> i64 {
        let delay_ms = self.chance.between(60_000, 600_000);
        let until_us = now_us + self.chance.scaled_us(delay_ms as f64);
        let data = Object::new().text("queueName", kind.queue).number("delayMs", elapsed_ms(now_us, until_us));
        self.tell(story, Line::new(now_us, Sender::Api, "job.delayed", data.finish()));
        until_us
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
        if let Some(until_us) = self.troubles.paused_until(job.kind.queue, now_us) {
            self.note_hit(IncidentKind::PausedQueue, job.story.job_id.as_deref());
            self.note_sign(IncidentKind::PausedQueue, now_us);
            let later_us = self.chance.between(0, 2_000_000);
            return self.schedule(until_us + later_us, Step::Attempt(job));
        }
        let (place, worker, free_us) = self.fleet.take_place(now_us);
        let mut claimed_us = free_us + self.chance.duration_us(PICK_UP);
        if matches!(job.fate, Fate::WorkerDies | Fate::Lost) {
            // What else it works on ends first: a dead worker says nothing.
            claimed_us = claimed_us.max(self.fleet.workers[worker].busy_until_us);
        }
        let started_us = claimed_us + self.chance.duration_us(PREPARE);
        let usual_us = self.chance.duration_us(job.kind.processing) as f64;
        let slowness = self.slowness(&job, worker, started_us);
        if claimed_us - now_us > NOTABLE_WAIT_US {
            self.note_hit(IncidentKind::FullQueue, job.story.job_id.as_deref());
            self.note_sign(IncidentKind::FullQueue, now_us);
        }
        let processing_us = (usual_us * slowness).round() as i64;
        self.note_slowness(&job, worker, (started_us, started_us + processing_us));
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

    /// That work takes longer shows at its end.
    fn note_slowness(&mut self, job: &Job, worker: usize, (started_us, processed_us): (i64, i64)) {
        if self.troubles.slowness(job.kind.connector, started_us) > 1.0 {
            self.note_sign(IncidentKind::SlowConnector, processed_us);
        }
        if started_us < self.fleet.workers[worker].ailing_until_us {
            self.note_sign(IncidentKind::SlowWorker, processed_us);
        }
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
            Fate::Stuck | Fate::WorkerDies | Fate::Lost => return Outcome::Silence,
            Fate::WebhookLost | Fate::Rescued => return Outcome::Completed,
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
            self.note_sign(IncidentKind::MissingStep, processed_us);
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
        if let Some(kind) = self.troubles.kind_of(error) {
            self.note_sign(kind, failed_us);
        }
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
            self.note_sign(IncidentKind::StuckJob, job.story.told_us());
            return run.started_us + self.chance.scaled_us(STUCK_MS);
        }
        let silent_us = run.started_us + run.processing_us * 45 / 100;
        self.fleet.workers[run.worker].down_us = silent_us;
        if job.fate == Fate::Lost {
            return self.lose(job, run, silent_us);
        }
        let back_us = run.started_us + run.processing_us + self.chance.scaled_us(REPLACED_AFTER_MS);
        let worker_id = self.fleet.workers[run.worker].id.clone();
        let job_id = job.story.job_id.take().unwrap_or_default();
        let subject = format!("worker {worker_id} with job {job_id}");
        let lasts_us = (run.claimed_us, Some(back_us));
        self.plant(IncidentKind::SilentWorker, lasts_us, ("worker", &worker_id), subject);
        self.note_hit(IncidentKind::SilentWorker, Some(&job_id));
        self.note_sign(IncidentKind::SilentWorker, silent_us);
        self.start_worker(back_us, run.worker);
        back_us
    }

    /// Its worker stands still from then on, for a minute; the queue notices, and hands the job to another one.
    fn lose(&mut self, mut job: Box<Job>, run: Run, silent_us: i64) -> i64 {
        let noticed_us = silent_us + self.chance.scaled_us(NOTICED_AFTER_MS);
        let back_us = silent_us + self.chance.scaled_us(STILL_MS);
        self.fleet.workers[run.worker].back_us = back_us;
        let worker_id = self.fleet.workers[run.worker].id.clone();
        let job_id = job.story.job_id.clone().unwrap_or_default();
        let data = Object::new().text("queueName", job.kind.queue).finish();
        self.tell(&mut job.story, Line::new(noticed_us, Sender::Api, "job.stalled", data).level(Level::Warn));
        let subject = format!("worker {worker_id} stands still with job {job_id}");
        self.plant(IncidentKind::LostJob, (silent_us, Some(back_us)), ("worker", &worker_id), subject);
        self.note_hit(IncidentKind::LostJob, Some(&job_id));
        self.note_sign(IncidentKind::LostJob, noticed_us);
        job.fate = Fate::Rescued;
        job.attempt += 1;
        self.schedule(noticed_us, Step::Attempt(job));
        back_us
    }
}
