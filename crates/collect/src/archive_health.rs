//! How the bucket keeps up with the store.

use jiff::Timestamp;

use super::health::{Check, age_of};
use super::upkeep::HOUR_END_SLACK_MS;
use emp_bucket::{Backlog, archiving};
use emp_store::Layout;

/// An hour that is over may wait so long to be put together with others, and to go, while all is well.
const WAITING_MS_MAX: i64 = 3 * 3_600_000;

/// What waits to be put into the bucket, if the store has one.
pub(super) fn check_archive(layout: &Layout) -> Option<Check> {
    let now_ms = Timestamp::now().as_millisecond();
    let (address, backlog, status) = archiving(layout, now_ms - HOUR_END_SLACK_MS).ok()??;
    let Backlog { files, bytes, oldest } = backlog;
    let ago = |ms: i64| age_of((now_ms - ms).max(0) / 1_000);
    let mut detail = match oldest {
        None => format!("{address} has every hour that is over"),
        Some(hour) => format!(
            "{files} files, {:.1} MB, wait to be put into {address}; the oldest is of {} {}:00 UTC, over for {}",
            bytes as f64 / 1e6,
            hour.date(),
            hour.hour(),
            ago(hour.end_ms())
        ),
    };
    if let Some(done_ms) = status.done_ms {
        detail += &format!("; all that was over had got there {} ago", ago(done_ms));
    }
    let is_late = oldest.is_some_and(|hour| hour.end_ms() + WAITING_MS_MAX < now_ms);
    let since = status.failing_since_ms.map(|ms| format!("for {}: ", ago(ms))).unwrap_or_default();
    let mut check = match status.error {
        Some(error) => Check::degraded(
            "archive",
            format!("{detail}; it fails {since}{error}"),
            "mend that; nothing is lost meanwhile: what waits stays on this disk",
        ),
        None if is_late => Check::degraded(
            "archive",
            detail,
            &format!("start `emp-events collect --archive {address}`, or run `emp-events archive`"),
        ),
        None => Check::good("archive", detail),
    };
    check.counts = vec![("waiting_files", files), ("waiting_bytes", bytes)];
    Some(check)
}
