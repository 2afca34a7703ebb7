use super::entries::{Cut, Entries};

/// How many bytes of entries one answer should hold, about: enough for a thousand usual entries, and few, since
/// each byte is in memory several times until it is on the disk.
const ANSWER_BYTES: usize = 2 << 20;
/// Entries to ask for while nothing is known of their size.
const FIRST_COUNT: usize = 16;
/// How much more may be asked for than the time before.
const GROWTH_MAX: usize = 4;

/// How many entries to ask for at once, by the size of those that were read last. Redis sends all that was asked
/// for, and a slow line takes its time for it.
#[derive(Debug)]
pub(super) struct Pace {
    count: usize,
}

impl Pace {
    pub fn new() -> Self {
        Self { count: FIRST_COUNT }
    }

    /// One that begins with no more than that.
    pub fn from(count: usize) -> Self {
        Self { count: count.clamp(1, FIRST_COUNT) }
    }

    /// So many, and no more than that.
    pub fn count(&self, at_most: usize) -> usize {
        self.count.min(at_most).max(1)
    }

    /// How many bytes to keep of an answer to so many: of one entry all, however large it is.
    pub fn kept_bytes(count: usize) -> usize {
        if count == 1 { usize::MAX } else { ANSWER_BYTES }
    }

    /// How many of entries that follow each other fit into an answer, by their sizes.
    pub fn fitting(sizes: impl Iterator<Item = usize>) -> usize {
        let mut bytes = 0;
        let fitting = sizes.take_while(|size| {
            bytes += size;
            bytes <= ANSWER_BYTES
        });
        fitting.count().max(1)
    }

    /// Takes note of an answer, and of what it held more than is kept: that comes next.
    pub fn learn(&mut self, entries: &Entries, cut: Option<&Cut>) {
        let fitting = match (entries.len(), cut) {
            (_, Some(cut)) => Self::fitting(cut.sizes.iter().copied()),
            (0, None) => return,
            (all, None) => ANSWER_BYTES / (entries.bytes() / all).max(1),
        };
        self.count = fitting.clamp(1, self.count.saturating_mul(GROWTH_MAX));
    }
}
