//! The names that the files of a day have, each kept once for all of them.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use super::part::{Part, Record};

/// Names are kept under numbers that begin so, and end with the name's hash.
const NAME: u64 = 0x4e41_4d45 << 32;

/// What stands for a name, in as few bytes as it has.
pub(super) type NameHash = [u8; 4];

/// Names by their hashes.
#[derive(Debug, Clone, Default)]
pub(super) struct DayNames {
    names: HashMap<u32, Box<str>>,
    added: Vec<Record>,
}

impl DayNames {
    /// Those that are kept of a day.
    pub fn read(part: &Part) -> Self {
        let named = part.records().filter(|(number, _)| number >> 32 == NAME >> 32);
        let names = named.filter_map(|(number, bytes)| Some((number as u32, std::str::from_utf8(bytes).ok()?.into())));
        Self { names: names.collect(), added: Vec::new() }
    }

    /// A name by its hash.
    pub fn name(&self, hash: NameHash) -> Option<&str> {
        self.names.get(&u32::from_le_bytes(hash)).map(AsRef::as_ref)
    }

    /// The hashes of these names, which are kept from now on; `None` where one has the hash of another name, once in a
    /// thousand million stores.
    pub fn hashes_of(&mut self, names: &[Box<str>]) -> Option<Vec<NameHash>> {
        names.iter().map(|name| self.hash_of(name)).collect()
    }

    fn hash_of(&mut self, name: &str) -> Option<NameHash> {
        let hash = xxh3_64(name.as_bytes()) as u32;
        let known = self.names.entry(hash).or_insert_with(|| {
            self.added.push((NAME | u64::from(hash), name.as_bytes().to_vec()));
            name.into()
        });
        (known.as_ref() == name).then(|| hash.to_le_bytes())
    }

    /// Under which numbers they are kept.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.names.keys().map(|hash| NAME | u64::from(*hash))
    }

    /// Those that are not kept yet.
    pub fn added(&self) -> &[Record] {
        &self.added
    }
}
