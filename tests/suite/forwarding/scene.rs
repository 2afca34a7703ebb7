//! A Redis, a store and a stub, and the forwarder between them.

use std::collections::BTreeSet;
use std::ops::Range;
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::stub::Stub;
use crate::support::{Daemon, Ended, Redis, Store, eventually, run};

/// The key of every test; it is to be seen in a header alone.
pub const KEY: &str = "auth_d4sh0-s3cret";

/// A machine that has much else to do is no backend that never answers: what is sent again arrives twice.
pub const PATIENT: (&str, &str) = ("OTEL_EXPORTER_OTLP_TIMEOUT", "600000");

/// One stream, one store, one backend.
pub struct Scene {
    pub redis: Redis,
    pub store: Store,
    pub stub: Stub,
}

impl Scene {
    pub fn new() -> Self {
        let redis = Redis::start();
        let store = Store::of(&redis);
        Self { redis, store, stub: Stub::start() }
    }

    /// The same with the events of so many jobs in the stream.
    pub fn with_events(events: usize) -> Self {
        let scene = Self::new();
        scene.add(0..events, events.max(1));
        scene
    }

    /// Adds the event of each of those jobs to the stream, kept at that length.
    pub fn add(&self, jobs: Range<usize>, length: usize) {
        add(&self.redis, jobs, length);
    }

    /// The same of events that came so many hours ago.
    pub fn add_hours_ago(&self, hours: u64, jobs: Range<usize>, length: usize) {
        let then = SystemTime::now() - Duration::from_secs(hours * 3_600);
        let then_ms = then.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        let mut pipeline = redis::pipe();
        for number in jobs {
            let add = pipeline.cmd("XADD").arg("emp:events").arg("MAXLEN").arg(length);
            add.arg(format!("{then_ms}-{}", number + 1)).arg("timestamp").arg(then_ms.to_string());
            add.arg("service").arg("worker").arg("eventType").arg("job.claimed");
            add.arg("jobId").arg(format!("job_{number}")).ignore();
        }
        pipeline.query::<()>(&mut self.redis.connection()).unwrap();
    }

    /// The forwarder with the stub for its backend, and no patience.
    pub fn forward(&self, words: &[&str]) -> Command {
        forward(&self.store, &[&["--endpoint", &self.stub.url()], words].concat())
    }

    /// Forwards all that is there, which has to succeed.
    #[track_caller]
    pub fn forward_all(&self, words: &[&str]) -> Ended {
        let ended = run(&mut self.forward(&[&["--once"], words].concat()));
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        assert!(!ended.stderr.contains(KEY), "{}", ended.stderr);
        ended
    }

    /// Forwards in the background.
    pub fn start(&self, words: &[&str]) -> Daemon {
        self.store.background(&mut self.forward(words))
    }

    /// The jobs whose events the stub has taken, in order.
    pub fn arrived(&self) -> Vec<String> {
        self.stub.records().iter().map(|record| record.job().to_owned()).collect()
    }

    /// Each event of those jobs has arrived, and none twice.
    #[track_caller]
    pub fn assert_arrived_once(&self, expected: Range<usize>) {
        let mut arrived = self.arrived();
        let mut expected = jobs(expected);
        arrived.sort();
        expected.sort();
        assert_eq!(arrived, expected);
    }

    /// Each of them has arrived, some perhaps twice.
    #[track_caller]
    pub fn assert_all_arrived(&self, expected: Range<usize>) {
        let arrived: BTreeSet<String> = self.arrived().into_iter().collect();
        assert_eq!(arrived, jobs(expected).into_iter().collect());
    }

    /// Each of them has arrived, none twice, and in this order.
    #[track_caller]
    pub fn assert_arrived_in_order(&self, expected: Range<usize>) {
        assert_eq!(self.arrived(), jobs(expected));
    }

    /// What `health` says about the forwarder, once it knows of one.
    #[track_caller]
    pub fn health(&self) -> serde_json::Value {
        let mut check = None;
        eventually("health knows of a forwarder", || {
            let said = self.store.run(&["health", "--format", "json"]).stdout;
            let checks: Vec<serde_json::Value> = serde_json::from_str(&said).unwrap();
            check = checks.into_iter().find(|check| check["check"] == "forwarder");
            check.is_some()
        });
        check.unwrap()
    }

    /// One of its counts.
    #[track_caller]
    pub fn count(&self, name: &str) -> u64 {
        let health = self.health();
        health["counts"][name].as_u64().unwrap_or_else(|| panic!("no count `{name}` in {health}"))
    }

    /// How many entries were read and not acknowledged.
    pub fn pending(&self) -> usize {
        let reply: redis::streams::StreamPendingReply = self.redis.command("XPENDING emp:events emp-dash0");
        reply.count()
    }
}

/// The names of jobs by their numbers.
pub fn jobs(numbers: Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("job_{number}")).collect()
}

/// Adds one event for each of those jobs, about 200 bytes long.
pub fn add(redis: &Redis, jobs: Range<usize>, length: usize) {
    let mut pipeline = redis::pipe();
    for number in jobs {
        pipeline.cmd("XADD").arg("emp:events").arg("MAXLEN").arg(length).arg("*");
        pipeline.arg("service").arg("worker").arg("eventType").arg("job.claimed");
        pipeline.arg("jobId").arg(format!("job_{number}"));
        // Of digits that gzip cannot shrink away.
        let digits = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D;
        pipeline.arg("data").arg(format!(r#"{{"token":"{digits:x}","workerId":"worker-1"}}"#)).ignore();
    }
    pipeline.query::<()>(&mut redis.connection()).unwrap();
}

/// `forward` on that store, free of the tester's own settings, with a key, and quick to try again.
pub fn forward(store: &Store, words: &[&str]) -> Command {
    let mut command = store.command(&["--color", "never", "forward"]);
    command.args(words).env("DASH0_API_KEY", KEY).env("EMP_EVENTS_FORWARD_BACKOFF_MS", "20,200");
    command.env(PATIENT.0, PATIENT.1);
    command
}
