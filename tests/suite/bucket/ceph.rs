//! A second opinion: Ceph's gateway, which checks signatures and clocks, and holds on to conditions in its own way.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::keeping::COUNT;
use super::{few_hours, sample, sealed, succeeds};
use crate::disk_faults::FaultyDisk;
use crate::support::{Ended, Port, emp_events, run};

/// A gateway with a bucket, and a home for those who ask it.
struct Gateway {
    process: Child,
    port: Port,
    home: TempDir,
}

impl Gateway {
    fn start() -> Self {
        let root = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .filter_map(|folder| Some(folder.parent()?.join("ceph")))
            .find(|root| root.join("complete").is_file())
            .expect("no Ceph is unpacked beside a folder of PATH (make test does it)");
        // Another program may take a port between its choice and its use: then try others.
        for _ in 0..3 {
            let (monitor, port) = (Port::claim(), Port::claim());
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/bucket/ceph_gateway.sh");
            let mut command = Command::new("bash");
            command.arg(script).arg(&root).arg(monitor.number.to_string()).arg(port.number.to_string());
            let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let mut line = String::new();
            BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
            let gateway = Self { process, port, home: tempfile::tempdir().unwrap() };
            if line.trim() == gateway.port.number.to_string() {
                gateway.objects("make", &[], &[]);
                return gateway;
            }
        }
        panic!("Ceph could not be started");
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number)
    }

    /// Past the program that is tested.
    fn objects(&self, action: &str, words: &[&str], bytes: &[u8]) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/bucket/s3_objects.py");
        let mut command = Command::new("python3");
        command.args([script, &self.endpoint(), "test", "secret", action, "events"]).args(words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        let ended = Ended::from(child.wait_with_output().unwrap());
        succeeds(&ended);
        ended.stdout
    }

    fn ask(&self, store: &str, words: &[&str]) -> Command {
        let mut command = emp_events();
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("AWS_")) {
                command.env_remove(name);
            }
        }
        command.env("AWS_ENDPOINT_URL", self.endpoint());
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "secret");
        command.env("HOME", self.home.path()).env_remove("XDG_CACHE_HOME");
        command.args(["--store", store]).args(words);
        command
    }

    fn archive(&self, store: &Path, url: &str, more: &[&str]) -> Command {
        let mut command = self.ask(store.to_str().unwrap(), &["archive", "--to", url]);
        command.args(more);
        command
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // The script ends what it has started, and itself.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// What a store has answered by itself is what the bucket answers, and the folder with the bucket behind it.
fn archives_and_answers(gateway: &Gateway, store: &Path, url: &str) {
    let here = store.to_str().unwrap();
    let of_job = "select job_id from events where event_type = 'job.completed' order by timestamp, id limit 1";
    let job = run(&mut gateway.ask(here, &["--format", "csv", "sql", of_job])).stdout;
    let job = job.lines().nth(1).unwrap();
    let questions: [&[&str]; 4] = [
        &COUNT,
        &["timeline", job, "--format", "json"],
        &["perf", "--format", "csv"],
        &["search", "--job-id", job, "--format", "ndjson"],
    ];
    let before: Vec<String> = questions.iter().map(|words| run(&mut gateway.ask(here, words)).stdout).collect();
    let ended = run(&mut gateway.archive(store, url, &[]));
    succeeds(&ended);
    let again = run(&mut gateway.archive(store, url, &[]));
    assert!(again.status == 0 && again.stdout.starts_with("put 0 files"), "{}{}", again.stdout, again.stderr);
    for (words, before) in questions.iter().zip(&before) {
        // Cold, and with what the first time has fetched.
        for _ in 0..2 {
            let there = run(&mut gateway.ask(url, words));
            assert_eq!(there.status, 0, "{words:?}: {}", there.stderr);
            assert_eq!(&there.stdout.replace(url, here), before, "{words:?}: {}", there.stderr);
        }
    }
    let verified = run(&mut gateway.ask(url, &["verify"]));
    assert!(verified.status == 0 && verified.stdout.contains("all is sound"), "{}{}", verified.stdout, verified.stderr);
}

#[test]
fn ceph_holds_the_store_as_well() {
    let (gateway, folder, clock) = (Gateway::start(), few_hours(), FaultyDisk::make());
    let store = folder.path().join("store");
    let url = "s3://events/team/one";
    let files = sealed(&store);
    clocks_and_keys_are_checked(&gateway, &store, url, &clock);
    archives_and_answers(&gateway, &store, url);
    several_stores_are_one(&gateway, &store);
    what_is_damaged_is_found_and_nothing_is_written_over(&gateway, &store, &files.into_keys().next().unwrap());
    hours_leave_the_disk_and_the_bucket(&gateway, &store, url, &clock);
}

fn clocks_and_keys_are_checked(gateway: &Gateway, store: &Path, url: &str, clock: &FaultyDisk) {
    let refused = |command: &mut Command, words: &[&str]| {
        let ended = run(command);
        let said = words.iter().all(|word| ended.stderr.contains(word));
        assert!(ended.status == 1 && said, "{words:?}: {}{}", ended.stdout, ended.stderr);
    };
    refused(
        gateway.archive(store, url, &[]).env("AWS_SECRET_ACCESS_KEY", "wrong"),
        &["s3://events/team/one/_catalog/head is refused", "SignatureDoesNotMatch"],
    );
    refused(gateway.archive(store, url, &[]).env("AWS_ACCESS_KEY_ID", "nobody"), &["is refused", "InvalidAccessKeyId"]);
    for off in [1_000, -1_000] {
        clock.says(&format!("none {off}"));
        refused(
            gateway.archive(store, url, &[]).envs(clock.environment(store)),
            &["is refused", "this machine's clock is more than 15 minutes off the server's"],
        );
    }
    refused(&mut gateway.archive(store, "s3://nobodys/p", &[]), &["there is no bucket `nobodys`"]);
    assert_eq!(gateway.objects("names", &[], &[]), "");
}

fn several_stores_are_one(gateway: &Gateway, one: &Path) {
    let folder = sample();
    let other = folder.path().join("store");
    archives_and_answers(gateway, &other, "s3://events/team/other");
    let count = |store: &str| {
        let sql = "select count(*), count(distinct id) from events";
        let ended = run(&mut gateway.ask(store, &["--format", "csv", "sql", sql]));
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        let numbers = ended.stdout.lines().nth(1).unwrap().split(',').map(|number| number.parse().unwrap());
        numbers.collect::<Vec<u64>>()
    };
    let (here, there) = (count(one.to_str().unwrap()), count(other.to_str().unwrap()));
    assert_eq!(count("s3://events/team/"), [here[0] + there[0], here[1] + there[1]]);
    // A prefix is one store's.
    let ended = run(&mut gateway.archive(&other, "s3://events/team/one", &[]));
    assert!(ended.status == 1 && ended.stderr.contains("belongs to another store"), "{}", ended.stderr);
}

fn what_is_damaged_is_found_and_nothing_is_written_over(gateway: &Gateway, store: &Path, file: &str) {
    let damaged = "s3://events/damaged";
    gateway.objects("put", &[&format!("damaged/{file}")], b"somebody's own");
    // The store has an archive already: a copy of it begins another one.
    let folder = tempfile::tempdir().unwrap();
    let copied = folder.path().join("store");
    super::copy(store, &copied);
    let ended = run(&mut gateway.archive(&copied, damaged, &[]));
    let words = format!("{damaged}/{file} is there, and holds something else");
    assert!(ended.status == 1 && ended.stderr.contains(&words), "{}", ended.stderr);
    gateway.objects("put", &[&format!("damaged/{file}")], &sealed(&copied)[file]);
    succeeds(&run(&mut gateway.archive(&copied, damaged, &[])));
    let mut bytes = sealed(&copied)[file].clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    gateway.objects("put", &[&format!("damaged/{file}")], &bytes);
    let ended = run(&mut gateway.ask(damaged, &["verify"]));
    assert!(ended.status == 1 && ended.stdout.contains(file), "{}{}", ended.stdout, ended.stderr);
}

/// The server believes clocks that are less than 15 minutes off, so hours pass between two that are: one behind, one ahead.
fn hours_leave_the_disk_and_the_bucket(gateway: &Gateway, store: &Path, url: &str, clock: &FaultyDisk) {
    let here = store.to_str().unwrap();
    let environment = || -> Vec<(&str, PathBuf)> { clock.environment(store).into() };
    succeeds(&run(emp_events().args([
        "simulate",
        "--hours",
        "2",
        "--from",
        "2026-01-01T00:00:00Z",
        "--jobs-per-hour",
        "5",
        "--into",
        here,
    ])));
    let before = run(&mut gateway.ask(here, &COUNT)).stdout;
    clock.says("none -600");
    succeeds(&run(gateway.archive(store, url, &[]).envs(environment())));
    let files = sealed(store).len();
    clock.says("none 600");
    let ended = run(gateway.archive(store, url, &["--keep-local", "1s"]).envs(environment()));
    succeeds(&ended);
    assert!(ended.stdout.ends_with(&format!("{files} files are there alone now\n")), "{}", ended.stdout);
    assert!(sealed(store).is_empty());
    let after = run(&mut gateway.ask(here, &COUNT));
    assert_eq!(after.stdout, before, "{}", after.stderr);
    // The first hour of the year is older than what is kept, the second one is not.
    let began = jiff::Timestamp::now().duration_since("2026-01-01T00:00:00Z".parse().unwrap());
    let ended = run(&mut gateway.archive(store, url, &["--retain", &format!("{}m", began.as_mins() - 90)]));
    let left = run(&mut gateway.ask(url, &COUNT));
    assert!(ended.stdout.contains("\n1 files, "), "{}{}", ended.stdout, ended.stderr);
    assert!(left.status == 0 && left.stdout != before, "{}{}", left.stdout, left.stderr);
    let verified = run(&mut gateway.ask(url, &["verify"]));
    assert!(verified.status == 0 && verified.stdout.contains("all is sound"), "{}{}", verified.stdout, verified.stderr);
}
