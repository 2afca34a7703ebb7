//! A year of a system that is unlike the one that `simulate` plays: ids of three kinds, no levels, sparse heartbeats, a job
//! that is open all year and a tenth of the others that never end. What is quick on one's own data alone is not quick.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::emp_events;

/// 2026-01-01T00:00:00Z.
const BEGIN_MS: i64 = 1_767_225_600_000;
const HOUR_MS: i64 = 3_600_000;
const JOBS_PER_HOUR: i64 = 110;
const BEAT_MS: i64 = 60_000;
/// With its usual milliseconds.
const CONNECTORS: [(&str, f64); 4] = [("stripe", 180.0), ("whisper", 9_000.0), ("flux", 24_000.0), ("s3", 45.0)];

/// Makes it in that folder, through `import`.
pub fn make(folder: &Path, hours: i64) {
    let mut import = emp_events();
    import.args(["import", "-", "--store"]).arg(folder).stdin(Stdio::piped());
    let mut import = import.spawn().unwrap();
    let mut year = Year {
        random: ChaCha8Rng::seed_from_u64(7),
        told: BinaryHeap::new(),
        lines: 0,
        out: BufWriter::new(import.stdin.take().unwrap()),
    };
    for hour in 0..hours {
        year.hour(BEGIN_MS + hour * HOUR_MS);
    }
    year.write_until(i64::MAX);
    drop(year);
    assert!(import.wait().unwrap().success());
    remove_superseded(folder);
}

/// An hour that came in two parts has a file that no longer counts, for a quarter of an hour, which other engines read as well.
fn remove_superseded(folder: &Path) {
    let an_hour_ago = SystemTime::now() - Duration::from_secs(3_600);
    for date in fs::read_dir(folder).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        for hour in fs::read_dir(date.path()).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
            for file in fs::read_dir(hour.path()).unwrap().flatten() {
                File::options().append(true).open(file.path()).unwrap().set_modified(an_hour_ago).unwrap();
            }
        }
    }
    assert!(emp_events().args(["compact", "--store"]).arg(folder).status().unwrap().success());
}

struct Year<W: Write> {
    random: ChaCha8Rng,
    /// What is not written yet, the earliest first.
    told: BinaryHeap<Reverse<(i64, u64, String)>>,
    lines: u64,
    out: BufWriter<W>,
}

impl<W: Write> Year<W> {
    fn hour(&mut self, begin_ms: i64) {
        for at in (0..HOUR_MS).step_by(BEAT_MS as usize) {
            let worker = self.random.random_range(0..40);
            self.tell(begin_ms + at, "fleet", "worker.heartbeat", &format!(r#","workerId":"node-{worker}""#), "");
        }
        // Every five minutes a word of the job that is never done.
        for at in (0..HOUR_MS).step_by(300_000) {
            self.tell(begin_ms + at, "sync", "job.progress_updated", r#","jobId":"the-eternal-sync""#, r#""page":1"#);
        }
        for _ in 0..JOBS_PER_HOUR {
            let at = begin_ms + self.random.random_range(0..HOUR_MS);
            self.job(at);
        }
        self.write_until(begin_ms + HOUR_MS);
    }

    fn job(&mut self, at_ms: i64) {
        let job = self.id();
        let trace = self.random.random::<u128>();
        let user = self.random.random_range(0..9_000);
        let worker = self.random.random_range(0..40);
        let (connector, usual) = CONNECTORS[self.random.random_range(0..CONNECTORS.len())];
        let of_job = format!(r#","jobId":"{job}","traceId":"{trace:032x}""#);
        let of_worker = format!(r#"{of_job},"workerId":"node-{worker}""#);
        let by = format!(r#""connectorType":"{connector}""#);
        let waited = (200.0 * self.spread()) as i64;
        let took = (usual * self.spread()) as i64;
        let claimed = at_ms + 20 + waited;
        self.tell(at_ms, "gateway", "job.created", &format!(r#"{of_job},"userId":"u{user}""#), r#""jobType":"media""#);
        self.tell(at_ms + 6, "gateway", "job.queued", &of_job, r#""queueName":"media""#);
        self.tell(claimed, "fleet", "job.claimed", &of_worker, &format!(r#""claimTimeMs":{waited}"#));
        self.tell(claimed + 9, "fleet", "connector.processing_started", &of_worker, &by);
        if self.random.random_range(0..10) == 0 {
            return;
        }
        let end = claimed + 9 + took;
        let done = format!(r#"{by},"processingTimeMs":{took}"#);
        if self.random.random_range(0..40) == 0 {
            let error = format!(r#"{done},"error":"no route to {connector} after {} tries""#, took % 7);
            self.tell(end, "fleet", "connector.processing_failed", &of_worker, &error);
            self.tell(end + 4, "fleet", "job.failed", &of_worker, r#""error":"gave up""#);
            return;
        }
        self.tell(end, "fleet", "connector.processing_completed", &of_worker, &done);
        let all = end + 5 - at_ms;
        self.tell(end + 5, "fleet", "job.completed", &of_worker, &format!(r#""durationMs":{all}"#));
        self.tell(end + 90, "hooks", "webhook.delivered", &of_job, r#""responseTimeMs":81,"statusCode":200"#);
    }

    /// A UUID, sixteen hex digits, or a ULID.
    fn id(&mut self) -> String {
        let bits = self.random.random::<u128>();
        let hex = format!("{bits:032x}");
        match bits % 3 {
            0 => [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"),
            1 => hex[..16].to_owned(),
            _ => {
                let letters = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
                (0..26).map(|at| letters[(bits >> (at * 5)) as usize & 31] as char).collect()
            }
        }
    }

    /// Around 1, seldom below a half or above twice as much.
    fn spread(&mut self) -> f64 {
        (1.4 * (self.random.random::<f64>() + self.random.random::<f64>() - 1.0)).exp()
    }

    fn tell(&mut self, at_ms: i64, service: &str, event_type: &str, ids: &str, data: &str) {
        self.lines += 1;
        let line = format!(
            r#"{{"timestamp":{at_ms},"service":"{service}","eventType":"{event_type}"{ids},"data":{{{data}}}}}"#
        );
        self.told.push(Reverse((at_ms, self.lines, line)));
    }

    fn write_until(&mut self, ms: i64) {
        while self.told.peek().is_some_and(|Reverse((at, ..))| *at < ms) {
            if let Some(Reverse((.., line))) = self.told.pop() {
                writeln!(self.out, "{line}").unwrap();
            }
        }
    }
}
