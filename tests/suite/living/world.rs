//! A small system of jobs, workers and connectors, told event by event, each test its own way.

use serde_json::{Value, json};

use crate::support::{Redis, Store};

/// When it begins: long ago, so that all its hours are over.
pub const BEGIN_MS: i64 = 1_758_931_200_000;
pub const SECOND: i64 = 1_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;

/// When what happens at a moment arrives.
type Arrives = fn(i64) -> i64;

/// What happens, in any order; times are in ms since the beginning.
#[derive(Default)]
pub struct World {
    told: Vec<Told>,
    /// Workers, and services that are none, whose clocks are off: by so many ms, from then until then.
    clocks: Vec<(String, i64, i64, i64)>,
    /// Those whose events arrive later than they happen, and when one of a moment does.
    late: Vec<(String, Arrives)>,
}

struct Told {
    at: i64,
    event_type: String,
    service: &'static str,
    job: Option<String>,
    worker: Option<String>,
    data: Value,
}

impl Told {
    /// Whose clock it goes by.
    fn who(&self) -> &str {
        self.worker.as_deref().unwrap_or(self.service)
    }
}

/// How a job goes.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    pub id: &'a str,
    pub at: i64,
    pub worker: &'a str,
    pub connector: &'a str,
    pub takes: i64,
}

impl World {
    pub fn tell(&mut self, at: i64, service: &'static str, event_type: &str, job: &str, worker: &str, data: Value) {
        let named = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        let (job, worker) = (named(job), named(worker));
        self.told.push(Told { at, event_type: event_type.to_owned(), service, job, worker, data });
    }

    /// A worker's own word.
    pub fn word(&mut self, at: i64, worker: &str, event_type: &str) {
        self.tell(at, "worker", event_type, "", worker, json!({}));
    }

    pub fn beats(&mut self, worker: &str, every: i64, from: i64, until: i64) {
        (from..until).step_by(every as usize).for_each(|at| self.word(at, worker, "worker.heartbeat"));
    }

    /// A job that is begun and not brought to its end.
    pub fn begins(&mut self, Job { id, at, worker, connector, .. }: Job<'_>) {
        self.tell(at, "api-server", "job.created", id, "", json!({"jobType": "image"}));
        self.tell(at + 5, "api-server", "job.queued", id, "", json!({"queueName": "default"}));
        self.tell(at + 60, "worker", "job.claimed", id, worker, json!({}));
        let of_connector = json!({"connectorType": connector});
        self.tell(at + 80, "worker", "connector.processing_started", id, worker, of_connector);
    }

    pub fn job(&mut self, job: Job<'_>) {
        self.begins(job);
        self.ends(job);
    }

    pub fn ends(&mut self, Job { id, at, worker, connector, takes }: Job<'_>) {
        let done = json!({"connectorType": connector, "durationMs": takes});
        self.tell(at + 80 + takes, "worker", "connector.processing_completed", id, worker, done);
        self.tell(at + 100 + takes, "worker", "job.completed", id, worker, json!({}));
    }

    /// Jobs one after the other, by these workers and connectors in turn; how long each takes is up to `takes`.
    pub fn jobs(
        &mut self,
        (from, until, every): (i64, i64, i64),
        workers: &[&str],
        connectors: &[&str],
        takes: impl Fn(i64, &str, &str) -> i64,
    ) {
        for (number, at) in (from..until).step_by(every as usize).enumerate() {
            let (worker, connector) =
                (workers[number % workers.len()], connectors[(number / workers.len()) % connectors.len()]);
            // Durations differ, the same ones each time.
            let jitter = 80 + (number as i64 * 7_919) % 41;
            let takes = takes(at, worker, connector) * jitter / 100;
            self.job(Job { id: &format!("job_{at}_{number}"), at, worker, connector, takes });
        }
    }

    pub fn clock(&mut self, worker: &str, off: i64, from: i64, until: i64) {
        self.clocks.push((worker.to_owned(), off, from, until));
    }

    /// What that one sends arrives when `arrives` says, by the moment at which it happens.
    pub fn late(&mut self, who: &str, arrives: Arrives) {
        self.late.push((who.to_owned(), arrives));
    }

    /// All of it in a store of its own.
    pub fn stored(mut self) -> (Redis, Store) {
        let redis = Redis::start();
        let store = Store::of(&redis);
        let late = std::mem::take(&mut self.late);
        let arrives = |told: &Told| {
            let is_it = |(who, _): &&(String, Arrives)| who == told.who();
            late.iter().find(is_it).map_or(told.at, |(_, arrives)| arrives(told.at))
        };
        self.told.sort_by_key(|told| (arrives(told), told.at));
        for some in self.told.chunks(5_000) {
            let mut pipe = redis::pipe();
            for told in some {
                let (arrived, happened) = (BEGIN_MS + arrives(told), BEGIN_MS + told.at + self.off(told));
                let add = pipe.cmd("XADD").arg("emp:events").arg(format!("{arrived}-*"));
                add.arg(&["service", told.service, "eventType", &told.event_type]);
                add.arg(&["timestamp", &happened.to_string(), "data", &told.data.to_string()]);
                // `m1` is what the machine says itself.
                let worker = told.worker.as_ref().filter(|worker| !worker.starts_with('m'));
                for (name, id) in [("jobId", told.job.as_ref()), ("workerId", worker)] {
                    if let Some(id) = id {
                        pipe.arg(name).arg(id);
                    }
                }
                if let Some(worker) = &told.worker {
                    // `w1-2` is the second worker on m1.
                    let machine = worker.split('-').next().unwrap_or_default().replace('w', "m");
                    pipe.arg("machineId").arg(machine);
                }
                pipe.ignore();
            }
            pipe.query::<()>(&mut redis.connection()).unwrap();
        }
        assert_eq!(store.run(&["collect", "--once"]).status, 0);
        (redis, store)
    }

    fn off(&self, told: &Told) -> i64 {
        let is_it = |(worker, _, from, until): &&(String, i64, i64, i64)| {
            told.who() == worker && (*from..*until).contains(&told.at)
        };
        self.clocks.iter().find(is_it).map_or(0, |(_, off, ..)| *off)
    }
}

/// A moment as the command line takes it.
pub fn now(at: i64) -> String {
    (BEGIN_MS + at).to_string()
}

/// What a command says as JSON, as of then.
#[track_caller]
pub fn ask(store: &Store, at: i64, words: &[&str]) -> Value {
    let now = now(at);
    let ended = store.run(&[words, &["--now", &now, "--format", "json"]].concat());
    serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("{words:?}: {error}: {} {}", ended.stdout, ended.stderr))
}

/// The anomalies of a kind, as of then.
#[track_caller]
pub fn anomalies(store: &Store, at: i64, kind: &str) -> Vec<Value> {
    let all = ask(store, at, &["anomalies"]);
    all.as_array().unwrap().iter().filter(|one| one["kind"] == kind).cloned().collect()
}
