//! The same run as it is seen by those who have had the application for hours.

use std::collections::HashMap;

use redis::Value;
use redis::streams::{StreamId, StreamRangeReply};

use crate::support::{Redis, Store};

/// How long it has worked before.
const HISTORY_MS: i64 = 3 * 3_600_000;
/// The least from one copy to the next.
const STEP_MS: i64 = 40_000;

/// Everything that was told in a run, behind hours in which nothing happened but what happened from its first entry
/// about the first of these jobs to the last about any of them: again and again, with other ids.
pub struct Aged {
    pub store: Store,
    /// The moment at which the run was over.
    pub now: String,
    _redis: Redis,
}

impl Aged {
    pub fn of(run: &Redis, healthy: &[String]) -> Self {
        let all: StreamRangeReply = run.command("XRANGE emp:events - +");
        let is_healthy = |entry: &&StreamId| text(entry, "jobId").is_some_and(|job| healthy.contains(&job));
        let of_healthy: Vec<i64> = all.ids.iter().filter(is_healthy).map(arrived_ms).collect();
        let (from, to) = (of_healthy[0], of_healthy[of_healthy.len() - 1]);
        let window: Vec<_> = all.ids.iter().filter(|entry| (from..=to).contains(&arrived_ms(entry))).collect();
        let begun = arrived_ms(&all.ids[0]);
        let step = STEP_MS.max(to - from + 1_000);

        let redis = Redis::start();
        for copy in (1..=HISTORY_MS / step).rev() {
            // All copies end before the run begins.
            add(&redis, &window, copy, copy * step + (to - begun));
        }
        add(&redis, &all.ids.iter().collect::<Vec<_>>(), 0, 0);
        let store = Store::of(&redis);
        assert_eq!(store.run(&["collect", "--once"]).status, 0);
        let now = arrived_ms(&all.ids[all.ids.len() - 1]).to_string();
        Self { store, now, _redis: redis }
    }

    /// What a command says as JSON, as of the end of the run.
    pub fn ask(&self, words: &[&str]) -> serde_json::Value {
        let ended = self.store.run(&[words, &["--now", &self.now, "--format", "json"]].concat());
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {} {}", ended.stdout, ended.stderr))
    }
}

/// Adds entries so many ms earlier, with the number of the copy in the ids of jobs, but for the run itself, which is 0.
fn add(redis: &Redis, entries: &[&StreamId], copy: i64, earlier_ms: i64) {
    let mut pipe = redis::pipe();
    for entry in entries {
        pipe.cmd("XADD").arg("emp:events").arg(format!("{}-*", arrived_ms(entry) - earlier_ms));
        for (name, value) in texts(entry) {
            let value = match name.as_str() {
                "timestamp" => (value.parse::<i64>().unwrap() - earlier_ms).to_string(),
                "jobId" if copy > 0 => format!("{value}_{copy}"),
                _ => value,
            };
            pipe.arg(name).arg(value);
        }
        pipe.ignore();
    }
    pipe.query::<()>(&mut redis.connection()).unwrap();
}

fn arrived_ms(entry: &StreamId) -> i64 {
    entry.id.split_once('-').unwrap().0.parse().unwrap()
}

fn text(entry: &StreamId, name: &str) -> Option<String> {
    entry.get(name)
}

fn texts(entry: &StreamId) -> HashMap<String, String> {
    let as_text = |value: &Value| redis::from_redis_value::<String>(value.clone()).unwrap();
    entry.map.iter().map(|(name, value)| (name.clone(), as_text(value))).collect()
}
