//! Rounds side by side: most of each is waiting.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

/// Kills that are worth another world of their own.
const KILLS_PER_WORLD: usize = 100;

/// What the worlds add to.
pub struct Shared<T>(Mutex<T>);

impl<T> Shared<T> {
    /// A world that has failed says so by itself.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Plays one round after the other, in up to so many worlds, until the tally is enough; the tally then.
pub fn play<T: Default + Send>(
    (kills, seed): (usize, u64),
    worlds_max: usize,
    kills_of: impl Fn(&T) -> usize + Sync,
    round: impl Fn(&mut ChaCha8Rng, &Shared<T>) + Sync,
) -> T {
    let tally = Shared(Mutex::new(T::default()));
    let has_failed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for world in 0..kills.div_ceil(KILLS_PER_WORLD).clamp(1, worlds_max) {
            let (tally, has_failed, kills_of, round) = (&tally, &has_failed, &kills_of, &round);
            scope.spawn(move || {
                let _note = NoteOnPanic(has_failed);
                let mut random = ChaCha8Rng::seed_from_u64(seed + world as u64);
                while !has_failed.load(SeqCst) && kills_of(&tally.lock()) < kills {
                    round(&mut random, tally);
                }
            });
        }
    });
    tally.0.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The others need not go on where one world has failed.
struct NoteOnPanic<'a>(&'a AtomicBool);

impl Drop for NoteOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, SeqCst);
        }
    }
}
