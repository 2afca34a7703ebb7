//! How the binary is linked, and which commit it says that it was built from.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Set by whoever builds without git, as in an image: the commit.
const GIVEN: &str = "EMP_EVENTS_COMMIT";

fn main() {
    link();
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let commit = std::env::var(GIVEN).ok().filter(|commit| !commit.is_empty()).or_else(commit);
    let version = commit.map_or_else(|| version.clone(), |commit| format!("{version} ({commit})"));
    println!("cargo::rustc-env=EMP_EVENTS_VERSION={version}");
    println!("cargo::rerun-if-env-changed={GIVEN}");
    // Not with each commit, but with what the binary is built anew for in any case: to a commit that changes nothing of
    // it, it is the same.
    for path in sources() {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

fn link() {
    // At a fixed address: one that can lie anywhere has 200,000 addresses to be filled in at each
    // start. That touches 9 MB of a daemon's 30, and takes milliseconds of each answer. macOS knows no other way.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}

/// The commit that is checked out, if this folder is a repository of its own; with a word where the sources differ.
fn commit() -> Option<String> {
    let root = PathBuf::from(git(&["rev-parse", "--show-toplevel"])?).canonicalize().ok()?;
    if root != Path::new(".").canonicalize().ok()? {
        return None;
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let mut differences = vec!["diff".to_owned(), "--name-only".to_owned(), "HEAD".to_owned(), "--".to_owned()];
    differences.extend(sources().iter().map(|path| path.display().to_string()));
    let differences: Vec<&str> = differences.iter().map(String::as_str).collect();
    let is_changed = git(&differences).is_none_or(|names| !names.is_empty());
    Some(if is_changed { format!("{commit} and changes") } else { commit })
}

/// What the binary is made of.
fn sources() -> Vec<PathBuf> {
    let mut sources: Vec<PathBuf> = ["build.rs", "Cargo.toml", "Cargo.lock", "src", "sql"].map(PathBuf::from).into();
    let rooms = inside(Path::new("crates"));
    sources.extend(rooms.iter().flat_map(|room| inside(room)).filter(|part| !part.ends_with("tests")));
    sources.retain(|path| path.exists());
    sources.sort();
    sources
}

fn inside(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn git(words: &[&str]) -> Option<String> {
    let answer = Command::new("git").args(words).output().ok().filter(|answer| answer.status.success())?;
    Some(String::from_utf8(answer.stdout).ok()?.trim().to_owned())
}
