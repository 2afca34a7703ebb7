//! A Redis of its own for each test.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(dead_code, reason = "no test file uses all of it")]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use emp_events_client::{EventClient, EventClientBuilder, Stats};
use redis::Value;
use serde_json::Value as Json;
use tempfile::TempDir;

pub const SECOND: Duration = Duration::from_secs(1);
/// How long a test waits for what must come. Nothing is measured by it: a busy machine is slow, not wrong.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A server that ends with the test.
pub struct Server {
    child: Child,
    pub port: u16,
    folder: TempDir,
    options: Vec<String>,
}

impl Server {
    pub fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        // Another program may take the port between its choice and its use: then another one is tried.
        for _ in 0..10 {
            let port = free_port();
            let mut child = spawn(port, &folder, &options);
            if is_up(port, &mut child) {
                return Self { child, port, folder, options };
            }
        }
        panic!("no redis-server could be started");
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn restart(&mut self) {
        self.child = spawn(self.port, &self.folder, &self.options);
        assert!(is_up(self.port, &mut self.child), "it starts again");
    }

    /// Sends the process a signal, `STOP` or `CONT`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(status.unwrap().success());
    }

    pub fn query<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut connection = redis::Client::open(self.url()).unwrap().get_connection().unwrap();
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut connection).unwrap()
    }

    pub fn do_it(&self, words: &[&str]) {
        self.query::<Value>(words);
    }

    /// All entries of the stream: their fields.
    pub fn entries(&self) -> Vec<Vec<(String, String)>> {
        let entries: Vec<(String, Vec<String>)> = self.query(&["XRANGE", "emp:events", "-", "+"]);
        let pairs = |fields: Vec<String>| fields.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        entries.into_iter().map(|(_, fields)| pairs(fields)).collect()
    }

    pub fn length(&self) -> u64 {
        self.query(&["XLEN", "emp:events"])
    }
}

/// Does that very process answer on the port? It ends where another one has it.
#[track_caller]
fn is_up(port: u16, child: &mut Child) -> bool {
    let own = format!("process_id:{}", child.id());
    let info = || -> redis::RedisResult<String> {
        let mut connection = redis::Client::open(format!("redis://127.0.0.1:{port}"))?.get_connection()?;
        redis::cmd("INFO").arg("server").query(&mut connection)
    };
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if info().is_ok_and(|info| info.contains(&own)) {
            return true;
        }
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: the server answers");
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, folder: &TempDir, options: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"])
        .arg("--dir")
        .arg(folder.path())
        .args(options)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A port that nobody has, below those that the system gives to connections by itself, and low enough for a node of a
/// cluster, which takes one 10,000 above it as well.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let place = std::process::id().wrapping_mul(101).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 9_000 + (place % 7_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

#[track_caller]
pub fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn builder(url: &str) -> EventClientBuilder {
    EventClient::builder("worker").url(url).answer_timeout(PATIENCE)
}

/// What a client told of, as a function for `on_problem`.
#[derive(Clone, Default)]
pub struct Problems(Arc<Mutex<Vec<String>>>);

impl Problems {
    pub fn listen(&self, builder: EventClientBuilder) -> EventClientBuilder {
        let told = self.clone();
        builder.on_problem(move |problem| told.0.lock().unwrap().push(problem.to_owned()))
    }

    pub fn told(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    #[track_caller]
    pub fn wait(&self) {
        wait_until("a problem is told", || !self.told().is_empty());
    }
}

pub fn client(url: &str) -> EventClient {
    builder(url).build().unwrap()
}

pub fn emit(client: &EventClient, count: usize) {
    for number in 0..count {
        client.event("job.created").job_id(format!("job-{number}")).field("number", number).emit();
    }
}

#[track_caller]
pub fn assert_adds_up(stats: Stats) {
    let sum = stats.sent + stats.sampled + stats.dropped + stats.spooled + stats.queued;
    assert_eq!(stats.emitted, sum, "{stats:?}");
}

pub fn value<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
}

pub fn data(fields: &[(String, String)]) -> Json {
    serde_json::from_str(value(fields, "data").unwrap()).unwrap()
}
