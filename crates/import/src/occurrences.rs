//! How often a line has stood in a file so far, in memory that does not grow with the file.

use std::collections::HashMap;

/// Lines of one generation. Two are kept: some 12 MB.
const GENERATION_LINES_MAX: usize = 1 << 18;

/// Counts equal lines. What did not occur among the last 262,144 different lines, and at least as
/// many before the oldest of these, may be forgotten and begins at 0 again.
#[derive(Default)]
pub(crate) struct Occurrences {
    current: HashMap<u64, u32>,
    before: HashMap<u64, u32>,
}

impl Occurrences {
    /// How often a line of that hash stood there before, now that it stands there once more.
    pub fn count(&mut self, hash: u64) -> u64 {
        if self.current.len() >= GENERATION_LINES_MAX {
            self.before = std::mem::take(&mut self.current);
        }
        let before = &self.before;
        let count = self.current.entry(hash).or_insert_with(|| before.get(&hash).copied().unwrap_or(0));
        *count += 1;
        u64::from(*count - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lines_are_counted_and_memory_is_bounded() {
        let mut seen = Occurrences::default();
        assert_eq!([7, 7, 8, 7].map(|hash| seen.count(hash)), [0, 1, 0, 2]);
        let distinct = 10 + 3 * GENERATION_LINES_MAX as u64;
        assert!((10..distinct).all(|hash| seen.count(hash) == 0));
        assert!(seen.current.len() + seen.before.len() <= 2 * GENERATION_LINES_MAX);
        assert_eq!(seen.count(7), 0, "long forgotten");
        assert_eq!(seen.count(distinct - 1), 1);
    }
}
