//! The store: a folder of hourly Parquet partitions, and the journal in front of them.
//!
//! [`StoreWriter`] is the way in: it commits to the journal, and its segments are sealed
//! into partitions. [`DirectWriter`] and [`MergeWriter`] are beside it, for what does not come from the stream.
//! [`Snapshot`] is the way out: the files that count at one moment. Both
//! need the folder alone. This room knows neither Redis nor SQL. `docs/format.md` describes
//! every file.

mod checksum;
mod compact;
mod dead_letters;
mod direct;
mod disk;
mod error;
mod journal;
mod layout;
mod lock;
mod losses;
mod merge;
mod range;
mod retain;
mod schema;
mod seal;
mod sealed;
mod sidecar;
mod snapshot;
mod superseded;
mod tally;
mod torn;
mod verify;
mod writer;
mod writer_lock;

pub use checksum::KEY as CHECKSUM_KEY;
pub use compact::{CompactTask, Compacted};
pub use dead_letters::{DeadLetter, DeadLetters};
pub use direct::DirectWriter;
pub use error::StoreError;
pub use journal::{Loss, Quarantined, Row};
pub use layout::{Hour, IdRange, Layout, SealedName, SegmentName, Writer};
pub use lock::Lock;
pub use losses::{RecordedLosses, newest_loss};
pub use merge::{KnownNames, MergeWriter, Scope, known_names};
pub use range::{EventRange, events_of};
pub use retain::{Retention, Retired, find_retired, retain, retired_events};
pub use schema::{file_schema, partition_fields};
pub use seal::{SealTask, Sealed, request_seal};
pub use sealed::PartitionWriter;
pub use snapshot::{Partition, Segment, Snapshot, is_hidden, odd_file, odd_hour, visible_partitions};
pub use superseded::remove_superseded_files;
pub use tally::{Share, Tally};
pub use verify::{Finding, Kind, Progress, Repaired, Report, repair, verify};
pub use writer::{Batch, Item, Recovered, SUPERSEDED_GRACE, StoreWriter};

#[cfg(test)]
mod tests;
