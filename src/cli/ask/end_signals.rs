use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask a command to end: Ctrl-C, `kill`, and that its terminal was closed.
///
/// From [`EndSignals::watch`] on none of them ends the process by itself, so that a command which has
/// changed the terminal gets to put it back.
pub(super) struct EndSignals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl EndSignals {
    /// Begins to watch, inside a runtime.
    ///
    /// # Errors
    /// What the system says where a signal cannot be watched.
    pub fn watch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for any of them; one that has come since it was watched for is not missed.
    pub async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
