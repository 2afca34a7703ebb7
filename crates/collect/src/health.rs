//! How collecting goes, seen from the outside: Redis, the store, and what lies between.

use std::future::Future;
use std::pin::Pin;

use jiff::Timestamp;

use super::archive_health::check_archive;
use super::liveness::DEAD_AFTER;
use super::memory::{self, MemoryLimits, Usage};
use super::store_health::check_contents;
use super::{GROUP, Settings, collector_of};
use emp_store::{Layout, StoreError, StoreWriter, newest_loss};
use emp_stream::{Connection, Consumer, GroupReader, STREAM_LENGTH_MAX, StreamError, Unread};

/// Entries that may wait to be read while all is well: a fraction of what the stream keeps.
const UNREAD_MAX: u64 = 2_000;
/// How long an entry may wait while all is well.
pub(super) const UNREAD_AGE_MS_MAX: i64 = 10_000;

/// How far the stream's IDs may be ahead of this host's clock while all is well: clocks differ.
const AHEAD_MS_MAX: i64 = 600_000;
/// A loss is news for that long.
const RECENT_LOSS_MS: i64 = 3_600_000;
/// What to do where entries are lost.
const LATE: &str = "see that `emp-events collect` runs and keeps up; `select * from losses` tells what is missing";

/// How a check came out, in rising order of concern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// As it should be.
    Good,
    /// It works, but something needs a look.
    Degraded,
    /// It does not work.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// `redis`, `ids`, `memory`, `store`, `collector`, `contents`, `disk`, `quarantine`, `archive`, `behind`, `storing`, `losses`,
    /// `consumers`, `forwarder`, `clocks`, `services`, `usage`.
    pub name: &'static str,
    /// How it came out.
    pub status: Status,
    /// What was found, in one line.
    pub detail: String,
    /// What to do about it.
    pub remedy: Option<String>,
    /// What was counted, for programs.
    pub counts: Vec<(&'static str, u64)>,
}

impl Check {
    pub(super) fn good(name: &'static str, detail: String) -> Self {
        Self { name, status: Status::Good, detail, remedy: None, counts: Vec::new() }
    }

    pub(super) fn degraded(name: &'static str, detail: String, remedy: &str) -> Self {
        Self { name, status: Status::Degraded, detail, remedy: Some(remedy.to_owned()), counts: Vec::new() }
    }

    pub(super) fn bad(name: &'static str, detail: String, remedy: &str) -> Self {
        Self { name, status: Status::Bad, detail, remedy: Some(remedy.to_owned()), counts: Vec::new() }
    }
}

/// Looks at all of it, cheap checks first; how old the newest event is, is told as of `now_ms`, ms since the epoch. A
/// check that fails is an answer, not an error.
pub fn check_health(settings: &Settings, now_ms: i64) -> Pin<Box<dyn Future<Output = Vec<Check>> + '_>> {
    // Behind a pointer, so that it is compiled here and not anew by whoever awaits it.
    Box::pin(check_all(settings, now_ms))
}

async fn check_all(settings: &Settings, now_ms: i64) -> Vec<Check> {
    let mut checks = vec![check_store(&settings.layout), check_collector(settings)];
    checks.extend(check_contents(&settings.layout, now_ms));
    checks.extend(check_archive(&settings.layout));
    match look_at_redis(settings).await {
        Ok(found) => checks.extend(found),
        // The error itself says what to do.
        Err(error) => {
            let detail = error.to_string();
            checks.push(Check { name: "redis", status: Status::Bad, detail, remedy: None, counts: Vec::new() });
        }
    }
    checks
}

/// What Redis tells. One that cannot be reached, or cannot serve us at all, tells nothing else.
async fn look_at_redis(settings: &Settings) -> Result<Vec<Check>, StreamError> {
    let connection = Connection::open(&settings.address, &settings.stream, GROUP).await?;
    let consumer = collector_of(&settings.layout);
    let mut reader = GroupReader::new(connection, &consumer);
    if let Err(error @ (StreamError::TooOld { .. } | StreamError::NoCommand { .. })) = reader.state().await {
        return Err(error);
    }
    let mut checks = vec![check_redis(&mut reader, settings).await];
    checks.extend(check_ids(&mut reader, &settings.stream).await);
    checks.extend(check_memory(&mut reader, &settings.memory).await);
    checks.push(check_behind(&mut reader, &settings.stream).await);
    checks.extend(check_trouble(&mut reader).await);
    checks.extend(check_losses(&mut reader, &settings.layout).await);
    checks.extend(check_consumers(&mut reader, &consumer).await);
    Ok(checks)
}

fn check_store(layout: &Layout) -> Check {
    let root = layout.root().display();
    if !layout.root().exists() {
        let remedy = "start `emp-events collect`, or set --store";
        return Check::bad("store", format!("there is no store at {root}"), remedy);
    }
    match StoreWriter::probe(layout) {
        Ok(()) => Check::good("store", format!("{root} can be written")),
        Err(error) => Check::bad("store", error.to_string(), "free space, or mend its rights"),
    }
}

fn check_collector(settings: &Settings) -> Check {
    match StoreWriter::is_locked(&settings.layout) {
        Ok(true) => Check::good("collector", "one is at work on the store".to_owned()),
        Ok(false) => {
            let remedy = "start `emp-events collect`";
            Check::degraded("collector", "none is at work on the store".to_owned(), remedy)
        }
        Err(error @ StoreError::Io { .. }) => Check::bad("collector", error.to_string(), "mend the store first"),
        Err(error) => Check::bad("collector", error.to_string(), "set --store"),
    }
}

