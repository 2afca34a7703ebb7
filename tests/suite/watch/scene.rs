//! The sample store, somebody who is told, and what a watch remembers between.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::forwarding::stub::Stub;
use crate::support::{Ended, emp_events, file, run};

/// When six things are wrong in the sample.
pub const WRONG: &str = "2025-09-27T10:10Z";

pub struct Scene {
    pub stub: Stub,
    state: TempDir,
}

impl Scene {
    pub fn new() -> Self {
        Self { stub: Stub::start(), state: tempfile::tempdir().unwrap() }
    }

    /// A watch over the sample with these options, that remembers from one to the next.
    pub fn watch(&self, words: &[&str]) -> Command {
        let mut command = emp_events();
        command.arg("--store").arg(file("data/sample")).args(["--color", "never", "--tz", "UTC", "watch", "--state"]);
        command.arg(self.state.path()).args(words);
        command
    }

    /// The same which tells the stub.
    pub fn telling(&self, words: &[&str]) -> Command {
        let mut command = self.watch(words);
        command.args(["--webhook", &self.url()]);
        command
    }

    /// Looks once as of then, and tells the stub.
    #[track_caller]
    pub fn look_at(&self, now: &str, more: &[&str]) -> Ended {
        let ended = run(self.telling(more).args(["--once", "--now", now]));
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        ended
    }

    /// The folder in which it remembers.
    pub fn state(&self) -> &Path {
        self.state.path()
    }

    pub fn url(&self) -> String {
        self.stub.url() + "/a-secret-path"
    }

    /// The messages that were taken, in order.
    pub fn told(&self) -> Vec<Value> {
        self.stub.accepted().iter().map(|taken| serde_json::from_slice(&taken.body).unwrap()).collect()
    }

    /// How often each message was taken.
    pub fn times_told(&self) -> BTreeMap<String, usize> {
        let mut times = BTreeMap::new();
        for message in self.told() {
            *times.entry(message["id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        times
    }
}
