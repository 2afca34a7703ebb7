//! Retention in the bucket: the head lists an hour no more, and an hour later its objects go.

use std::time::Duration;

use emp_store::Partition;

use super::archiver::{Archiver, name_of};
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
        let from_ms = now_ms.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let all = self.catalog.files();
        let is_old = |file: &Partition| file.hour.end_ms() <= from_ms;
        let gone: Vec<&Partition> = all.iter().filter(|file| is_old(file)).collect();
        let Some(newest) = all.last().filter(|_| !gone.is_empty()) else { return Ok(Taken::default()) };
        let refused = |why: String| BucketError::Refused { address: self.remote.address().to_string(), why };
        if newest.hour.end_ms() + CLOCK_AHEAD_MS_MAX < now_ms {
            let days = (now_ms - newest.hour.end_ms()) / CLOCK_AHEAD_MS_MAX;
            return Err(refused(format!("the clock is {days} days after the newest hour there: see that it is right")));
        }
        if gone.len() == all.len() {
            return Err(refused(format!("nothing would be left of {} files", all.len())));
        }
        let taken = Taken { files: gone.len() as u64, bytes: gone.iter().map(|file| file.bytes).sum() };
        let names = gone.iter().map(|file| name_of(file)).collect();
        self.catalog.forget(is_old);
        self.catalog.save()?;
        self.head.kept_from_ms = Some(from_ms.max(self.head.kept_from_ms.unwrap_or(i64::MIN)));
        self.commit(now_ms, names)?;
        Ok(taken)
    }
}
