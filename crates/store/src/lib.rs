//! The store: a folder of hourly Parquet partitions, and the journal in front of them.
//!
//! [`StoreWriter`] is the way in: it commits to the journal, and its segments are sealed
//! into partitions. [`DirectWriter`] and [`MergeWriter`] are beside it, for what does not come from the stream.
//! [`Snapshot`] is the way out: the files that count at one moment. Both
//! need the folder alone. This room knows neither Redis nor SQL. `docs/format.md` describes
//! every file.

mod archived;
mod at_once;
mod away;
mod checksum;
mod compact;
mod dead_letters;
mod direct;
mod disk;
mod error;
mod identity;
mod journal;
mod layout;
mod leftovers;
mod listing;
mod lock;
mod losses;
mod mend;
mod merge;
mod notes;
mod range;
mod records;
mod released;
mod retain;
mod schema;
mod seal;
mod sealed;
mod sidecar;
mod snapshot;
mod superseded;
mod tally;
mod verify;
mod writer;
mod writer_lock;

pub use archived::{ArchivedHours, ArchiverLock, Going, settle_hours, settled_hours};
pub use at_once::rows_at_once;
pub use away::{Away, ReadAt, expect};
pub use checksum::{Checksum, KEY as CHECKSUM_KEY, check as check_sum};
pub use compact::{Compacted, compact};
pub use dead_letters::{DeadLetter, DeadLetters};
pub use direct::DirectWriter;
pub use disk::{Backend, RealDisk, write_derived};
pub use error::StoreError;
pub use identity::Identity;
pub use journal::{Loss, Quarantined, Row};
pub use layout::{Hour, IdRange, Layout, SealedName, SegmentName, Writer};
pub use listing::{Listed, listed_before, listed_file, listed_hour, odd_file, odd_hour};
pub use lock::Lock;
pub use losses::{RecordedLosses, newest_loss};
pub use mend::KeptAside;
pub use merge::{KnownNames, MergeWriter, Scope, WriterNames, known_names};
pub use notes::{NoteLock, lock_note, read_note, write_note};
pub use range::{EventRange, Stored, events_of};
pub use records::Records;
pub use released::{Released, release};
pub use retain::{Refusal, Retention, Retired, find_retired, retain, retired_events};
pub use schema::{file_schema, partition_fields};
pub use seal::{SealTask, Sealed, request_seal};
pub use sealed::PartitionWriter;
pub use snapshot::{Partition, Segment, Snapshot, visible_partitions};
pub use superseded::remove_superseded_files;
pub use tally::{StoredCounts, Tally};
pub use verify::{Finding, Kind, Progress, Repaired, Report, repair, verify};
pub use writer::{Batch, Item, SUPERSEDED_GRACE, StoreWriter};

#[cfg(test)]
mod tests;
