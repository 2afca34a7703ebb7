//! What is usual, and what else does not change from one look to the next: a watch that goes through a month looks at
//! most events many times, and reads them once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use emp_job::JobEvent;
use emp_statistics::Counted;

use super::counts::{BUCKET_MS, Count, Counts};
use super::detect::{self, Each, ErrorKind, Lasted, Longest, Windows, durations_by_type};
use super::investigation::{Investigation, InvestigationError};

/// What is usual, as of the last five minutes by the clock.
#[derive(Debug)]
pub(super) struct Past {
    pub windows: Windows,
    /// How many events there were before what is looked at now.
    pub counts: Counts,
    /// With what now is compared; `None` where too little is known.
    pub base: Option<Vec<(i64, i64)>>,
    /// How long events of each type took.
    pub durations: BTreeMap<String, Counted>,
    longest_silences: OnceLock<Longest>,
}

impl Past {
    /// How long each service was silent, where that was asked.
    pub fn longest_silences(&self) -> Option<&Longest> {
        self.longest_silences.get()
    }

    pub fn keep_longest_silences(&self, longest: Longest) -> &Longest {
        self.longest_silences.get_or_init(|| longest)
    }
}

/// What several looks have in common. Nothing that a store has is changed, so what was read once holds for the next look.
#[derive(Debug, Default)]
pub(super) struct Memory {
    past: Mutex<Option<Arc<Past>>>,
    is_held: AtomicBool,
    held: Mutex<Held>,
}

/// What is held where many looks follow each other, each later than the one before.
#[derive(Debug, Default)]
struct Held {
    /// All events that arrived in the range.
    recent: Vec<JobEvent>,
    range: (i64, i64),
    /// What is counted, by five minutes of the clock.
    slots: BTreeMap<i64, Slot>,
    /// When each error was seen first and last, and until when that is known.
    errors: HashMap<ErrorKind, (i64, i64)>,
    errors_until_ms: Option<i64>,
}

/// What arrived within five minutes by the clock.
#[derive(Debug, Default)]
struct Slot {
    counts: Vec<Count>,
    durations: Vec<Lasted>,
}

impl Memory {
    /// From now on what a look has read is held for the next one.
    pub fn hold(&self) {
        self.is_held.store(true, Ordering::Relaxed);
    }

    pub fn is_held(&self) -> bool {
        self.is_held.load(Ordering::Relaxed)
    }

    /// The events of a range that an earlier look has read, which are those that arrived until then.
    pub fn events_of(&self, (from_ms, until_ms): (i64, i64)) -> Option<(Vec<JobEvent>, i64)> {
        let held = lock(&self.held);
        let is_known = held.range.0 <= from_ms && (from_ms..=until_ms).contains(&held.range.1);
        let events = held.recent.iter().filter(|event| event.arrived_ms >= from_ms);
        is_known.then(|| (events.cloned().collect(), held.range.1))
    }

    /// Remembers all events of a range.
    pub fn keep_events(&self, range: (i64, i64), events: &[JobEvent]) {
        if self.is_held() {
            let mut held = lock(&self.held);
            (held.range, held.recent) = (range, events.to_vec());
        }
    }

    /// How long events of a type took in what is held; `None` where nothing is.
    pub fn durations_of(&self, event_type: &str) -> Option<Vec<Lasted>> {
        let held = self.is_held().then(|| lock(&self.held))?;
        let durations = held.slots.values().flat_map(|slot| &slot.durations);
        Some(durations.filter(|lasted| lasted.event_type == event_type).cloned().collect())
    }

    /// Was that error seen since then, in what is remembered?
    pub fn knows_error(&self, kind: &ErrorKind, since_ms: i64) -> bool {
        lock(&self.held).errors.get(kind).is_some_and(|(_, last_ms)| *last_ms >= since_ms)
    }

    pub fn errors_known_until(&self) -> Option<i64> {
        lock(&self.held).errors_until_ms
    }

    /// When each error of what is remembered was seen first, by service and text.
    pub fn errors_first_seen(&self) -> Vec<i64> {
        let held = lock(&self.held);
        let mut first: HashMap<(&str, &str), i64> = HashMap::new();
        for ((service, _, text), (first_ms, _)) in &held.errors {
            let known = first.entry((service, text)).or_insert(*first_ms);
            *known = (*known).min(*first_ms);
        }
        first.into_values().collect()
    }

