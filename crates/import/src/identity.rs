//! Which line a line is: what makes it the same one in another file.
//!
//! A line with a time is known by its time and its text, and by how many equal lines stand before it
//! in its file. A line without one is known by its text and by all lines that stand between it and
//! the line with a time before it, or the beginning of its file. So the ID of an imported event is
//! made of the line alone, and the store itself knows which lines it has.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::occurrences::Occurrences;
use emp_event::EntryId;
use emp_store::{Hour, Scope};

/// Bits of a sequence number that tell what a line says.
const TEXT_BITS: u32 = 51;
const TEXT_MASK: u64 = (1 << TEXT_BITS) - 1;
/// Bits that keep the order of lines of one millisecond.
const RANK_BITS: u32 = 12;
const RANK_MAX: u64 = (1 << RANK_BITS) - 1;
/// Set in every sequence number of an import. Redis counts the entries of one millisecond from 0.
pub(crate) const IMPORTED: u64 = 1 << 63;
const _: () = assert!(1 + RANK_BITS + TEXT_BITS == 64);

/// Gives the lines of one file their IDs, in their order.
pub(crate) struct Identity {
    seen: Occurrences,
    /// The time of the last line that had one, ms since the epoch.
    ms: Option<u64>,
    /// What the last line was.
    chain: u64,
    /// Its place among the lines of its millisecond.
    rank: u64,
    undated: Undated,
}

/// The place of the next line that no time is known of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Undated {
    /// When the import began, ms since the epoch.
    pub now_ms: u64,
    /// How many there were.
    pub count: u64,
}

impl Identity {
    pub fn new(undated: Undated) -> Self {
        Self { seen: Occurrences::default(), ms: None, chain: 0, rank: 0, undated }
    }

    /// What is to be handed to the next file's.
    pub fn undated(&self) -> Undated {
        self.undated
    }

    /// Where the next line of the file is kept, and its ID. `ms` is the time that the line itself
    /// gives, since the epoch.
    pub fn next(&mut self, text: &[u8], ms: Option<i64>) -> (Scope, EntryId) {
        let ms = ms.map(|ms| u64::try_from(ms).unwrap_or(0));
        self.chain = match ms {
            Some(_) => xxh3_64_with_seed(text, self.seen.count(xxh3_64(text))),
            None => xxh3_64_with_seed(text, self.chain),
        };
        match ms.or(self.ms) {
            Some(ms) => {
                self.rank = if self.ms == Some(ms) { (self.rank + 1).min(RANK_MAX) } else { 0 };
                self.ms = Some(ms);
                let hour = Hour::of_ms(i64::try_from(ms).unwrap_or(i64::MAX));
                (Scope::Hour(hour), entry_id(ms, self.rank, self.chain))
            }
            None => {
                let Undated { now_ms, count } = self.undated;
                self.undated.count += 1;
                (Scope::Undated, entry_id(now_ms + (count >> RANK_BITS), count & RANK_MAX, self.chain))
            }
        }
    }

    /// When a line of a spool came, ms since the epoch: as it says, though not in the future, else
    /// with the line before, else now. What follows is never known by when it was read.
    pub fn spooled(&mut self, text: &[u8], ms: Option<i64>) -> u64 {
        self.chain = xxh3_64(text);
        self.ms = ms.map(|ms| u64::try_from(ms).unwrap_or(0)).or(self.ms);
        let now_ms = self.undated.now_ms;
        self.ms.map_or(now_ms, |ms| ms.min(now_ms))
    }
}

fn entry_id(ms: u64, rank: u64, text: u64) -> EntryId {
    EntryId::new(ms, IMPORTED | rank << TEXT_BITS | text & TEXT_MASK)
}

/// What is the same in the IDs of the same line, whichever file it was read from, and when.
pub(crate) fn key(scope: Scope, id: EntryId) -> (u64, u64) {
    let ms = if scope == Scope::Undated { 0 } else { id.ms };
    (ms, id.seq & TEXT_MASK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_758_981_600_000;

    fn keys(lines: &[(&str, Option<i64>)]) -> Vec<(u64, u64)> {
        let mut identity = Identity::new(Undated { now_ms: 7, count: 0 });
        let ids = lines.iter().map(|(text, ms)| identity.next(text.as_bytes(), *ms));
        ids.map(|(scope, id)| key(scope, id)).collect()
    }

    #[test]
    fn a_line_with_a_time_is_the_same_wherever_it_stands() {
        let lines = [("a", Some(MS)), ("b", Some(MS)), ("c", Some(MS + 1)), ("a", Some(MS)), ("d", Some(MS - 9))];
        let all = keys(&lines);
        assert_eq!(keys(&lines[1..3]), all[1..3]);
        assert_eq!(keys(&lines[3..]), [all[0], all[4]], "of equal lines a part of the file has the first ones");
        assert_ne!(all[0], all[3], "equal lines of one file are several");
    }

    #[test]
    fn a_line_without_a_time_is_known_by_what_stands_before_it() {
        let lines = [("x", None), ("x", None), ("a", Some(MS)), ("x", None), ("x", None), ("b", Some(MS)), ("x", None)];
        let all = keys(&lines);
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(keys(&lines[..4]), all[..4]);
        assert_eq!(keys(&lines[2..]), all[2..]);
        assert_ne!(keys(&[("y", None), ("x", None)])[1], all[1]);
    }

    #[test]
    fn what_follows_a_spools_line_is_the_same_whenever_it_is_read() {
        let key_behind = |spooled_at: Option<i64>, now_ms: u64| {
            let mut identity = Identity::new(Undated { now_ms, count: 0 });
            identity.spooled(b"of a spool", spooled_at);
            let (scope, id) = identity.next(b"no event", None);
            key(scope, id)
        };
        for spooled_at in [None, Some(MS), Some(MS + 9)] {
            let [now, later] = [MS as u64, MS as u64 + 7].map(|now_ms| key_behind(spooled_at, now_ms));
            assert_eq!(now, later, "{spooled_at:?}");
        }
    }

    #[test]
    fn ids_follow_the_lines_of_a_millisecond_and_meet_none_of_redis() {
        let mut identity = Identity::new(Undated { now_ms: 7, count: 0 });
        let ids: Vec<EntryId> = ["z", "a", "m"].map(|text| identity.next(text.as_bytes(), Some(MS)).1).into();
        assert!(ids.is_sorted_by(|a, b| a < b) && ids.iter().all(|id| id.seq >= IMPORTED));
        let undated: Vec<EntryId> = (0..10_000)
            .map(|_| Identity::new(Undated { now_ms: 7, count: 0 }))
            .map(|mut identity| identity.next(b"x", None).1)
            .collect();
        assert!(undated.iter().all(|id| *id == undated[0]));
        let mut many = Identity::new(Undated { now_ms: 7, count: 0 });
        let many: Vec<EntryId> = (0..10_000).map(|_| many.next(b"x", None).1).collect();
        assert!(many.is_sorted_by(|a, b| a < b) && many[9_999].ms == 9);
    }
}
