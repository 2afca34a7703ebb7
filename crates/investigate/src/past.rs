//! What is usual, and what else does not change from one look to the next: a watch that goes through a month looks at
//! most events many times.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use emp_job::JobEvent;
use emp_statistics::Counted;

use super::counts::Counts;
use super::detect::{self, ErrorKind, Longest, Windows};
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
    known_errors: Mutex<HashSet<ErrorKind>>,
}

impl Past {
    /// How long each service was silent, where that was asked.
    pub fn longest_silences(&self) -> Option<&Longest> {
        self.longest_silences.get()
    }

    pub fn keep_longest_silences(&self, longest: Longest) -> &Longest {
        self.longest_silences.get_or_init(|| longest)
    }

    /// Is it known that this error was seen before?
    pub fn knows_error(&self, kind: &ErrorKind) -> bool {
        lock(&self.known_errors).contains(kind)
    }

    pub fn learn_errors(&self, kinds: HashSet<ErrorKind>) {
        lock(&self.known_errors).extend(kinds);
    }
}

/// What several looks have in common. Nothing that a store has is changed, so what was read once holds for the next look.
#[derive(Debug, Default)]
pub(super) struct Memory {
    past: Mutex<Option<Arc<Past>>>,
    recent: Mutex<Option<Recent>>,
    holds_events: AtomicBool,
}

/// All events that arrived in a range.
#[derive(Debug)]
struct Recent {
    range: (i64, i64),
    events: Vec<JobEvent>,
}

impl Memory {
    /// From now on the events that a look has read are held for the next one.
    pub fn hold_events(&self) {
        self.holds_events.store(true, Ordering::Relaxed);
    }

    /// The events of a range that an earlier look has read, which are those that arrived until then.
    pub fn events_of(&self, (from_ms, until_ms): (i64, i64)) -> Option<(Vec<JobEvent>, i64)> {
        let recent = lock(&self.recent);
        let known = recent.as_ref().filter(|known| known.range.0 <= from_ms && (from_ms..=until_ms).contains(&known.range.1))?;
        let events = known.events.iter().filter(|event| event.arrived_ms >= from_ms);
        Some((events.cloned().collect(), known.range.1))
    }

    /// Remembers all events of a range.
    pub fn keep_events(&self, range: (i64, i64), events: &[JobEvent]) {
        if self.holds_events.load(Ordering::Relaxed) {
            *lock(&self.recent) = Some(Recent { range, events: events.to_vec() });
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Investigation<'_> {
    /// What is usual now; as an earlier look has found it, where that was within the same five minutes.
    pub(super) async fn past(&self, windows: &Windows) -> Result<Arc<Past>, InvestigationError> {
        let windows = windows.of_past();
        let known = lock(&self.memory().past).clone();
        if let Some(past) = known.filter(|past| past.windows.now_ms == windows.now_ms) {
            return Ok(past);
        }
        let counts = self.counts(&windows.ranges_before(), windows.now_ms).await?;
        let base = detect::baseline(&counts, &windows);
        let durations = match &base {
            Some(base) => self.usual_durations(base, windows.now_ms).await?,
            None => BTreeMap::new(),
        };
        let (longest_silences, known_errors) = (OnceLock::new(), Mutex::default());
        let past = Arc::new(Past { windows, counts, base, durations, longest_silences, known_errors });
        *lock(&self.memory().past) = Some(Arc::clone(&past));
        Ok(past)
    }
}
