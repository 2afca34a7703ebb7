//! The load as it would arrive: into Redis, paced by the clock.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Incident, IncidentKind, Planted, Settings, Simulation, World};
use emp_event::Draft;
use emp_stream::{Producer, StreamError};

/// Events of an ordinary job and its share of all else: what turns a rate of events into
/// one of jobs.
const EVENTS_PER_JOB: f64 = 13.8;
/// How much faster than life jobs go, so that they end while someone watches.
const TIME_SCALE: f64 = 0.05;
/// What is planted begins then, so that what is normal is seen first.
const INCIDENT_AFTER_MS: i64 = 10_000;
/// How often events are sent: those that are due, in one round trip.
const TICK: Duration = Duration::from_millis(20);
/// Events sent in one round trip.
const BATCH_EVENTS_MAX: usize = 500;

/// What to send.
#[derive(Debug, Clone, PartialEq)]
pub struct Feed {
    /// What kind of system it is.
    pub world: &'static World,
    /// Two seeds, two different loads.
    pub seed: u64,
    /// About how many events a second.
    pub events_per_second: f64,
    /// End after that long.
    pub duration: Option<Duration>,
    /// End after so many jobs were created.
    pub jobs: Option<u64>,
    /// What goes wrong, soon after the beginning.
    pub incidents: Vec<IncidentKind>,
    /// See [`Settings::lasting_faults`].
    pub lasting_faults: bool,
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fed {
    /// Events added to the stream.
    pub events: u64,
    /// Jobs created among them.
    pub jobs: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// What went wrong among them.
    pub planted: Vec<Planted>,
}

/// Sends the load event by event, each when it is due, until the feed's end or `stop`.
///
/// # Errors
/// Any [`StreamError`]; what was sent until then stays.
pub async fn feed_stream(
    producer: &mut Producer,
    feed: &Feed,
    stop: impl Future<Output = ()>,
) -> Result<Fed, StreamError> {
    let mut stop = pin!(stop);
    let begun = Instant::now();
    let from_ms = Timestamp::now().as_millisecond();
    let incidents = feed.incidents.iter().map(|kind| Incident { kind: *kind, at_ms: from_ms + INCIDENT_AFTER_MS });
    let mut simulation = Simulation::new(Settings {
        seed: feed.seed,
        from_ms,
        incidents: incidents.collect(),
        lasting_faults: feed.lasting_faults,
        jobs_per_hour: feed.events_per_second * 3_600.0 / EVENTS_PER_JOB,
        time_scale: TIME_SCALE,
        ..Settings::of(feed.world)
    });
    let mut arrivals = simulation.by_ref().peekable();
    let (mut events, mut jobs) = (0, 0);
    let is_over = |jobs: u64| {
        feed.duration.is_some_and(|duration| begun.elapsed() >= duration) || feed.jobs.is_some_and(|most| jobs >= most)
    };
    while !is_over(jobs) {
        let now = Timestamp::now().as_millisecond();
        let mut due: Vec<Draft> = Vec::new();
        while due.len() < BATCH_EVENTS_MAX {
            let Some(arrival) = arrivals.next_if(|arrival| arrival.arrived_at_ms <= now) else { break };
            jobs += u64::from(arrival.draft.event_type == feed.world.first_word());
            due.push(arrival.draft);
        }
        if !due.is_empty() {
            events += producer.add(&due).await?.len() as u64;
        }
        if due.len() < BATCH_EVENTS_MAX {
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = &mut stop => break,
            }
        }
    }
    drop(arrivals);
    Ok(Fed { events, jobs, elapsed: begun.elapsed(), planted: simulation.planted().to_vec() })
}
