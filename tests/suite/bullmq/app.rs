//! The application of `clients/typescript/examples/bullmq`: its processes, and what may be done to it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Daemon, Port, Redis, Store, eventually, file, typescript_client, without_settings};

/// BullMQ takes a worker for lost that has not renewed its lock for so long: seconds longer than a busy machine may
/// keep a worker waiting.
const LOCK_MS: &str = "12000";
const WORKERS: [(&str, &str); 3] = [("w1", "m1"), ("w2", "m1"), ("w3", "m2")];

/// More jobs at once than any test submits, so that none waits for another.
const CONCURRENCY: &str = "50";

/// The application, a Redis and a collector.
pub struct App {
    /// By name. These end before their Redis does.
    processes: BTreeMap<String, Daemon>,
    pub store: Store,
    pub redis: Redis,
    /// Two API servers, which observe one queue.
    api: [Port; 2],
    outside: Port,
}

impl App {
    pub fn start() -> Self {
        typescript_client();
        let redis = Redis::start_configured(&["--maxmemory-policy", "noeviction"]);
        let [outside, one, other] = [Port::claim(), Port::claim(), Port::claim()];
        let store = Store::of(&redis);
        let mut app = Self { processes: BTreeMap::new(), store, redis, api: [one, other], outside };
        let collector = app.store.collect(&[]);
        app.processes.insert("collector".to_owned(), collector);
        app.run("outside", "outside.mjs", &[]);
        for (name, place) in [("api-1", 0), ("api-2", 1)] {
            let port = app.api[place].number.to_string();
            app.run(name, "api.mjs", &[("API_PORT", &port)]);
        }
        app.run("webhook", "webhook.mjs", &[]);
        WORKERS.iter().for_each(|(worker, _)| app.start_worker(worker));
        for port in [&app.outside, &app.api[0], &app.api[1]] {
            eventually("the servers answer", || TcpStream::connect(("127.0.0.1", port.number)).is_ok());
        }
        app
    }

    fn run(&mut self, name: &str, script: &str, more: &[(&str, &str)]) {
        let mut node = Command::new("node");
        without_settings(&mut node);
        node.arg(file("clients/typescript/examples/bullmq").join(script));
        node.env("REDIS_URL", self.redis.url()).env("OUTSIDE_PORT", self.outside.number.to_string());
        node.env("LOCK_MS", LOCK_MS).env("STALLED_CHECK_MS", "1000").env("CONCURRENCY", CONCURRENCY);
        node.envs(more.iter().copied());
        let process = self.store.background(&mut node);
        self.processes.insert(name.to_owned(), process);
    }

    pub fn start_worker(&mut self, worker: &str) {
        let machine = WORKERS.iter().find(|(name, _)| *name == worker).unwrap().1;
        self.run(worker, "worker.mjs", &[("WORKER_ID", worker), ("MACHINE_ID", machine)]);
    }

    /// SIGKILL.
    pub fn kill(&mut self, process: &str) {
        self.processes.remove(process).unwrap().crash();
    }

    /// SIGSTOP, SIGCONT.
    pub fn signal(&self, process: &str, name: &str) {
        self.processes[process].signal(name);
    }

    /// SIGTERM to all workers, and as many new ones by the same names.
    pub fn redeploy(&mut self) {
        WORKERS.iter().for_each(|(worker, _)| self.signal(worker, "TERM"));
        for (worker, _) in WORKERS {
            assert_eq!(self.processes.remove(worker).unwrap().ended(), 0, "{worker} ends by itself");
            self.start_worker(worker);
        }
    }

    /// Ends all of it in good order, and all that was told is stored.
    pub fn stop(&mut self) {
        for process in ["w1", "w2", "w3", "webhook", "api-1", "api-2"] {
            assert_eq!(self.processes.remove(process).unwrap().stop(), 0, "{process} ends by itself");
        }
        let added = self.redis.added();
        eventually("all is stored", || self.store.events() == added);
        assert_eq!(self.processes.remove("collector").unwrap().stop(), 0);
        self.store.assert_accounts_for(added);
    }

    /// Puts a job into the queue; the answer's status, and the job's id.
    pub fn submit(&self, job: &Value) -> (u16, String) {
        let (status, answer) = http("POST", self.api[0].number, "/jobs", job);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        (status, answer["id"].as_str().unwrap().to_owned())
    }

    /// So many jobs at once.
    pub fn submit_all(&self, count: usize, job: &Value) -> Vec<String> {
        (0..count).map(|_| self.submit(job).1).collect()
    }

    /// Puts a job into the queue that waits for so many others; its id, and theirs.
    pub fn submit_album(&self, album: &Value) -> (String, Vec<String>) {
        let (status, answer) = http("POST", self.api[0].number, "/albums", album);
        assert_eq!(status, 201);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let text = |id: &Value| id.as_str().unwrap().to_owned();
        (text(&answer["id"]), answer["pictures"].as_array().unwrap().iter().map(text).collect())
    }

    /// `pause` or `resume`.
    pub fn queue(&self, action: &str) {
        let (status, _) = http("POST", self.api[1].number, &format!("/queue/{action}"), &json!({}));
        assert_eq!(status, 204);
    }

    /// How long a connector takes from now on. Calls that wait for it end at once.
    pub fn pace(&self, connector: &str, ms: u32) {
        self.set(connector, &json!({ "ms": ms }));
    }

    /// A connector takes none of the next so many calls, and asks for a second's pause each time.
    pub fn limit(&self, connector: &str, calls: u32) {
        self.set(connector, &json!({ "refuses": calls }));
    }

    fn set(&self, connector: &str, how: &Value) {
        let (status, _) = http("PUT", self.outside.number, &format!("/connectors/{connector}"), how);
        assert_eq!(status, 204);
    }

    /// Waits until an event of that type is stored of each of the jobs.
    pub fn until(&self, jobs: &[String], event_type: &str) {
        let list = list(jobs);
        let told = format!(
            "select count(distinct job_id) from events where event_type = '{event_type}' and job_id in ({list})"
        );
        eventually(&format!("{event_type} of {list}"), || self.store.number(&told) == jobs.len() as u64);
    }

    /// How long the longest of the jobs took, from its first event to its last.
    pub fn longest_ms(&self, jobs: &[String]) -> u32 {
        let lives = format!(
            "select cast(max(timestamp) as bigint) - cast(min(timestamp) as bigint) as ms from events where job_id in ({}) group by job_id",
            list(jobs)
        );
        self.store.number(&format!("select max(ms) from ({lives})")).try_into().unwrap()
    }

    /// Waits until a worker has the job; its name.
    pub fn holder(&self, job: &str) -> String {
        self.until(&[job.to_owned()], "job.claimed");
        let claims = format!(
            "select worker_id from events where job_id = '{job}' and event_type = 'job.claimed' order by id desc limit 1"
        );
        let csv = self.store.output(&["sql", "--format", "csv", &claims]);
        csv.lines().nth(1).unwrap().to_owned()
    }

    /// What `diagnose` says of a job now.
    pub fn diagnose(&self, job: &str) -> Value {
        serde_json::from_str(&self.store.run(&["diagnose", job, "--format", "json"]).stdout).unwrap()
    }
}

/// The jobs as SQL names them.
fn list(jobs: &[String]) -> String {
    jobs.iter().map(|job| format!("'{job}'")).collect::<Vec<_>>().join(", ")
}

/// Sends a request with JSON; the status of the answer, and its body.
fn http(method: &str, port: u16, path: &str, body: &Value) -> (u16, String) {
    let body = body.to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = "host: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/json";
    write!(stream, "{method} {path} HTTP/1.1\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}
