//! What is proven to be in the bucket need not stay on the disk.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use emp_store::{Partition, release};

use super::archiver::{Archiver, name_of, read_head};
use super::error::BucketError;
use super::remote::Sum;
use super::runtime::wait;

/// A head that lists a file has to be so old before the file goes: whoever reads has it by then.
const PROVEN_MS: i64 = 15 * 60_000;
/// So many files are proven, and go, together.
const AT_ONCE: usize = 64;

impl Archiver {
    /// Removes files here whose hours ended longer ago than `keep`, once the head there has listed them for 15 minutes and
    /// each was looked at there: that it is of the same size and checksum as the one here. How many went.
    ///
    /// # Errors
    /// [`BucketError`] where one of them is not there as it should be, or that cannot be told: then it stays.
    pub fn release(&mut self, keep: Duration, now_ms: i64) -> Result<u64, BucketError> {
        let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let is_old = |file: &Partition| file.hour.end_ms().saturating_add(keep_ms) <= now_ms && file.path.is_file();
        let old: Vec<Partition> = self.catalog.files().into_iter().filter(is_old).collect();
        if old.is_empty() || self.head.written_ms + PROVEN_MS > now_ms {
            return Ok(0);
        }
        // As it is there now, not as it is remembered.
        let there = read_head(&self.remote)?;
        if there.as_ref().map(|head| &head.nonce) != Some(&self.head.nonce) {
            return Err(BucketError::Twice { address: self.remote.address().to_string() });
        }
        let mut gone = 0;
        for files in old.chunks(AT_ONCE) {
            self.prove(files)?;
            let rows = self.catalog.rows(files);
            // Of one of which nothing is known nobody could say how many events went.
            let known: Vec<(Partition, u64)> =
                files.iter().cloned().zip(rows).filter_map(|(file, rows)| Some((file, rows?))).collect();
            release(&self.layout, &known)?;
            gone += known.len() as u64;
        }
        Ok(gone)
    }

    fn prove(&self, files: &[Partition]) -> Result<(), BucketError> {
        let unreadable = |file: &Partition, source| BucketError::Io { action: "read", path: file.path.clone(), source };
        let sum = |file: &Partition| {
            let sum = Sum::of_file(&file.path).map_err(|source| unreadable(file, source))?;
            Ok((name_of(file), sum))
        };
        let sums: Vec<(String, Sum)> = files.iter().map(sum).collect::<Result<_, BucketError>>()?;
        let (remote, at_once) = (Arc::clone(&self.remote), self.settings.at_once);
        wait(async move {
            let each = sums.into_iter().map(|(name, sum)| {
                let remote = Arc::clone(&remote);
                async move { remote.prove(&name, sum).await }
            });
            stream::iter(each).buffer_unordered(at_once).try_collect::<()>().await
        })
    }
}
