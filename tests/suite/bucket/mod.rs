//! The store in a bucket: a real S3 server behind a line that fails as lines and servers do.

mod archiving;
mod asking;
mod azure;
mod ceph;
mod faults;
mod keeping;
mod law;
mod rebuilding;
mod retention;
pub mod server;
mod several;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use server::Bucket;

use crate::support::{Ended, emp_events, file, run};

/// A copy of the sample store, of which hours may be archived.
pub fn sample() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&file("data/sample"), &folder.path().join("store"));
    folder
}

/// A few hours of a simulated load.
pub fn few_hours() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let ended = run(emp_events()
        .args(["simulate", "--hours", "3", "--jobs-per-hour", "20", "--into"])
        .arg(folder.path().join("store")));
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    folder
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

pub fn archive(bucket: &Bucket, store: &Path, url: &str) -> Command {
    let mut command = emp_events();
    bucket.know(command.arg("--store").arg(store).args(["archive", "--to", url]));
    command
}

/// The sealed files of a store, by the names that they have there.
pub fn sealed(store: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![store.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.path().strip_prefix(store).unwrap().to_str().unwrap().to_owned();
            match entry.file_type().unwrap().is_dir() {
                true if name.starts_with("date=") => folders.push(entry.path()),
                false if name.ends_with(".parquet") => drop(files.insert(name, fs::read(entry.path()).unwrap())),
                _ => {}
            }
        }
    }
    files
}

/// What lies below `date=` in the bucket.
pub fn archived(bucket: &Bucket, prefix: &str) -> BTreeMap<String, Vec<u8>> {
    bucket.objects(prefix).into_iter().filter(|(name, _)| name.starts_with("date=")).collect()
}

#[track_caller]
pub fn succeeds(ended: &Ended) {
    assert_eq!(ended.status, 0, "{}{}", ended.stdout, ended.stderr);
}

pub fn environment(bucket: &Bucket) -> Vec<(&'static str, PathBuf)> {
    let mut command = Command::new("true");
    bucket.know(&mut command);
    let names = ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "HOME"];
    let value = |name: &str| {
        let value = command.get_envs().find(|(of, _)| *of == name).and_then(|(_, value)| value).unwrap();
        PathBuf::from(value)
    };
    names.map(|name| (name, value(name))).into()
}
