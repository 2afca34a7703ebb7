//! The images are built from a part of the project's files, which `.dockerignore` names.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{file, run};

/// Copies a file, or a folder without what no checkout has.
fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
        return;
    }
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.file_name() != "node_modules" && entry.file_name() != "target" {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    }
}

#[test]
fn what_an_image_is_built_from_is_all_that_cargo_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    let list = fs::read_to_string(file(".dockerignore")).unwrap();
    for path in list.lines().filter_map(|line| line.strip_prefix('!')) {
        copy(&file(path), &folder.path().join(path));
    }
    let mut metadata = Command::new(env!("CARGO"));
    metadata.args(["metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"]);
    let ended = run(metadata.current_dir(folder.path()));
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    // Each member is there with its source, and with what that includes.
    let metadata: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    for package in metadata["packages"].as_array().unwrap() {
        let targets = package["targets"].as_array().unwrap().iter();
        let libraries = targets.filter(|target| target["kind"] == serde_json::json!(["lib"]));
        for source in libraries.map(|target| target["src_path"].as_str().unwrap()) {
            assert!(Path::new(source).exists(), "{source}");
        }
    }
    assert!(folder.path().join("sql/perf.sql").exists() && folder.path().join("src/main.rs").exists());
}
