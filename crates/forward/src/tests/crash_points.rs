//! Whatever happens to a forwarder at whichever step: what is acknowledged was delivered, and what is not
//! delivered is counted.

use std::sync::Arc;
use std::time::Duration;

use super::simulated::Simulated;
use super::world::{Fault, When, World};
use crate::ForwardError;
use crate::answer::Reply;
use crate::forwarder::{Ending, forward_between, unless_it_panics};
use crate::otlp::Signals;
use crate::post::Signal;
use crate::seams::Receiver;
use crate::settings::{Headers, Settings, Target};
use crate::shutdown::Shutdown;
use crate::sieve::Sieve;
use crate::work::Pace;

const MS: Duration = Duration::from_millis(1);
/// The last of a run's steps at which something goes wrong.
const STEPS: u64 = 120;

fn settings(seed: u64, once: bool) -> Settings {
    Settings {
        target: Target {
            logs_url: String::new(),
            traces_url: String::new(),
            headers: Headers::default(),
            signals: Signals::Logs,
            gzip: false,
            timeout: MS,
        },
        batch_events: 1 + (seed % 7) as usize,
        batch_bytes: 4_000,
        batch_wait: Duration::ZERO,
        requests: 1 + (seed % 3) as usize,
        age_max: Duration::from_secs(3_600),
        sieve: Sieve::default(),
        backoff: (MS, MS),
        once,
    }
}

const PACE: Pace = Pace {
    idle: Duration::ZERO,
    busy: Duration::ZERO,
    tick: MS,
    flush: MS,
    answer: MS,
    store: Duration::from_secs(60),
    redis: (MS, MS),
};

/// One life of a forwarder, until it ends or dies.
async fn live(world: &Arc<World>, seed: u64, once: bool) -> Option<Result<Ending, ForwardError>> {
    let simulated = Simulated(Arc::clone(world));
    world.stop.send_replace(false);
    let shutdown = Shutdown::new(world.stop.subscribe());
    let of_ours = settings(seed, once);
    let life = forward_between(&simulated, simulated.clone(), simulated.clone(), &of_ours, shutdown, PACE);
    let mut life = std::pin::pin!(life);
    loop {
        tokio::select! {
            ending = &mut life => return Some(ending),
            () = world.has_happened.notified() => {}
        }
        let is_dead = world.state().is_dead;
        if is_dead {
            return None;
        }
        // It stands still, and its lease runs out.
        world.state().lease = None;
        let of_other = settings(seed + 1, true);
        let other = forward_between(&simulated, simulated.clone(), simulated.clone(), &of_other, never(), PACE);
        assert!(matches!(Box::pin(other).await, Ok(Ending::Complete(_))));
        world.resume();
    }
}

fn never() -> Shutdown {
    let (sender, receiver) = tokio::sync::watch::channel(false);
    drop(sender);
    Shutdown::new(receiver)
}

/// A forwarder that works until something happens at that step, some that follow it, and at last one that does all
/// there is left to do.
fn run(seed: u64, faults: &[(u64, When, Fault)]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let world = World::new(seed);
        for (step, when, fault) in faults {
            world.arm(*step, *when, *fault);
            let ending = live(&world, seed, seed.is_multiple_of(2)).await;
            if let Some(Err(error)) = ending {
                assert!(matches!(error, ForwardError::Stream(_) | ForwardError::Superseded), "{error}");
            }
            // Another start does not have to wait for the lease of the dead.
            world.state().lease = None;
        }
        world.add_the_rest();
        let ending = live(&world, seed, true).await;
        assert!(matches!(ending, Some(Ok(Ending::Complete(_)))), "{ending:?}");
        world.state().assert_accounted_for();
    });
}

const FAULTS: [Fault; 5] = [Fault::Crash, Fault::Break, Fault::Stop, Fault::Suspend, Fault::Forget];

#[test]
fn whatever_happens_at_whichever_step_all_is_delivered_or_counted() {
    for fault in FAULTS {
        for step in 1..=STEPS {
            for when in [When::Before, When::After] {
                let done = std::panic::catch_unwind(|| run(step % 8, &[(step, when, fault)]));
                assert!(done.is_ok(), "{fault:?} {when:?} step {step}");
            }
        }
    }
}

#[test]
fn whatever_happens_one_after_the_other_all_is_delivered_or_counted() {
    use rand::seq::IndexedRandom as _;
    use rand::{RngExt as _, SeedableRng as _};
    let number = |name, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (first, runs) = (number("EMP_EVENTS_FORWARD_SEED", 0), number("EMP_EVENTS_FORWARD_RUNS", 2_000));
    for seed in first..first + runs {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut faults: Vec<_> = (0..random.random_range(1..6))
            .map(|_| {
                let when = if random.random_bool(0.5) { When::Before } else { When::After };
                (random.random_range(1..STEPS), when, *FAULTS.choose(&mut random).unwrap())
            })
            .collect();
        // Once in a run: within so few steps the second time may come between two commands that make the group.
        let mut has_forgotten = false;
        faults.retain(|(.., fault)| *fault != Fault::Forget || !std::mem::replace(&mut has_forgotten, true));
        let done = std::panic::catch_unwind(|| run(seed, &faults));
        assert!(done.is_ok(), "seed {seed}: {faults:?}");
    }
}

/// A receiver with a mistake in it.
struct Panicking;

impl Receiver for Panicking {
    async fn post(&self, _: Signal, _: &[u8]) -> Reply {
        panic!("a mistake")
    }
}

#[test]
fn a_mistake_of_this_program_is_an_error_and_acknowledges_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let world = World::new(1);
    world.add_the_rest();
    let simulated = Simulated(Arc::clone(&world));
    let settings = settings(1, true);
    let work = forward_between(&simulated, Panicking, simulated.clone(), &settings, never(), PACE);
    assert_eq!(runtime.block_on(unless_it_panics(work)).err().as_deref(), Some("a mistake"));
    assert_eq!(world.state().notes.counts.sent, 0);
}
