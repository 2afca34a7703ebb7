//! A disk that fails, and a clock that jumps, under a collector at work: it acknowledges nothing
//! that is not safe, says what is wrong, and goes on by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::{Daemon, Redis, Store, eventually};

/// What stands between a collector and its disk.
pub struct FaultyDisk {
    folder: TempDir,
}

impl FaultyDisk {
    /// Compiles it: cargo has needed a C compiler, too.
    pub fn make() -> Self {
        let disk = Self { folder: tempfile::tempdir().unwrap() };
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/faulty_disk.c");
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-O1", "-o"]).arg(disk.library()).arg(source).arg("-ldl");
        assert!(compile.status().unwrap().success());
        disk.says("none 0");
        disk
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("faulty_disk.so")
    }

    fn control(&self) -> PathBuf {
        self.folder.path().join("control")
    }

    /// From now on this is wrong, and the clock is so many seconds off.
    pub fn says(&self, what: &str) {
        let new = self.folder.path().join("control.new");
        fs::write(&new, what).unwrap();
        Command::new("mv").arg(&new).arg(self.control()).status().unwrap();
    }

    /// How many operations have failed so far.
    fn refused(&self) -> u64 {
        fs::metadata(self.folder.path().join("control.refused")).map_or(0, |file| file.len())
    }

    /// What a command on that store has to know.
    pub fn environment(&self, store: &Path) -> [(&'static str, PathBuf); 3] {
        [
            ("LD_PRELOAD", self.library()),
            ("FAULTY_DISK_CONTROL", self.control()),
            ("FAULTY_DISK_STORE", store.to_owned()),
        ]
    }

    fn collect(&self, store: &Store, more: &[&str]) -> Daemon {
        store.collect_with(more, &self.environment(&store.path()))
    }
}

fn goes_on_after(fault: &str, words: &str) {
    let (redis, disk) = (Redis::start(), FaultyDisk::make());
    let store = Store::of(&redis);
    let collector = disk.collect(&store, &[]);
    redis.add(10, 1_000);
    eventually("they are acknowledged", || redis.acknowledged() == 10);
    disk.says(&format!("{fault} 0"));
    redis.add(50, 1_000);
    collector.says(words);
    collector.says("trying again");
    eventually("health says so", || {
        let ended = store.run(&["health"]);
        ended.status == 1 && ended.stdout.contains(words)
    });
    redis.add(500, 1_000);
    // The first may be of an attempt that began before.
    let refused = disk.refused();
    eventually("it has tried again, in vain", || disk.refused() >= refused + 2);
    assert_eq!(redis.acknowledged(), 10, "nothing is acknowledged that is not safe");
    disk.says("none 0");
    eventually("it goes on by itself", || redis.acknowledged() == 560);
    collector.says("reading again after");
    eventually("health has forgotten it", || store.run(&["health"]).status == 0);
    assert!(collector.peak_kb() < 60_000, "memory stays bounded: {} kB", collector.peak_kb());
    assert_eq!(collector.stop(), 0);
    store.assert_accounts_for(560);
    store.output(&["verify", "--law"]);
}

#[test]
fn a_full_disk_is_waited_out() {
    goes_on_after("full", "No space left on device");
}

#[test]
fn a_failing_sync_is_never_trusted() {
    goes_on_after("sync", "Input/output error");
}

#[test]
fn a_disk_that_becomes_read_only_is_waited_out() {
    goes_on_after("read-only", "Read-only file system");
}

#[test]
fn a_slow_disk_loses_nothing() {
    let (redis, disk) = (Redis::start(), FaultyDisk::make());
    let store = Store::of(&redis);
    disk.says("slow 0");
    let collector = disk.collect(&store, &["--seal-every", "1s"]);
    let mut load = store.command(&["simulate", "--rate", "1500", "--for", "4s"]);
    assert!(load.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
    eventually("all is read", || redis.pending() == 0 && store.events() == redis.added());
    disk.says("none 0");
    assert_eq!(collector.stop(), 0);
    store.assert_accounts_for(redis.added());
    assert_eq!(store.number("select count(*) from losses"), 0);
}

#[test]
fn a_clock_that_jumps_loses_and_doubles_nothing() {
    let (redis, disk) = (Redis::start(), FaultyDisk::make());
    let store = Store::of(&redis);
    let collector = disk.collect(&store, &[]);
    let mut added = 0;
    for offset in ["0", "7300", "-7300", "0"] {
        disk.says(&format!("none {offset}"));
        redis.add(20, 1_000);
        added += 20;
        eventually("they are stored", || store.events() == added);
        // It looks whether an hour is over between two reads that find nothing.
        let reads = redis.calls("xreadgroup");
        eventually("it has looked at its clock", || redis.calls("xreadgroup") >= reads + 3);
        if offset == "7300" {
            let sealed = "select coalesce(sum(rows), 0) from files where kind = 'parquet'";
            eventually("what looks like an hour that is over is sealed", || store.number(sealed) == added);
        }
        assert_eq!(store.number("select count(distinct id) from events"), added);
    }
    assert_eq!(collector.stop(), 0);
    store.assert_accounts_for(added);
    store.output(&["verify", "--law"]);
}
