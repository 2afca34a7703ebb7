//! How far a question is, while somebody waits.

use std::io::{self, IsTerminal as _};
use std::pin::pin;
use std::time::{Duration, Instant};

use emp_query::Engine;

/// A question that is answered within this time needs no bar.
const QUIET: Duration = Duration::from_millis(500);
const DRAW_EVERY: Duration = Duration::from_millis(100);
const BAR_WIDTH: usize = 24;

/// Waits for what an engine is doing, and shows on stderr how far it is, where that is a terminal.
pub async fn watched<T>(engine: &Engine, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    if !io::stderr().is_terminal() {
        return work.await;
    }
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(DRAW_EVERY);
    let mut is_drawn = false;
    loop {
        tokio::select! {
            done = &mut work => {
                if is_drawn {
                    clear();
                }
                return done;
            }
            _ = ticks.tick() => {
                if begun.elapsed() >= QUIET {
                    eprint!("\r{}\x1b[K", bar(engine.progress(), begun.elapsed()));
                    is_drawn = true;
                }
            }
        }
    }
}

/// Takes away what was drawn on the line of a terminal.
pub fn clear() {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}

/// `███████▌······ 1,024 of 8,760 files · 1.2 s`.
fn bar(progress: Option<(usize, usize)>, elapsed: Duration) -> String {
    let elapsed = format!("{:.1} s", elapsed.as_secs_f64());
    match progress.filter(|(_, all)| *all > 0) {
        None => elapsed,
        Some((done, all)) => {
            let full = BAR_WIDTH * done.min(all) / all;
            let (full, rest) = ("█".repeat(full), "·".repeat(BAR_WIDTH - full));
            format!("{full}{rest} {done} of {all} files · {elapsed}")
        }
    }
}
