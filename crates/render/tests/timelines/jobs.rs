//! Jobs of which time lines are shown.

use emp_event::EntryId;
use emp_findings::{FlaggedGap, Judgement};
use emp_job::{EventFields, History, JobEvent};
use emp_render::{Screen, TimeZone, Times, write_job};

/// 2025-09-27T12:03:05.120Z.
pub const START_MS: i64 = 1_758_974_585_120;

pub fn screen(width: usize, color: bool) -> Screen {
    let time_zone = TimeZone::get("Europe/Berlin").expect("a zone of the bundled database");
    Screen { width: Some(width), color, time_zone, rows_max: Some(40) }
}

/// The time line of a job; gaps are 5 s and more.
pub fn timeline(screen: &Screen, job_id: &str, events: &[JobEvent]) -> String {
    let last_ms = events.iter().map(|event| event.arrived_ms).max().expect("a job has events");
    let history = History::new(events.to_vec(), last_ms).expect("a job has events");
    let gaps = history.gaps().iter().filter(|gap| gap.ms() >= 5_000).map(|gap| FlaggedGap {
        before: gap.before,
        start_ms: gap.start_ms,
        end_ms: gap.end_ms,
        kind: gap.kind.as_str(),
        times_typical: None,
        typical_p99_ms: None,
    });
    judged_timeline(screen, job_id, &history, gaps.collect())
}

pub fn judged_timeline(screen: &Screen, job_id: &str, history: &History, gaps: Vec<FlaggedGap>) -> String {
    shown_timeline(screen, job_id, history, gaps, Times::Corrected)
}

pub fn shown_timeline(screen: &Screen, job_id: &str, history: &History, gaps: Vec<FlaggedGap>, times: Times) -> String {
    let judgement = Judgement { gaps, ..Judgement::default() };
    let mut out = Vec::new();
    write_job(&mut out, screen, &format!("Job {job_id}"), history, &judgement, times)
        .expect("memory takes any timeline");
    String::from_utf8(out).expect("answers are UTF-8").replace('\u{1b}', "␛")
}

/// One event of a timeline; its times follow from the event before it.
pub struct Step {
    pub after_ms: i64,
    pub service: &'static str,
    pub event_type: &'static str,
    pub level: &'static str,
    pub duration_ms: Option<f64>,
    pub worker_id: Option<&'static str>,
    pub data: String,
    /// How far its producer's clock is ahead.
    pub ahead_ms: i64,
}

pub fn step(after_ms: i64, service: &'static str, event_type: &'static str, data: &str) -> Step {
    let level = if event_type.ends_with("_failed") { "error" } else { "info" };
    let worker_id = (service == "worker" || service == "connector").then_some("worker-3");
    Step { after_ms, service, event_type, level, duration_ms: None, worker_id, data: data.to_owned(), ahead_ms: 0 }
}

impl Step {
    pub fn took(mut self, duration_ms: f64) -> Self {
        self.duration_ms = Some(duration_ms);
        self
    }

    pub fn ahead(mut self, ahead_ms: i64) -> Self {
        self.ahead_ms = ahead_ms;
        self
    }
}

/// The events of these steps, each as long after the one before as it says.
pub fn job_events(start_ms: i64, steps: &[Step]) -> Vec<JobEvent> {
    let stamps = steps.iter().scan(start_ms, |now, step| {
        *now += step.after_ms;
        Some(*now)
    });
    let events = stamps.zip(steps).zip(0..).map(|((stamp, step), seq)| EventFields {
        id: EntryId::new((stamp - step.ahead_ms) as u64, seq),
        timestamp_ms: stamp,
        arrived_ms: stamp - step.ahead_ms,
        behind_ms: 0,
        service: step.service.into(),
        event_type: step.event_type.into(),
        level: step.level.into(),
        job_id: Some("job_123".into()),
        trace_id: None,
        worker_id: step.worker_id.map(Into::into),
        machine_id: None,
        user_id: None,
        duration_ms: step.duration_ms,
        data: serde_json::from_str(&step.data).unwrap_or_default(),
    });
    events.map(JobEvent::from).collect()
}

/// A job that waits, makes progress, fails, and is tried again.
pub fn eventful_job() -> Vec<JobEvent> {
    let mut steps = vec![
        step(
            0,
            "api-server",
            "job.created",
            r#"{"jobId":"job_123","jobType":"image.resize","priority":5,"payloadBytes":1240000}"#,
        ),
        step(41, "worker", "job.claimed", r#"{"workerId":"worker-3","claimTimeMs":38,"queue":"default"}"#).took(38.0),
        step(
            42_100,
            "connector",
            "connector.processing_started",
            r#"{"connectorType":"comfyui","traceId":"4bf92f3577b34da6"}"#,
        ),
    ];
    steps.extend((0..12).map(|n| {
        step(
            3_100,
            "worker",
            "job.progress_updated",
            &format!(r#"{{"progress":{},"traceId":"4bf92f3577b34da6"}}"#, 10 + n * 7),
        )
    }));
    steps.extend([
        step(1_200, "connector", "connector.processing_failed", r#"{"error":"connection reset by peer while reading the response of the image service","processingTimeMs":38412.5,"statusCode":502}"#).took(38_412.5),
        step(340, "worker", "job.retry_scheduled", r#"{"attempt":1,"maxAttempts":3,"delayMs":8000}"#),
        step(8_050, "connector", "connector.processing_started", r#"{"connectorType":"comfyui","attempt":2}"#),
        step(9, "worker", "job.completed", r#"{"status":"ok","outputs":["a.png","b.png"]}"#).took(96_000.0),
        step(0, "webhook-service", "webhook.delivered", r#"{"statusCode":200,"responseTimeMs":112}"#).took(112.0).ahead(4_200),
    ]);
    job_events(START_MS, &steps)
}
