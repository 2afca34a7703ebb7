//! Clocks that are behind, told by what their producers sent about one time.
//!
//! An event that arrives long after it happened was held up, or its producer's clock is behind. Where not one of a
//! producer's events of ten minutes arrives soon, all are late by about as much, and those of others are not, it may be
//! the clock: a buffer that is emptied late lets events of every age arrive at once. It may be a slow line still, which
//! is as even; so [`Order`], in which jobs were created, worked on and ended, has to prove it. The events then happened
//! later than they say, by what the quickest of them took at least. A clock that is ahead needs none of this: no event
//! arrives before it happens.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::order::Order;

/// So long one offset is looked for.
const BUCKET_MS: i64 = 600_000;
const MINUTE_MS: i64 = 60_000;
const MINUTES: usize = (BUCKET_MS / MINUTE_MS) as usize;
/// How many buckets before the one of an event may tell of it.
const BUCKETS_BACK: i64 = 3;
/// Fewer events prove nothing.
const EVENTS_MIN: u64 = 20;
/// Nor do those of fewer minutes.
const MINUTES_MIN: usize = 3;
/// The quickest event of a minute took no more than this beyond the quickest of all, where it is the clock.
const EVEN_MS: i64 = 500;
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
    /// Whose clocks are behind, as the order of jobs' events proves.
    proven: BTreeSet<String>,
}

/// Of one producer in one bucket.
#[derive(Debug, Clone, Copy)]
struct Heard {
    events: u64,
    /// How long the quickest of them took, in ms; below zero where the clock is ahead.
    quickest_ms: i64,
    /// The same of each minute; nothing of one in which nothing was heard.
    of_minutes: [Option<i64>; MINUTES],
}

impl Heard {
    const NOTHING: Self = Self { events: 0, quickest_ms: i64::MAX, of_minutes: [None; MINUTES] };

    /// Is what arrives late so by as much, minute after minute?
    fn is_even(&self) -> bool {
        let minutes = || self.of_minutes.iter().flatten();
        let even = minutes().filter(|ms| **ms - self.quickest_ms <= EVEN_MS).count();
        even >= MINUTES_MIN && 2 * even >= minutes().count()
    }
}

impl Offsets {
    /// Takes note of an event: when it happened by its producer's clock, and when it arrived, in ms since the epoch.
    pub fn note(&mut self, producer: &str, timestamp_ms: i64, arrived_ms: i64) {
        self.note_many(producer, arrived_ms, 1, arrived_ms - timestamp_ms);
    }

    /// The same of several that arrived in the minute of that moment.
    pub fn note_many(&mut self, producer: &str, arrived_ms: i64, events: u64, quickest_ms: i64) {
        let bucket = self.buckets.entry(arrived_ms.div_euclid(BUCKET_MS)).or_default();
        let heard = match bucket.get_mut(producer) {
            Some(heard) => heard,
            None => bucket.entry(producer.to_owned()).or_insert(Heard::NOTHING),
        };
        heard.events += events;
        heard.quickest_ms = heard.quickest_ms.min(quickest_ms);
        let minute = &mut heard.of_minutes[(arrived_ms.rem_euclid(BUCKET_MS) / MINUTE_MS) as usize];
        *minute = Some(minute.map_or(quickest_ms, |known| known.min(quickest_ms)));
    }

    /// Those of whom all arrives late by as much: what is to be known of their jobs is for [`Self::prove`].
    pub fn suspects(&self) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        for (bucket, heard) in &self.buckets {
            let late = heard.iter().filter(|(_, own)| is_late(own)).map(|(name, _)| name.as_str());
            let late: Vec<&str> = late.collect();
            // Asked last, since it takes a look at everybody.
            if !late.is_empty() && self.others_are_right(*bucket) {
                found.extend(late);
            }
        }
        found
    }

    /// Takes the clocks of those to be behind of whom the order of jobs' events proves it.
    pub fn prove(&mut self, order: &Order) {
        let suspects: Vec<String> = self.suspects().into_iter().map(str::to_owned).collect();
        let offset = |producer: &str, arrived_ms| self.suspected_ms(producer, arrived_ms);
        let proven: BTreeSet<String> = order.proven(&suspects, &offset).into_iter().map(str::to_owned).collect();
        self.proven = proven;
    }

    /// Is any clock behind, at one time at least?
    pub fn is_any_behind(&self) -> bool {
        !self.proven.is_empty()
    }

    /// From when on it is known what arrived, ms since the epoch: no earlier event is put right. `None` where nothing is
    /// known.
    pub fn since_ms(&self) -> Option<i64> {
        self.buckets.keys().next().map(|bucket| bucket * BUCKET_MS)
    }

    /// Is the clock of that producer?
    pub fn is_behind(&self, producer: &str) -> bool {
        self.proven.contains(producer)
    }

    /// By how much the clock of a producer was behind when an event arrived, in ms; 0 where nothing proves it.
    pub fn behind_ms(&self, producer: &str, timestamp_ms: i64, arrived_ms: i64) -> i64 {
        if !self.proven.contains(producer) {
            return 0;
        }
        let own = self.suspected_ms(producer, arrived_ms);
        if own > 0 {
            return own;
        }
        // While a clock is set, some of its events are late and some are not: those are that are as late as before or
        // after.
        let bucket = arrived_ms.div_euclid(BUCKET_MS);
        let around = [bucket - 1, bucket + 1].into_iter().filter_map(|near| self.suspected_in(near, producer));
        let is_as_late = |offset: &i64| (0..=EVEN_MS).contains(&(arrived_ms - timestamp_ms - *offset));
        around.filter(is_as_late).max().unwrap_or(0)
    }

    /// By how much all of a producer's events were late about then, in ms; 0 where that is not so.
    fn suspected_ms(&self, producer: &str, arrived_ms: i64) -> i64 {
        let now = arrived_ms.div_euclid(BUCKET_MS);
        for (bucket, heard) in self.buckets.range(now - BUCKETS_BACK..=now).rev() {
            match heard.get(producer) {
                // One of which little is heard then is as it was shortly before.
                None => {}
                Some(own) if own.quickest_ms < BEHIND_MS => return 0,
                Some(own) if own.events < EVENTS_MIN => {}
                Some(_) => return self.suspected_in(*bucket, producer).unwrap_or(0),
            }
        }
        0
    }

    fn suspected_in(&self, bucket: i64, producer: &str) -> Option<i64> {
        let own = self.buckets.get(&bucket)?.get(producer).filter(|own| is_late(own))?;
        self.others_are_right(bucket).then_some(own.quickest_ms)
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

/// Does all of it arrive late, by as much?
fn is_late(own: &Heard) -> bool {
    own.events >= EVENTS_MIN && own.quickest_ms >= BEHIND_MS && own.is_even()
}
