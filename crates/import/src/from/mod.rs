//! Which members of a line are what: the wire's own names, or those of another program's log.

mod keys;
mod mapping;
mod otlp;
mod redis;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use mapping::Mapping;

/// The formats that need no file: their names, and what they are.
pub const PRESETS: [(&str, &str); 7] = [
    ("pino", "pino's lines"),
    ("winston", "winston's, by format.json() with format.timestamp()"),
    ("bunyan", "bunyan's lines"),
    ("ecs", "Elastic Common Schema"),
    ("otlp-json", "OTLP logs as JSON, as the collector's file exporter writes them"),
    ("bullmq", "`redis-cli --json XRANGE bull:QUEUE:events - +`, or BullMQ's events one a line"),
    ("journald", "`journalctl -o json`"),
];

const PRESET_FILES: [&str; PRESETS.len()] = [
    include_str!("pino.toml"),
    include_str!("winston.toml"),
    include_str!("bunyan.toml"),
    include_str!("ecs.toml"),
    include_str!("otlp-json.toml"),
    include_str!("bullmq.toml"),
    include_str!("journald.toml"),
];

/// How lines are read.
#[derive(Debug, Clone, Default)]
pub struct Format {
    /// None for the wire's own names.
    mapping: Option<Mapping>,
}

/// Why a format is none.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// Neither a name that is known, nor a file.
    #[error("`{0}` is no format: use one of {1}, or a file that ends in .toml")]
    Unknown(String, String),
    /// The file cannot be read.
    #[error("cannot read the format {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file says something that is not understood.
    #[error("the format {} is not understood: {detail}", path.display())]
    NotUnderstood {
        /// The file.
        path: PathBuf,
        /// What, and where.
        detail: String,
    },
}

impl Format {
    /// The format of that name, or of that file where it ends in `.toml`.
    ///
    /// # Errors
    /// [`FormatError`]
    pub fn named(name: &str) -> Result<Self, FormatError> {
        let path = Path::new(name);
        let text = match PRESETS.iter().position(|(preset, _)| *preset == name) {
            Some(preset) => PRESET_FILES[preset].to_owned(),
            None if path.extension().is_some_and(|extension| extension == "toml") => {
                std::fs::read_to_string(path).map_err(|source| FormatError::Read { path: path.to_owned(), source })?
            }
            None => {
                let names: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
                return Err(FormatError::Unknown(name.to_owned(), names.join(", ")));
            }
        };
        let mapping =
            Mapping::parse(&text).map_err(|detail| FormatError::NotUnderstood { path: path.to_owned(), detail })?;
        Ok(Self { mapping: Some(mapping) })
    }

    /// The events that a line holds, each as JSON in the wire's names.
    ///
    /// # Errors
    /// Why it holds none, as a sentence.
    pub(crate) fn records<'a>(&self, line: &'a str) -> Result<Vec<Cow<'a, str>>, String> {
        match &self.mapping {
            None => Ok(vec![Cow::Borrowed(line)]),
            Some(mapping) => Ok(mapping.records(line)?.into_iter().map(Cow::Owned).collect()),
        }
    }

    /// For a line that is no event: which format it is of, as the end of a sentence.
    pub(crate) fn hint(&self, line: &[u8]) -> String {
        let Ok(line) = std::str::from_utf8(line) else { return String::new() };
        let is_of = |name: &&str| {
            let format = Self::named(name).ok().and_then(|format| format.mapping);
            format.is_some_and(|mapping| mapping.fits(line))
        };
        let fitting: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).filter(is_of).collect();
        match fitting.first() {
            Some(name) => format!("; it looks like {}: try `--from {name} --preview`", fitting.join(" or ")),
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests;
