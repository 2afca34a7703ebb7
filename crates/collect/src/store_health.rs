//! What the store's own files say about how collecting goes.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::health::{Check, age_of};
use emp_event::EntryId;
use emp_store::{Layout, Quarantined, Snapshot, Tally};

/// A disk that is full sooner needs a look.
const DISK_DAYS_MIN: f64 = 7.0;
/// So many of a hundred entries may be no events while all is well.
const QUARANTINE_PERCENT_MAX: f64 = 1.0;
/// Entries that were quarantined in that time are news.
const RECENT_MS: i64 = 24 * 3_600_000;

/// How much the store holds, how new it is, how long the disk will do, and what is in quarantine.
pub(super) fn check_contents(layout: &Layout, now_ms: i64) -> Vec<Check> {
    let Ok(snapshot) = Snapshot::read(layout) else { return Vec::new() };
    let bytes: u64 = snapshot.partitions.iter().map(|file| file.bytes).sum();
    let journal: u64 = snapshot.segments.iter().map(|segment| segment.bytes).sum();
    let newest = snapshot.partitions.iter().map(|file| file.name.ids.last);
    let newest = newest.chain(snapshot.segments.iter().map(|segment| segment.ids.last)).max();
    let Some(newest_ms) = newest.and_then(EntryId::ingested_at) else {
        let mut checks = vec![Check::good("contents", "the store has no events yet".to_owned())];
        checks.extend(check_quarantine(snapshot));
        return checks;
    };
    let age_s = (now_ms - newest_ms).max(0) / 1_000;
    let detail = format!(
        "{} files, {:.1} MB, and {:.1} MB in the journal; the newest event came {} ago",
        snapshot.partitions.len(),
        bytes as f64 / 1e6,
        journal as f64 / 1e6,
        age_of(age_s)
    );
    let mut checks = vec![Check::good("contents", detail)];
    checks.extend(check_disk(layout, &snapshot, newest_ms));
    checks.extend(check_quarantine(snapshot));
    checks
}

/// How many days the disk will do, at the pace of the last week.
fn check_disk(layout: &Layout, snapshot: &Snapshot, newest_ms: i64) -> Option<Check> {
    const DAY_MS: i64 = 24 * 3_600_000;
    let disk = rustix::fs::statvfs(layout.root()).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let recent = snapshot.partitions.iter().filter(|file| newest_ms - file.hour.start_ms() < 7 * DAY_MS);
    let (bytes, first_ms) =
        recent.fold((0, newest_ms), |(bytes, first_ms), file| (bytes + file.bytes, file.hour.start_ms().min(first_ms)));
    let days = ((newest_ms - first_ms) as f64 / DAY_MS as f64).max(1.0 / 24.0);
    let left = free as f64 / (bytes as f64 / days).max(1.0);
    let detail =
        format!("{:.1} GB are free: enough for {} at the pace of the last week", free as f64 / 1e9, days_of(left));
    Some(if left < DISK_DAYS_MIN {
        Check::degraded("disk", detail, "free space, or remove old hours: `emp-events retain --age 30d`")
    } else {
        Check::good("disk", detail)
    })
}

/// How many entries were no events, lately and in all, and why. A share of the last day that is too large needs a
/// look, and so does a store of which all that came is in quarantine.
fn check_quarantine(snapshot: Snapshot) -> Option<Check> {
    // What cannot be read is for `verify` to name.
    let in_all = snapshot.quarantine.count().unwrap_or_default();
    if in_all == 0 {
        return None;
    }
    let since_ms = Timestamp::now().as_millisecond() - RECENT_MS;
    let reasons = recent_reasons(&snapshot, since_ms);
    let recent: u64 = reasons.values().sum();
    let mut detail = format!("{in_all} entries were no events and are in quarantine");
    let Some((reason, count)) = reasons.iter().max_by_key(|(_, count)| **count) else {
        return Some(Check::good("quarantine", detail));
    };
    let percent = percent_of_recent(recent, snapshot, since_ms);
    detail += &format!(", {recent} of the last day ({percent:.1} % of what came); {count} since {reason}");
    let remedy = "emp-events sql \"select reason, count(*) from quarantine group by 1\"";
    Some(if percent > QUARANTINE_PERCENT_MAX {
        Check::degraded("quarantine", detail, &format!("mend what sends them; all reasons: {remedy}"))
    } else {
        Check { remedy: Some(remedy.to_owned()), ..Check::good("quarantine", detail) }
    })
}

/// How many entries that came since then were quarantined, for each reason. One of them is in memory at a time.
fn recent_reasons(snapshot: &Snapshot, since_ms: i64) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    // By arrival, as events are counted: an import of old lines is no news of the stream.
    let came_ms = |entry: &Quarantined| i64::try_from(entry.id.ms).unwrap_or(i64::MAX);
    let recent = snapshot.quarantine.iter().flatten().filter(|(_, entry)| came_ms(entry) >= since_ms);
    recent.for_each(|(_, entry)| *counts.entry(entry.reason).or_default() += 1);
    counts
}

/// How much of what came since then these are. Of the sealed files only the footers of that time are read.
fn percent_of_recent(quarantined: u64, mut snapshot: Snapshot, since_ms: i64) -> f64 {
    snapshot.partitions.retain(|file| file.hour.end_ms() > since_ms);
    snapshot.retired.clear();
    // A file that cannot be read is told of by another check; it makes the share no smaller.
    let stored = Tally::of(&snapshot).map_or(0, |tally| tally.sum().stored);
    100.0 * quarantined as f64 / (quarantined as f64 + stored as f64)
}

fn days_of(days: f64) -> String {
    if days > 3_650.0 { "more than ten years".to_owned() } else { format!("{days:.0} days") }
}
