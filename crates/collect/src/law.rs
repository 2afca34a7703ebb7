//! The conservation law: every entry that the stream was ever given is somewhere.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::pin::Pin;

use super::{CollectError, GROUP, Settings, collector_of};
use emp_catalog::Catalog;
use emp_event::EntryId;
use emp_store::{Identity, Layout, Snapshot, StoredCounts, Tally};
use emp_stream::{Accounts, Connection, GroupReader, StreamState};

/// How often to look anew where entries moved while we looked.
pub(super) const LOOKS: usize = 5;

/// Where the entries of the stream's present life are, all counted in entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Law {
    /// Added to the stream since the accounts began.
    pub added: u64,
    /// Events in the store's files; those that retention has removed, too.
    pub stored: u64,
    /// Entries that are no events, in the store's quarantine.
    pub quarantined: u64,
    /// Trimmed before they were read, and stored as losses.
    pub lost: u64,
    /// Read by a collector of this store, and not yet durable.
    pub in_flight: u64,
    /// Not yet read.
    pub unread: u64,
    /// Trimmed unread, and not yet stored as lost: that happens with the next entry.
    pub trimmed: u64,
    /// Read by collectors of other stores: stored, lost or in flight there.
    pub elsewhere: u64,
    /// How many entries moved from one place to another while they were counted. The sum is
    /// only as exact as that.
    pub moved: u64,
}

impl Law {
    /// What is missing from the sum; below zero what is there twice.
    pub fn unaccounted(&self) -> i64 {
        let places =
            [self.stored, self.quarantined, self.lost, self.in_flight, self.unread, self.trimmed, self.elsewhere];
        let sum: u64 = places.iter().sum();
        i64::try_from(i128::from(self.added) - i128::from(sum)).unwrap_or(i64::MAX)
    }

    /// Does the law hold, as far as can be told?
    pub fn holds(&self) -> bool {
        self.unaccounted().unsigned_abs() <= self.moved
    }
}

/// Counts the stream's entries in Redis and in the store.
///
/// # Errors
/// Redis' failures, and the store's; [`emp_stream::StreamError::NoGroup`] where nothing was
/// ever read.
pub async fn check_law(settings: &Settings) -> Result<Law, CollectError> {
    check_counted(settings, tally).await
}

/// The same by what the catalog knows of the sealed files: for who asks every few seconds, over years of files.
///
/// # Errors
/// As [`check_law`].
pub async fn check_law_by_catalog(settings: &Settings) -> Result<Law, CollectError> {
    check_counted(settings, tally_by_catalog).await
}

/// Counts what the store holds.
type Count = fn(&Settings) -> Result<Tally, CollectError>;

fn tally(settings: &Settings) -> Result<Tally, CollectError> {
    Ok(Tally::of(&Snapshot::read(&settings.layout)?)?)
}

fn tally_by_catalog(settings: &Settings) -> Result<Tally, CollectError> {
    tally_of(&settings.layout)
}

/// What a store holds, by what the catalog knows of its sealed files.
pub(super) fn tally_of(layout: &Layout) -> Result<Tally, CollectError> {
    let mut catalog = Catalog::load(layout);
    let snapshot = Snapshot::read_listed_by(layout, |skipped| catalog.list(skipped))?;
    // What goes meanwhile is not known, and its footer is asked for.
    let _ = catalog.learn(&snapshot.partitions);
    let sealed = catalog.sealed(snapshot.partitions.clone());
    let known =
        sealed.files.iter().filter_map(|file| Some((file.partition.path.as_path(), file.facts.as_ref().ok()?.rows)));
    let known: HashMap<&Path, u64> = known.collect();
    Ok(Tally::counted_by(&snapshot, |file| known.get(file.path.as_path()).copied())?)
}

fn check_counted(
    settings: &Settings,
    count: Count,
) -> Pin<Box<dyn Future<Output = Result<Law, CollectError>> + Send + '_>> {
    // Behind a pointer, so that it is compiled here and not anew by whoever awaits it.
    Box::pin(async move {
        let connection = Connection::open(&settings.address, &settings.stream, GROUP).await?;
        let mut reader = GroupReader::new(connection, &collector_of(&settings.layout));
        let mut law = look(&mut reader, settings, count).await?;
        for _ in 1..LOOKS {
            if law.moved == 0 {
                break;
            }
            law = look(&mut reader, settings, count).await?;
        }
        Ok(law)
    })
}