pub(super) fn age_of(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} m", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Does Redis answer? How full is the stream?
async fn check_redis(reader: &mut GroupReader, settings: &Settings) -> Check {
    let mut detail = format!("{} answers", settings.address);
    if let Ok(state) = reader.state().await {
        detail += &format!("; the stream holds {} entries (producers keep {STREAM_LENGTH_MAX})", state.length);
    }
    Check::good("redis", detail)
}

/// Are the stream's IDs of our time? Redis never gives out a lower one than the highest it knows.
async fn check_ids(reader: &mut GroupReader, stream: &str) -> Option<Check> {
    let last = reader.state().await.ok()?.last?;
    let now_ms = Timestamp::now().as_millisecond();
    let ahead_ms = i64::try_from(last.ms).unwrap_or(i64::MAX).saturating_sub(now_ms);
    (ahead_ms > AHEAD_MS_MAX).then(|| {
        let detail = format!(
            "the stream's highest ID, {last}, is {} ahead of this host's clock, and all that is added gets a higher one",
            age_of(ahead_ms / 1_000)
        );
        Check::degraded("ids", detail, &way_out_of_wrong_ids(stream))
    })
}

/// What to do about an ID that is too high: the stream begins anew.
fn way_out_of_wrong_ids(stream: &str) -> String {
    format!(
        "find who sets IDs by hand (`XADD` wants `*`) or set the clock of Redis; then `redis-cli rename {stream} {stream}:wrong-ids`: what is added afterwards begins a new stream"
    )
}

/// Is there room for what producers add?
async fn check_memory(reader: &mut GroupReader, limits: &MemoryLimits) -> Option<Check> {
    let usage = Usage::of(reader).await.ok()?;
    let excess = usage.excess(limits);
    Some(if excess.is_empty() {
        Check::good("memory", usage.to_string())
    } else {
        Check::degraded("memory", excess.join("; "), memory::REMEDY)
    })
}

/// How long the oldest of the unread entries has been in the stream; `None` where there is none.
pub(super) fn unread_age_ms(unread: &Unread) -> Option<i64> {
    let oldest = unread.oldest?.ingested_at()?;
    Some((Timestamp::now().as_millisecond() - oldest).max(0))
}

async fn check_behind(reader: &mut GroupReader, stream: &str) -> Check {
    let unread = match reader.backlog().await {
        Ok(unread) => unread,
        Err(StreamError::NoGroup { .. }) => {
            let detail = format!("nobody has read {stream} yet: it has no group {GROUP}");
            return Check::degraded("behind", detail, "start `emp-events collect`");
        }
        Err(error) => return Check::bad("behind", error.to_string(), "set --stream"),
    };
    let Some(age_ms) = unread_age_ms(&unread) else {
        return Check::good("behind", "every entry of the stream has been read".to_owned());
    };
    let detail = format!("{} entries are unread, the oldest for {:.1} s", unread.count, age_ms as f64 / 1_000.0);
    if unread.count > UNREAD_MAX || age_ms > UNREAD_AGE_MS_MAX {
        Check::degraded(
            "behind",
            detail,
            "see that `emp-events collect` runs; the stream keeps only its newest entries",
        )
    } else {
        Check::good("behind", detail)
    }
}

/// What the collector has said that keeps it from storing entries.
async fn check_trouble(reader: &mut GroupReader) -> Option<Check> {
    let trouble = reader.trouble().await.ok()??;
    let detail = format!("the collector has stopped taking entries: {trouble}");
    Some(Check::bad("storing", detail, "it goes on by itself once that is mended"))
}

/// What was trimmed before it was read, in all and lately. `None` where nobody has read yet.
async fn check_losses(reader: &mut GroupReader, layout: &Layout) -> Option<Check> {
    let (state, accounts) = reader.accounts().await.ok()?;
    let position = accounts.position()?;
    let read = format!("of {} entries read,", position.saturating_sub(accounts.begun));
    let unnoticed = state.removed().saturating_sub(position);
    if unnoticed > 0 {
        let detail = format!("{unnoticed} entries were trimmed unread since the collector read last");
        return Some(Check::degraded("losses", detail, LATE));
    }
    let newest = newest_loss(layout).ok().flatten();
    let age_ms = newest.map(|noticed_at| (Timestamp::now().as_millisecond() - noticed_at).max(0));
    Some(match (accounts.lost, age_ms) {
        (0, _) => Check::good("losses", format!("{read} none was lost")),
        (lost, Some(age_ms)) if age_ms < RECENT_LOSS_MS => {
            let detail = format!("{read} {lost} were trimmed before that, the last {} s ago", age_ms / 1_000);
            Check::degraded("losses", detail, LATE)
        }
        (lost, _) => Check::good("losses", format!("{read} {lost} were trimmed before that, none in the last hour")),
    })
}

/// Consumers of other stores that have been silent for long and hold entries back.
async fn check_consumers(reader: &mut GroupReader, own: &str) -> Option<Check> {
    let consumers = reader.consumers().await.ok()?;
    let is_held_back =
        |consumer: &&Consumer| consumer.name != own && consumer.pending > 0 && consumer.idle >= DEAD_AFTER;
    let Consumer { name, pending, idle } = consumers.iter().find(is_held_back)?;
    let detail = format!(
        "{name} was given {pending} entries, acknowledged none of them, and is silent for {} s",
        idle.as_secs()
    );
    let remedy =
        format!("start it again; is it gone for good, take them over with `emp-events collect --adopt {name}`");
    Some(Check::degraded("consumers", detail, &remedy))
}
