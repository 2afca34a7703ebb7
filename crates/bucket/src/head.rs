//! The head of a store in a bucket: what there is, in the only object that is ever written over. Putting it is what commits
//! all that was put before.
//!
//! ```text
//! EMPHEAD1 <CRC-32 of all that follows the line, eight hexadecimal digits>
//! {"store":"…","nonce":"…","generation":12,…}
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::remote::Sum;

/// Its name.
pub(crate) const HEAD: &str = "_catalog/head";
/// What is derived lies there, and the head.
const FOLDER: &str = "_catalog";
const MAGIC: &str = "EMPHEAD1 ";

/// An object, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Its name below the prefix.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// The CRC-32 of its bytes.
    pub crc: u32,
}

impl Object {
    /// One of what is derived, named by what it holds.
    pub(crate) fn derived(bytes: &[u8], extension: &str) -> Self {
        let name = format!("{FOLDER}/{:016x}.{extension}", xxhash_rust::xxh3::xxh3_64(bytes));
        let Sum { bytes, crc } = Sum::of(bytes);
        Self { name, bytes, crc }
    }

    pub(crate) fn sum(&self) -> Sum {
        Sum { bytes: self.bytes, crc: self.crc }
    }
}

/// What is known about the files of a span of days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The first of its days: `2025-09-27`. It ends where the next one begins.
    pub from: String,
    /// Stands for what the facts say, in hexadecimal.
    pub key: String,
    /// Its facts.
    pub facts: Object,
    /// What its files contribute to questions about many.
    pub rollups: Option<Object>,
}

/// A run of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunObject {
    /// Its number, in hexadecimal.
    pub run: String,
    /// It is of the words of texts, and not of ids.
    pub of_texts: bool,
    /// Where it is.
    pub object: Object,
}

/// An object that nothing refers to any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Its name.
    pub name: String,
    /// Since when, in ms since the epoch.
    pub since_ms: i64,
}

/// What there is in the bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The store's id: 16 hexadecimal digits.
    pub store: String,
    /// Another one each time.
    pub nonce: String,
    /// How often it was written.
    pub generation: u64,
    /// When, in ms since the epoch.
    pub written_ms: i64,
    /// How many files there are.
    pub files: u64,
    /// How many events they hold.
    pub events: u64,
    /// How many bytes they are.
    pub bytes: u64,
    /// The last hour of which there are files: `2025-09-27 14`.
    pub last_hour: Option<String>,
    /// Hours that ended before that were taken out, and are not put there again; in ms since the epoch.
    #[serde(default)]
    pub kept_from_ms: Option<i64>,
    /// How many events of each writer were taken out so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub taken_out: BTreeMap<String, u64>,
    /// Ascending.
    pub parts: Vec<Part>,
    /// The index.
    pub runs: Vec<RunObject>,
    /// What is typical.
    pub typical: Option<Object>,
    /// The files of records: quarantine, losses, dead letters, what retention took out.
    pub records: Option<Object>,
    /// Files that retention took out, and what is derived and no longer needed: they go after a while.
    pub dropped: Vec<Dropped>,
}

impl Head {
    /// As it is put.
    pub fn encode(&self) -> Vec<u8> {
        // It has nothing that cannot be written as JSON.
        let json = serde_json::to_string(self).unwrap_or_default();
        format!("{MAGIC}{:08x}\n{json}", crc32fast::hash(json.as_bytes())).into_bytes()
    }

    /// What was put; where it is something else, what is wrong.
    ///
    /// # Errors
    /// That.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is no text".to_owned())?;
        let (line, json) = text.split_once('\n').ok_or("it has no second line")?;
        let sum = line.strip_prefix(MAGIC).ok_or("it is none of this version's heads")?;
        if format!("{:08x}", crc32fast::hash(json.as_bytes())) != sum {
            return Err("its checksum does not match".to_owned());
        }
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    /// Every object of what is derived that it refers to.
    pub(crate) fn derived(&self) -> impl Iterator<Item = &Object> {
        let parts = self.parts.iter().flat_map(|part| [Some(&part.facts), part.rollups.as_ref()]).flatten();
        let runs = self.runs.iter().map(|run| &run.object);
        parts.chain(runs).chain(&self.typical).chain(&self.records)
    }

    /// The object of a run.
    pub(crate) fn run(&self, run: u64) -> Option<&Object> {
        let number = run_number(run);
        self.runs.iter().find(|known| known.run == number).map(|known| &known.object)
    }
}

pub(crate) fn run_number(run: u64) -> String {
    format!("{run:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written_and_a_damaged_one_is_known() {
        let mut head = Head { store: "a".to_owned(), generation: 3, ..Head::default() };
        head.parts.push(Part {
            from: "2025-09-27".to_owned(),
            key: String::new(),
            facts: Object::derived(b"x", "part"),
            rollups: None,
        });
        let bytes = head.encode();
        assert_eq!(Head::decode(&bytes), Ok(head));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(Head::decode(&damaged).is_err(), "the bit at {at}");
        }
        assert!(Head::decode(&bytes[..bytes.len() - 1]).is_err());
    }
}
