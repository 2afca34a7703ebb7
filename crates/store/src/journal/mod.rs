//! The journal: where a commit becomes durable before its entries are acknowledged.
//!
//! A segment is a file that only grows: a magic number, a header frame, then one frame a
//! commit. A frame is the payload's length and CRC-32 (both u32, little endian), then the
//! payload in postcard's encoding. A segment holds events of one hour, so that sealing it
//! makes one Parquet file. A crash can tear the last frame only, since each was synced before the
//! next was begun. Any may be damaged later: a reader goes on at the next one that is whole.

mod frame;
mod reader;
mod record;
mod writer;

pub(super) use frame::MAGIC;
pub(super) use reader::{Damage, SegmentReader};
pub(super) use record::{Commit, Header};
pub use record::{Loss, Quarantined, Row};
pub(super) use writer::{SegmentWriter, segment_start};

#[cfg(test)]
mod tests;