async fn look(reader: &mut GroupReader, settings: &Settings, count: Count) -> Result<Law, CollectError> {
    let before = reader.accounts().await?;
    let shares = Shares::of(reader, count(settings)?, Identity::read(&settings.layout)?.as_ref()).await?;
    let unread = reader.unread().await?.count;
    let after = reader.accounts().await?;
    Ok(law(&shares, unread, &before, &after))
}

/// Redis as it stands at one moment.
pub(super) type Look = (StreamState, Accounts);

pub(super) fn law(shares: &Shares, unread: u64, earlier: &Look, now: &Look) -> Law {
    let (state, after) = now;
    let position = after.position().unwrap_or_default();
    let unnoticed = state.added.saturating_sub(unread).saturating_sub(position);
    let all = after.acknowledged + after.pending + after.lost;
    Law {
        added: state.added.saturating_sub(after.begun),
        stored: shares.held.stored,
        quarantined: shares.held.quarantined,
        lost: shares.held.lost,
        in_flight: shares.in_flight,
        unread,
        trimmed: unnoticed + shares.lost.saturating_sub(shares.held.lost),
        elsewhere: all.saturating_sub(shares.own),
        moved: moved(earlier, now),
    }
}

/// Entries added, read, acknowledged or lost between two looks.
fn moved((state_before, before): &Look, (state, after): &Look) -> u64 {
    let added = state.added.abs_diff(state_before.added);
    let read = after.position().unwrap_or_default().abs_diff(before.position().unwrap_or_default());
    added + read + after.acknowledged.abs_diff(before.acknowledged) + after.pending.abs_diff(before.pending)
}

/// What the collectors of this store have, by its files and by the group's accounts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shares {
    /// What the files hold.
    pub held: StoredCounts,
    /// Entries that they were given, or found to be lost.
    pub own: u64,
    /// Entries that they found to be lost.
    pub lost: u64,
    /// Entries that they were given, and that are not durable yet.
    pub in_flight: u64,
}

impl Shares {
    pub const NONE: Self = Self { held: StoredCounts::NONE, own: 0, lost: 0, in_flight: 0 };

    async fn of(reader: &mut GroupReader, tally: Tally, identity: Option<&Identity>) -> Result<Self, CollectError> {
        let mut shares = Self::NONE;
        let consumers = reader.consumers().await?;
        let is_ours = |holder: &String| identity.is_some_and(|identity| identity.is_own_or_moved(holder));
        let (mut writers, mut within) = (tally.writers, BTreeSet::new());
        for name in writers.keys().cloned().collect::<Vec<_>>() {
            if let Some(holder) = reader.holder_of(&name).await?.filter(is_ours) {
                // It may have stored nothing itself, and has a share all the same.
                writers.entry(holder).or_insert(StoredCounts::NONE);
                within.insert(name);
            }
        }
        for (name, held) in writers {
            // One that worked on this folder before it was copied may go on elsewhere; it is no consumer any more
            // once it was taken over.
            let is_elsewhere = |identity: &Identity| {
                let is_consumer = consumers.iter().any(|consumer| consumer.name == name);
                !identity.is_own(&name) && (is_consumer || !identity.is_former(&name))
            };
            let is_within = within.contains(&name);
            let has_share =
                !identity.is_some_and(is_elsewhere) && reader.has_accounts_of(std::slice::from_ref(&name)).await?;
            if has_share || is_within {
                shares.held = shares.held.and(held);
            }
            if !has_share {
                // Part of another one's share, or not from this stream: a simulation, or a copy of another store's.
                shares.lost += if is_within { held.lost } else { 0 };
                continue;
            }
            shares.add(reader, &name, held.watermark).await?;
        }
        Ok(shares)
    }

    /// Adds what the accounts say of a consumer, whose files hold what is up to that ID.
    pub async fn add(&mut self, reader: &mut GroupReader, name: &str, watermark: EntryId) -> Result<(), CollectError> {
        let (acknowledged, lost) = reader.shares_of(name).await?;
        let pending = reader.pending_ids(name).await?;
        self.lost += lost;
        self.own += acknowledged + lost + pending.len() as u64;
        let known = reader.known_of(name).await?.unwrap_or(EntryId::ZERO);
        // What was stored before the accounts began is not among what they know as stored.
        self.in_flight += pending.iter().filter(|id| **id > watermark || **id <= known).count() as u64;
        Ok(())
    }
}
