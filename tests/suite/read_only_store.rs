//! A store that may only be read: what is learned about it goes into the user's cache.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::run;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/sample");

/// Copies the partitions of the sample, for everybody to read and nobody to write.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_dir() && !name.to_string_lossy().starts_with('_') {
            copy(&path, &to.join(name));
        } else if path.is_file() {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
    fs::set_permissions(to, fs::Permissions::from_mode(0o555)).unwrap();
}

/// Root may write anywhere, so there somebody else asks.
fn as_reader(binary: &Path) -> Command {
    // Only root may look into that folder.
    let is_root = fs::read_dir("/proc/1/fd").is_ok();
    if !is_root {
        return Command::new(binary);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(binary);
    command
}

#[test]
fn what_is_learned_about_a_read_only_store_is_kept_in_the_users_cache() {
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (store, cache, binary) =
        (folder.path().join("store"), folder.path().join("cache"), folder.path().join("emp-events"));
    copy(Path::new(SAMPLE), &store);
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_emp-events"), &binary).unwrap();
    let ask = || {
        let mut command = as_reader(&binary);
        command.env("XDG_CACHE_HOME", &cache).env_remove("EMP_EVENTS_STORE").arg("--store").arg(&store);
        let ended = run(command.args([
            "--format",
            "csv",
            "sql",
            "select count(*) from events where job_id = 'job_n6kuhz4kghuv'",
        ]));
        assert_eq!((ended.status, ended.stdout.as_str()), (0, "count(*)\n6\n"), "{}", ended.stderr);
    };
    ask();
    let kept: Vec<PathBuf> =
        fs::read_dir(cache.join("emp-events")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept.len(), 1, "one folder for the store: {kept:?}");
    assert!(kept[0].join("catalog.v3").is_file());
    assert!(!store.join("_index").exists());
    ask();
}