    pub fn learn_errors(&self, seen: Vec<(ErrorKind, (i64, i64))>, until_ms: i64) {
        let mut held = lock(&self.held);
        for (kind, (first_ms, last_ms)) in seen {
            let known = held.errors.entry(kind).or_insert((first_ms, last_ms));
            *known = (first_ms.min(known.0), last_ms.max(known.1));
        }
        held.errors_until_ms = Some(until_ms);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The slots of ranges that begin and end with one.
fn slots_of(ranges: &[(i64, i64)]) -> BTreeSet<i64> {
    ranges.iter().flat_map(|(from_ms, until_ms)| from_ms / BUCKET_MS..until_ms / BUCKET_MS).collect()
}

/// Slots that follow each other as one range.
fn ranges_of(slots: impl Iterator<Item = i64>) -> Vec<(i64, i64)> {
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    for slot in slots {
        let (from_ms, until_ms) = (slot * BUCKET_MS, (slot + 1) * BUCKET_MS);
        match ranges.last_mut() {
            Some((_, end_ms)) if *end_ms == from_ms => *end_ms = until_ms,
            _ => ranges.push((from_ms, until_ms)),
        }
    }
    ranges
}

impl Investigation<'_> {
    /// What is usual now; as an earlier look has found it, where that was within the same five minutes.
    pub(super) async fn past(&self, windows: &Windows) -> Result<Arc<Past>, InvestigationError> {
        let windows = windows.of_past();
        let known = lock(&self.memory().past).clone();
        if let Some(past) = known.filter(|past| past.windows.now_ms == windows.now_ms) {
            return Ok(past);
        }
        let ranges = windows.ranges_before();
        let past = match self.memory().is_held() {
            true => self.held_past(windows, &ranges).await?,
            false => {
                let counts = Counts::new(self.arrivals(&ranges, windows.now_ms).await?);
                let base = detect::baseline(&counts, &windows);
                let of_base = base.as_deref().unwrap_or_default();
                let durations = durations_by_type(self.durations_of(of_base, windows.now_ms, Each::All).await?.iter());
                Past { windows, counts, base, durations, longest_silences: OnceLock::new() }
            }
        };
        let past = Arc::new(past);
        *lock(&self.memory().past) = Some(Arc::clone(&past));
        Ok(past)
    }

    /// The same of what is held; what is not is read first.
    async fn held_past(&self, windows: Windows, ranges: &[(i64, i64)]) -> Result<Past, InvestigationError> {
        let wanted = slots_of(ranges);
        let missing: Vec<i64> = {
            let held = lock(&self.memory().held);
            wanted.iter().copied().filter(|slot| !held.slots.contains_key(slot)).collect()
        };
        let unread = ranges_of(missing.iter().copied());
        let counts = self.arrivals(&unread, windows.now_ms).await?;
        let durations = self.durations_of(&unread, windows.now_ms, Each::FiveMinutes(None)).await?;
        let mut held = lock(&self.memory().held);
        held.slots.extend(missing.into_iter().map(|slot| (slot, Slot::default())));
        let newest = windows.now_ms / BUCKET_MS - 1;
        for count in counts {
            let slot = newest - count.bucket;
            held.slots.entry(slot).or_default().counts.push(count);
        }
        for lasted in durations {
            held.slots.entry(lasted.slot).or_default().durations.push(lasted);
        }
        held.slots.retain(|slot, _| wanted.contains(slot));
        let as_of_now = |(slot, held): (&i64, &Slot)| {
            let bucket = newest - slot;
            held.counts.iter().map(move |count| Count { bucket, ..count.clone() }).collect::<Vec<_>>()
        };
        let counts = Counts::new(held.slots.iter().flat_map(as_of_now).collect());
        let base = detect::baseline(&counts, &windows);
        let of_base = slots_of(base.as_deref().unwrap_or_default());
        let of_base = of_base.iter().filter_map(|slot| held.slots.get(slot)).flat_map(|slot| &slot.durations);
        let durations = durations_by_type(of_base);
        Ok(Past { windows, counts, base, durations, longest_silences: OnceLock::new() })
    }
}
