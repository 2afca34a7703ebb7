//! How often which question was asked, and how: counters in a small file of this user's, which go nowhere.
//!
//! `EMP_EVENTS_USAGE=off` keeps them from being counted. What cannot be written is not counted: no question fails, or
//! waits, for it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use emp_system::user_folder;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The variable that switches it off.
pub const VARIABLE: &str = "EMP_EVENTS_USAGE";
/// Kinds of questions that are counted at most: a damaged file must not grow.
const KINDS_MAX: usize = 64;

/// How a question was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// At a shell.
    Shell,
    /// From the page.
    Page,
    /// By a program over HTTP.
    Api,
    /// By a coding assistant.
    Assistant,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Shell, Self::Page, Self::Api, Self::Assistant];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shell => "cli",
            Self::Page => "page",
            Self::Api => "api",
            Self::Assistant => "mcp",
        }
    }
}

/// What was asked so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Since which day it is counted: `2026-11-27`.
    pub since: String,
    /// By kind, and by way.
    pub questions: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Usage {
    /// How many questions were asked that way.
    pub fn by(&self, way: Way) -> u64 {
        self.questions.values().filter_map(|ways| ways.get(way.as_str())).sum()
    }

    /// How many questions of that kind were asked.
    pub fn of(&self, kind: &str) -> u64 {
        self.questions.get(kind).map_or(0, |ways| ways.values().sum())
    }

    /// How many questions were asked.
    pub fn all(&self) -> u64 {
        self.questions.values().flat_map(BTreeMap::values).sum()
    }
}

/// Is it switched off?
pub fn is_off() -> bool {
    std::env::var(VARIABLE)
        .is_ok_and(|value| ["off", "0", "false", "no"].contains(&value.to_ascii_lowercase().as_str()))
}

/// Counts a question.
pub fn count(kind: &str, way: Way) {
    if is_off() {
        return;
    }
    if let Some(path) = path() {
        // It is of no use to anybody who asks, and fails nobody.
        let _ = count_in(&path, kind, way);
    }
}

/// What was counted; `None` where nothing was, or it is switched off.
pub fn read() -> Option<Usage> {
    if is_off() {
        return None;
    }
    read_from(&mut File::open(path()?).ok()?)
}

fn path() -> Option<PathBuf> {
    Some(user_folder("XDG_STATE_HOME", ".local/state")?.join("usage.json"))
}

fn read_from(file: &mut File) -> Option<Usage> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn count_in(path: &Path, kind: &str, way: Way) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    // Several may ask at once; it is held for less than a millisecond.
    file.lock()?;
    let new = || Usage { since: Timestamp::now().strftime("%Y-%m-%d").to_string(), questions: BTreeMap::new() };
    let mut usage = read_from(&mut file).unwrap_or_else(new);
    if usage.questions.len() < KINDS_MAX || usage.questions.contains_key(kind) {
        *usage.questions.entry(kind.to_owned()).or_default().entry(way.as_str().to_owned()).or_default() += 1;
    }
    file.rewind()?;
    file.set_len(0)?;
    file.write_all(serde_json::to_string(&usage)?.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_who_ask_at_once_are_all_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/usage.json");
        std::thread::scope(|scope| {
            for way in Way::ALL {
                let path = &path;
                scope.spawn(move || (0..50).for_each(|_| count_in(path, "timeline", way).unwrap()));
            }
        });
        count_in(&path, "diagnose", Way::Shell).unwrap();
        let usage = read_from(&mut File::open(&path).unwrap()).unwrap();
        assert_eq!((usage.all(), usage.of("timeline"), usage.by(Way::Shell)), (201, 200, 51));
    }

    #[test]
    fn a_damaged_file_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("usage.json");
        std::fs::write(&path, "{\"since\":").unwrap();
        count_in(&path, "perf", Way::Page).unwrap();
        assert_eq!(read_from(&mut File::open(&path).unwrap()).unwrap().all(), 1);
    }
}
