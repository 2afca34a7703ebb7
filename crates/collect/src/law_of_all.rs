//! The conservation law over several stores of one stream: what each of them has to account for, and whether it does.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;

use super::law::{LOOKS, Law, Shares, law, tally_of};
use super::{CollectError, GROUP, default_consumer};
use emp_bucket::{Place, Store};
use emp_event::EntryId;
use emp_store::{Identity, Layout, StoredCounts};
use emp_stream::{Connection, GroupReader, RedisAddress};

/// The law, and the share of each store in it.
#[derive(Debug, Clone)]
pub struct LawOfAll {
    /// The sum over all.
    pub law: Law,
    /// The stores, in the order in which they were named.
    pub stores: Vec<StoreShare>,
}

/// What a store has to account for.
#[derive(Debug, Clone)]
pub struct StoreShare {
    /// Where it is.
    pub store: String,
    /// Entries that its collectors acknowledged, have in flight, or found to be lost.
    pub given: u64,
    /// Events in its files; those that retention has removed, too.
    pub stored: u64,
    /// Entries that are no events.
    pub quarantined: u64,
    /// Found to be lost.
    pub lost: u64,
    /// Given, and not yet durable.
    pub in_flight: u64,
    /// Of a store in a bucket: its collector has stored more since than is there. What is missing up to there cannot be
    /// told from what has still to come.
    pub is_behind: bool,
    /// Events by writers that the stream does not know: of another stream, or held by another store that is named, too.
    pub others: u64,
}

impl StoreShare {
    /// What is missing; below zero what is there twice.
    pub fn unaccounted(&self) -> i64 {
        let held = self.stored + self.quarantined + self.lost + self.in_flight;
        i64::try_from(i128::from(self.given) - i128::from(held)).unwrap_or(i64::MAX)
    }

    /// How many of these have still to come into the bucket, as far as can be told.
    pub fn to_come(&self) -> u64 {
        if self.is_behind { u64::try_from(self.unaccounted()).unwrap_or(0) } else { 0 }
    }
}

impl LawOfAll {
    /// What is missing from the sum and from each store, beside what has still to come.
    pub fn holds(&self) -> bool {
        let (to_come, moved) = (self.to_come(), self.law.moved);
        let sum = i128::from(self.law.unaccounted()) - i128::from(to_come);
        sum.unsigned_abs() <= u128::from(moved) && self.stores.iter().all(|store| self.is_kept_by(store))
    }

    /// Does that store account for all that it was given?
    pub fn is_kept_by(&self, store: &StoreShare) -> bool {
        let unaccounted = i128::from(store.unaccounted()) - i128::from(store.to_come());
        unaccounted.unsigned_abs() <= u128::from(self.law.moved)
    }

    /// How many entries have still to come into buckets.
    pub fn to_come(&self) -> u64 {
        self.stores.iter().map(StoreShare::to_come).sum()
    }
}

/// Counts the stream's entries in Redis and in these stores.
///
/// # Errors
/// As [`super::check_law`].
pub fn check_law_of_all<'a>(
    address: &'a RedisAddress,
    stream: &'a str,
    stores: &'a [Store],
) -> Pin<Box<dyn Future<Output = Result<LawOfAll, CollectError>> + Send + 'a>> {
    // Behind a pointer, so that it is compiled here and not anew by whoever awaits it.
    Box::pin(async move {
        let connection = Connection::open(address, stream, GROUP).await?;
        let mut reader = GroupReader::new(connection, &default_consumer());
        let mut all = look(&mut reader, stores).await?;
        for _ in 1..LOOKS {
            if all.law.moved == 0 {
                break;
            }
            all = look(&mut reader, stores).await?;
        }
        Ok(all)
    })
}

/// What each writer has in one store, and in which.
type Held = BTreeMap<String, (usize, StoredCounts)>;

async fn look(reader: &mut GroupReader, stores: &[Store]) -> Result<LawOfAll, CollectError> {
    let before = reader.accounts().await?;
    let mut others = vec![0; stores.len()];
    let mut held = held_by(stores, &mut others)?;
    let identities: Vec<Option<Identity>> =
        stores.iter().map(|store| Ok(Identity::read(&own(store))?)).collect::<Result<_, CollectError>>()?;
    let mut holders: HashMap<String, String> = HashMap::new();
    for (name, (store, _)) in held.clone() {
        let Some(holder) = reader.holder_of(&name).await? else { continue };
        let is_ours = identities[store].as_ref().is_some_and(|identity| identity.is_own_or_moved(&holder));
        if is_ours || held.contains_key(&holder) {
            // It may have stored nothing itself, and has a share all the same.
            held.entry(holder.clone()).or_insert((store, StoredCounts::NONE));
            holders.insert(name, holder);
        }
    }
    let mut shares = vec![(Shares::NONE, false); stores.len()];
    for (name, (store, counts)) in &held {
        let has_share = reader.has_accounts_of(std::slice::from_ref(name)).await?;
        let is_within = holders.contains_key(name);
        if !has_share && !is_within {
            others[*store] += counts.stored;
            continue;
        }
        let (share, is_behind) = &mut shares[*store];
        share.held = share.held.and(*counts);
        if !has_share {
            share.lost += counts.lost;
            continue;
        }
        share.add(reader, name, counts.watermark).await?;
        let noted = reader.stored_up_to(name).await?.unwrap_or(EntryId::ZERO);
        *is_behind |= matches!(stores[*store].place, Place::Bucket(_)) && noted > counts.watermark;
    }
    let unread = reader.unread().await?.count;
    let after = reader.accounts().await?;
    let sum = shares.iter().fold(Shares::NONE, |sum, (share, _)| Shares {
        held: sum.held.and(share.held),
        own: sum.own + share.own,
        lost: sum.lost + share.lost,
        in_flight: sum.in_flight + share.in_flight,
    });
    let each = stores.iter().zip(&shares).zip(others);
    let share_of = |((store, (share, is_behind)), others): ((&Store, &(Shares, bool)), u64)| StoreShare {
        store: store.place.to_string(),
        given: share.own,
        stored: share.held.stored,
        quarantined: share.held.quarantined,
        lost: share.lost,
        in_flight: share.in_flight,
        is_behind: *is_behind,
        others,
    };
    Ok(LawOfAll { law: law(&sum, unread, &before, &after), stores: each.map(share_of).collect() })
}

/// The store's own folder: what has left it is counted there.
fn own(store: &Store) -> Layout {
    match &store.place {
        Place::Folder(path) => Layout::new(path),
        Place::Bucket(_) => store.layout.clone(),
    }
}

/// What each writer has. Where two stores have files of one, as a store and its copy do, or a store and its bucket, the one
/// counts that has more.
fn held_by(stores: &[Store], others: &mut [u64]) -> Result<Held, CollectError> {
    let mut held = Held::new();
    for (at, store) in stores.iter().enumerate() {
        for (name, counts) in tally_of(&own(store))?.writers {
            let entry = held.entry(name).or_insert((at, counts));
            if entry.0 != at && counts.stored + counts.quarantined > entry.1.stored + entry.1.quarantined {
                others[entry.0] += entry.1.stored;
                *entry = (at, counts);
            } else if entry.0 != at {
                others[at] += counts.stored;
            }
        }
    }
    Ok(held)
}
