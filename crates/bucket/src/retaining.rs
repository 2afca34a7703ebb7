//! Retention in the bucket: the head lists an hour no more, and an hour later its objects go.

use std::collections::HashSet;
use std::time::Duration;

use emp_store::{Hour, Partition, SealedName, visible_partitions};

use super::archiver::{Archiver, key, name_of};
use super::error::BucketError;

/// A clock that is further ahead of the newest hour than that is not believed.
const CLOCK_AHEAD_MS_MAX: i64 = 24 * 3_600_000;

/// What was taken out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Archiver {
    /// Takes hours out that ended longer ago than `age`. Whoever has read the head before goes on for an hour.
    ///
    /// # Errors
    /// [`BucketError::Refused`] where nothing would be left, or the clock is far ahead of the newest hour; else what the
    /// bucket refused.
    pub fn retain(&mut self, age: Duration, now_ms: i64) -> Result<Taken, BucketError> {
        let from_ms = from_ms(age, now_ms);
        let all = self.catalog.files();
        let gone: Vec<Partition> = all.iter().filter(|file| file.hour.end_ms() <= from_ms).cloned().collect();
        self.may_go(&gone, &all, now_ms)?;
        self.take_out(gone, HashSet::new(), Some(from_ms), now_ms)
    }

    /// Lets go what retention takes out of the store, to which the bucket belongs: what it took out of the folder, and
    /// hours that have left the folder and ended longer ago than `age`.
    ///
    /// # Errors
    /// As [`Self::retain`]; what was taken out of the folder goes all the same.
    pub fn retain_with_folder(&mut self, age: Option<Duration>, now_ms: i64) -> Result<Taken, BucketError> {
        let all = self.catalog.files();
        let kept = visible_partitions(&self.layout, |_| Ok(all.clone()), &mut Vec::new())?;
        let kept: HashSet<_> = kept.iter().map(key).collect();
        let (mut gone, counted): (Vec<Partition>, HashSet<_>) = {
            let retired = all.iter().filter(|file| !kept.contains(&key(file)));
            (retired.clone().cloned().collect(), retired.map(key).collect())
        };
        let from_ms = age.map(|age| from_ms(age, now_ms));
        // What lies in the folder goes from there first, and is counted as it does.
        let is_old = |file: &&Partition| {
            from_ms.is_some_and(|from_ms| file.hour.end_ms() <= from_ms)
                && !file.path.exists()
                && !counted.contains(&key(file))
        };
        let old: Vec<Partition> = all.iter().filter(is_old).cloned().collect();
        let refused = self.may_go(&old, &all, now_ms).err();
        if refused.is_none() {
            gone.extend(old);
        }
        let taken = self.take_out(gone, counted, None, now_ms)?;
        refused.map_or(Ok(taken), Err)
    }

    /// A clock or a limit that is wrong looks like that.
    fn may_go(&self, gone: &[Partition], all: &[Partition], now_ms: i64) -> Result<(), BucketError> {
        let Some(newest) = all.last().filter(|_| !gone.is_empty()) else { return Ok(()) };
        let refused = |why: String| Err(BucketError::Refused { address: self.remote.address().to_string(), why });
        if newest.hour.end_ms() + CLOCK_AHEAD_MS_MAX < now_ms {
            let days = (now_ms - newest.hour.end_ms()) / CLOCK_AHEAD_MS_MAX;
            return refused(format!("the clock is {days} days after the newest hour there: see that it is right"));
        }
        if gone.len() == all.len() {
            return refused(format!("nothing would be left of {} files", all.len()));
        }
        Ok(())
    }

    /// The head lists these no more; of those in `counted` the records of the store say how many events went.
    fn take_out(
        &mut self,
        gone: Vec<Partition>,
        counted: HashSet<(Hour, SealedName)>,
        from_ms: Option<i64>,
        now_ms: i64,
    ) -> Result<Taken, BucketError> {
        if gone.is_empty() {
            return Ok(Taken::default());
        }
        let taken = Taken { files: gone.len() as u64, bytes: gone.iter().map(|file| file.bytes).sum() };
        let rows = self.catalog.rows(&gone);
        for (file, rows) in gone.iter().zip(rows).filter(|(file, _)| !counted.contains(&key(file))) {
            *self.head.taken_out.entry(file.name.writer.to_string()).or_default() += rows.unwrap_or_default();
        }
        let keys: HashSet<_> = gone.iter().map(key).collect();
        self.catalog.forget(|file| keys.contains(&key(file)));
        self.catalog.save()?;
        self.head.kept_from_ms = self.head.kept_from_ms.max(from_ms);
        self.commit(now_ms, gone.iter().map(name_of).collect())?;
        Ok(taken)
    }
}

fn from_ms(age: Duration, now_ms: i64) -> i64 {
    now_ms.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}
