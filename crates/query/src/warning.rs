//! What was not read as it should be, in lines that stay few however many files there are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use emp_store::StoreError;

/// Of so many files with the same fault each is named.
const NAMED_MAX: usize = 3;

/// A file, or a record of one, that was left out, or that differs from ours.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Warning {
    /// What was done with it: `skipped`, `read`.
    pub what: &'static str,
    pub why: String,
    pub path: Option<PathBuf>,
}

impl Warning {
    /// Something was skipped.
    pub fn of(why: &StoreError) -> Self {
        let (why, path) = match why {
            StoreError::Damaged { path, detail } => (detail.clone(), Some(path.clone())),
            other => (other.to_string(), None),
        };
        Self { what: "skipped", why, path }
    }
}

/// A line for each; one for all that have the same fault, where they are many.
pub(super) fn in_lines(warnings: &BTreeSet<Warning>) -> Vec<String> {
    let mut alike: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for Warning { what, why, path } in warnings {
        let file = path.as_ref().map_or_else(|| "a file".to_owned(), |path| path.display().to_string());
        alike.entry((what, why)).or_default().push(file);
    }
    let mut lines = Vec::new();
    for ((what, why), files) in alike {
        match &files[..] {
            [first, ..] if files.len() > NAMED_MAX => {
                lines.push(format!("{what} {} files, such as {first}: {why}", files.len()));
            }
            files => lines.extend(files.iter().map(|file| format!("{what} {file}: {why}"))),
        }
    }
    lines.sort();
    lines
}
