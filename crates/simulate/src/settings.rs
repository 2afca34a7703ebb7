use super::world::EMP;
use super::{Incident, World};

/// What to simulate. The same settings give the same events.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What kind of system it is.
    pub world: &'static World,
    /// Two seeds, two different loads.
    pub seed: u64,
    /// Where virtual time begins, ms since the epoch: the system is started up then.
    pub from_ms: i64,
    /// How many jobs are created in an hour, on average. Not changed by `time_scale`.
    pub jobs_per_hour: f64,
    /// How long everything takes: at 1.0 a job lasts tens of seconds, at 0.05 a second or
    /// two. Transport to the stream and the skew of clocks stay as they are.
    pub time_scale: f64,
    /// How many workers there are; from 3 on, one of them is slow.
    pub workers: usize,
    /// How many machines the workers run on; from 2 on, one machine's clock is ahead.
    pub machines: usize,
    /// Is one worker slow and one clock ahead all the time, and do some jobs get stuck by chance?
    pub lasting_faults: bool,
    /// What goes wrong at known times, beside what goes wrong by chance.
    pub incidents: Vec<Incident>,
}

impl Default for Settings {
    /// Those of the usual world.
    fn default() -> Self {
        Self::of(&EMP)
    }
}

impl Settings {
    /// A world as it is, with all its lasting faults and nothing planted.
    pub const fn of(world: &'static World) -> Self {
        Self {
            world,
            seed: 7,
            from_ms: 1_758_844_800_000,
            jobs_per_hour: world.jobs_per_hour,
            time_scale: 1.0,
            workers: world.workers,
            machines: world.machines,
            lasting_faults: true,
            incidents: Vec::new(),
        }
    }
}
