use std::time::{Duration, Instant};

use crate::settings::Settings;

/// One word about a trouble is enough for so long.
const PAUSE: Duration = Duration::from_secs(60);

/// Tells whoever wants to know what goes wrong, and never often.
#[derive(Default)]
pub(crate) struct Reporter {
    told: Option<Instant>,
}

impl Reporter {
    pub(crate) fn tell(&mut self, settings: &Settings, problem: &str) {
        if self.told.is_some_and(|told| told.elapsed() < PAUSE) {
            return;
        }
        self.told = Some(Instant::now());
        if settings.prints_problems {
            eprintln!("emp-events-client: {}: {problem}", settings.service);
        }
        if let Some(call) = &settings.on_problem {
            // The application's own code: that it fails must not stop the events.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| call(problem)));
        }
        #[cfg(feature = "tracing")]
        tracing::warn!(service = settings.service, "events are not sent: {problem}");
    }
}
