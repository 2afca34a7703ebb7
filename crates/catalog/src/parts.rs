//! What is known about the files of days, where it is kept: a file a month, of which a day is read once a question
//! needs it.
//!
//! ```text
//! "EMPDAYS1"  the days, one after the other, each as the catalog's head says where
//! ```

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::saved::Storage;

pub(super) const MAGIC: &[u8; 8] = b"EMPDAYS1";

/// Where a day stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The number of the part, which is also its file's name.
    pub part: u64,
    offset: u32,
    length: u32,
    /// The CRC-32 of its bytes.
    sum: u32,
}

impl Place {
    /// Do these bytes stand there?
    pub fn holds(&self, bytes: &[u8]) -> bool {
        self.length as usize == bytes.len() && self.sum == crc32fast::hash(bytes)
    }
}

/// The parts of one catalog, each opened once a day of it is read.
#[derive(Debug, Default)]
pub(super) struct Parts(HashMap<u64, OnceLock<Option<File>>>, Option<Storage>);

impl Parts {
    pub fn new(storage: &Storage, numbers: impl Iterator<Item = u64>) -> Self {
        Self(numbers.map(|number| (number, OnceLock::new())).collect(), Some(storage.clone()))
    }

    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.0.keys().copied()
    }

    /// The bytes of a day; `None` where they are not there, or not those that were written.
    pub fn read(&self, place: &Place) -> Option<Vec<u8>> {
        let open = || {
            let file = self.1.as_ref()?.part_file(place.part)?;
            let mut magic = [0; MAGIC.len()];
            file.read_exact_at(&mut magic, 0).ok()?;
            (magic == *MAGIC).then_some(file)
        };
        let file = self.0.get(&place.part)?.get_or_init(open).as_ref()?;
        let mut bytes = vec![0; place.length as usize];
        file.read_exact_at(&mut bytes, u64::from(place.offset)).ok()?;
        place.holds(&bytes).then_some(bytes)
    }
}

/// A part that is being made.
#[derive(Debug)]
pub(super) struct NewPart {
    number: u64,
    pub bytes: Vec<u8>,
}

impl NewPart {
    pub fn numbered(number: u64) -> Self {
        Self { number, bytes: MAGIC.to_vec() }
    }

    pub fn number(&self) -> u64 {
        self.number
    }

    /// Adds a day: where it stands.
    pub fn add(&mut self, day: &[u8]) -> io::Result<Place> {
        let number = |bytes: usize| u32::try_from(bytes).map_err(io::Error::other);
        let (offset, length) = (number(self.bytes.len())?, number(day.len())?);
        self.bytes.extend(day);
        Ok(Place { part: self.number, offset, length, sum: crc32fast::hash(day) })
    }
}
