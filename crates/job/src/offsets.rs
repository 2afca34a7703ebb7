//! Clocks that are behind, told by what their producers sent about one time.
//!
//! An event that arrives long after it happened was held up, or its producer's clock is behind. Where not one of a
//! producer's events of ten minutes arrives soon, while those of others do, it is the clock: a buffer is emptied now
//! and then, and what was put into it last arrives at once. Its events then happened later than they say, by what the
//! quickest of them took at least. A clock that is ahead needs none of this: no event arrives before it happens.

use std::collections::{BTreeMap, HashMap};

/// So long one offset is looked for.
const BUCKET_MS: i64 = 600_000;
/// How many buckets before the one of an event may tell of it.
const BUCKETS_BACK: i64 = 3;
/// Fewer events prove nothing.
const EVENTS_MIN: u64 = 20;
/// Behind, where not one event arrives sooner.
const BEHIND_MS: i64 = 500;
/// So soon events arrive of those whose clocks are right.
const SOON_MS: i64 = 100;
/// So many others have to be right.
const OTHERS_MIN: usize = 3;

/// What producers sent, as far as it tells of their clocks.
#[derive(Debug, Default)]
pub struct Offsets {
    buckets: BTreeMap<i64, HashMap<String, Heard>>,
}

/// Of one producer in one bucket.
#[derive(Debug, Clone, Copy)]
struct Heard {
    events: u64,
    /// How long the quickest of them took, in ms; below zero where the clock is ahead.
    quickest_ms: i64,
}

impl Offsets {
    /// Takes note of an event: when it happened by its producer's clock, and when it arrived, in ms since the epoch.
    pub fn note(&mut self, producer: &str, timestamp_ms: i64, arrived_ms: i64) {
        self.note_many(producer, arrived_ms, 1, arrived_ms - timestamp_ms);
    }

    /// The same of several that arrived about then.
    pub fn note_many(&mut self, producer: &str, arrived_ms: i64, events: u64, quickest_ms: i64) {
        let bucket = self.buckets.entry(arrived_ms.div_euclid(BUCKET_MS)).or_default();
        match bucket.get_mut(producer) {
            Some(heard) => {
                heard.events += events;
                heard.quickest_ms = heard.quickest_ms.min(quickest_ms);
            }
            None => {
                bucket.insert(producer.to_owned(), Heard { events, quickest_ms });
            }
        }
    }

    /// By how much the clock of a producer was behind when an event arrived, in ms; 0 where nothing tells.
    pub fn behind_ms(&self, producer: &str, arrived_ms: i64) -> i64 {
        let now = arrived_ms.div_euclid(BUCKET_MS);
        for (bucket, heard) in self.buckets.range(now - BUCKETS_BACK..=now).rev() {
            match heard.get(producer) {
                // One of which little is heard then is as it was shortly before.
                None => {}
                Some(own) if own.quickest_ms < BEHIND_MS => return 0,
                Some(own) if own.events < EVENTS_MIN => {}
                Some(own) => return if self.others_are_right(*bucket) { own.quickest_ms } else { 0 },
            }
        }
        0
    }

    fn others_are_right(&self, bucket: i64) -> bool {
        let heard = self.buckets.get(&bucket).into_iter().flat_map(HashMap::values);
        let right = heard.filter(|other| other.events >= EVENTS_MIN && other.quickest_ms < SOON_MS);
        right.count() >= OTHERS_MIN
    }

    /// Whether events that took so long may tell of a clock that is behind.
    pub fn is_suspicious(timestamp_ms: i64, arrived_ms: i64) -> bool {
        arrived_ms - timestamp_ms >= BEHIND_MS
    }
}
