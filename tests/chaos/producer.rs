//! A service that writes as fast as it is told, and remembers what Redis has acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Events added at once.
const BURST: usize = 20;
/// Of so many entries one is no event.
const BROKEN_EVERY: usize = 97;

pub struct Producer {
    is_stopped: Arc<AtomicBool>,
    thread: JoinHandle<Vec<String>>,
}

impl Producer {
    /// Adds bursts to the stream, with that pause between, and keeps it at about that length.
    pub fn start(url: String, pause: Duration, length: usize) -> Self {
        let is_stopped = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&is_stopped);
        Self { is_stopped, thread: thread::spawn(move || produce(&url, pause, length, &stopped)) }
    }

    /// Ends it; the IDs of all entries that Redis said it has.
    pub fn stop(self) -> Vec<String> {
        self.is_stopped.store(true, SeqCst);
        self.thread.join().unwrap()
    }
}

fn produce(url: &str, pause: Duration, length: usize, stopped: &AtomicBool) -> Vec<String> {
    let client = redis::Client::open(url).unwrap();
    let mut connection = None;
    let mut ids = Vec::new();
    let mut number = 0;
    while !stopped.load(SeqCst) {
        thread::sleep(pause);
        let Some(open) = &mut connection else {
            connection = client.get_connection().ok();
            continue;
        };
        let mut pipeline = redis::pipe();
        for _ in 0..BURST {
            number += 1;
            let add = pipeline.cmd("XADD").arg("emp:events").arg("MAXLEN").arg("~").arg(length).arg("*");
            if number % BROKEN_EVERY == 0 {
                add.arg("this").arg("is no event");
            } else {
                add.arg("service").arg("worker").arg("eventType").arg("job.progress_updated");
                add.arg("jobId").arg(format!("job_{}", number / 12)).arg("data").arg(r#"{"progress":40}"#);
            }
        }
        match pipeline.query::<Vec<String>>(open) {
            Ok(added) => ids.extend(added),
            // What became of this burst is unknown: Redis' own count tells.
            Err(_) => connection = None,
        }
    }
    ids
}
