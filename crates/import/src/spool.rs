use std::fmt;

use crate::identity::IMPORTED;
use emp_event::EntryId;
use emp_store::{StoreError, Writer};

/// Bits of a sequence number that hold the number of a line.
const NUMBER_BITS: u32 = 31;
/// The highest number of a line.
const NUMBER_MAX: u64 = (1 << NUMBER_BITS) - 1;

/// A client's spool, by the id that each of its lines holds: what their numbers count within.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spool(u64);

impl Spool {
    /// Reads a line's `uid`, `<16 hex digits>:<number>`; `None` for any other text.
    pub fn of_uid(uid: &str) -> Option<(Self, u64)> {
        let (spool, number) = uid.split_once(':')?;
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if spool.len() != 16 || !spool.bytes().all(is_hex) || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number = number.parse().ok().filter(|number| (1..=NUMBER_MAX).contains(number))?;
        Some((Self(u64::from_str_radix(spool, 16).ok()?), number))
    }

    /// The name under which its lines are stored.
    ///
    /// # Errors
    /// None: the name is one. The store checks it all the same.
    pub fn writer(self) -> Result<Writer, StoreError> {
        Writer::new(&self.to_string())
    }

    /// The ID of a line that came in that millisecond: `ms`, and a sequence number of the import's
    /// bit, the first eight digits of the id, and the line's number.
    pub fn entry_id(self, ms: u64, number: u64) -> EntryId {
        EntryId::new(ms, IMPORTED | (self.0 >> 32) << NUMBER_BITS | number)
    }
}

/// The number of the line that was given this ID.
pub(crate) fn number_of(id: EntryId) -> u64 {
    id.seq & NUMBER_MAX
}

impl fmt::Display for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spool-{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_names_spool_and_line() {
        let (spool, number) = Spool::of_uid("00ff00ff12345678:7").unwrap();
        assert_eq!((spool, number), (Spool(0x00ff_00ff_1234_5678), 7));
        assert_eq!(spool.writer().unwrap().to_string(), "spool-00ff00ff12345678");
        for other in ["", "7", "00ff00ff12345678", "00ff00ff12345678:", "00ff00ff12345678:0", "00FF00FF12345678:7"] {
            assert_eq!(Spool::of_uid(other), None, "{other}");
        }
        for other in ["00ff00ff1234567:7", "00ff00ff12345678:+7", "00ff00ff12345678:2147483648", "zzzzzzzzzzzzzzzz:1"] {
            assert_eq!(Spool::of_uid(other), None, "{other}");
        }
    }

    #[test]
    fn ids_follow_the_lines_and_meet_none_of_redis() {
        let spool = Spool(u64::MAX);
        let ids = [spool.entry_id(5, 1), spool.entry_id(5, 2), spool.entry_id(5, NUMBER_MAX), spool.entry_id(6, 1)];
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert_eq!(ids.map(number_of), [1, 2, NUMBER_MAX, 1]);
        assert_eq!(Spool(0).entry_id(5, 1), EntryId::new(5, (1 << 63) + 1));
        assert_ne!(spool.entry_id(5, 1), Spool(0).entry_id(5, 1));
    }
}
