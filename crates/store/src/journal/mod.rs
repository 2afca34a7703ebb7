//! The journal: where a commit becomes durable before its entries are acknowledged.
//!
//! A segment is a file that only grows: a magic number, a header frame, then one frame a
//! commit. A frame is the payload's length and CRC-32 (both u32, little endian), then the
//! payload in postcard's encoding. A segment holds events of one hour, so that sealing it
//! makes one Parquet file. A reader takes the frames up to the first one that is not whole;
//! only the last can be torn, since each was synced before the next was begun.

mod frame;
mod reader;
mod record;
mod salvage;
mod writer;

pub(super) use reader::SegmentReader;
pub(super) use record::{Commit, Header};
pub use record::{Loss, Quarantined, Row};
pub(super) use salvage::{Salvaged, salvage};
pub(super) use writer::SegmentWriter;

#[cfg(test)]
mod tests;
