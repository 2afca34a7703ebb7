//! Which consumers are alive, as far as Redis can tell.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::info;

use super::CollectError;
use emp_stream::{Consumer, GroupReader, StreamError};

/// A collector shows every second that it is alive; one that has been silent that long is gone, or so slow
/// that somebody should look at it first.
pub(super) const DEAD_AFTER: Duration = Duration::from_secs(10);
/// How often to look whether a consumer is silent.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Redis' clock and ours are not read at the same moment.
const CLOCK_SLACK: Duration = Duration::from_millis(50);
/// Redis counts the silence of a connection in whole seconds.
const CONNECTION_SLACK: Duration = Duration::from_secs(1);

/// Looks at the group's consumers of these names until each has shown that it is alive, or is known to be dead: it
/// has no connection, or was silent for [`DEAD_AFTER`]. The names of the living.
///
/// # Errors
/// Redis' failures.
pub(super) async fn living(
    reader: &mut GroupReader,
    is_asked_about: impl Fn(&str) -> bool,
) -> Result<Vec<String>, CollectError> {
    let first = Look::of(reader, is_asked_about).await?;
    let mut undecided: Vec<String> = first.signs.iter().map(|sign| sign.name.clone()).collect();
    let mut alive = Vec::new();
    if !undecided.is_empty() {
        let (names, most) = (undecided.join(", "), DEAD_AFTER.as_secs());
        info!("looking whether {names} is alive elsewhere, for {most} s at most");
    }
    while !undecided.is_empty() {
        sleep(LOOK_EVERY).await;
        let look = Look::of(reader, |name| undecided.iter().any(|asked| asked == name)).await?;
        let (living, silent): (Vec<&Sign>, Vec<&Sign>) =
            look.signs.iter().partition(|sign| look.has_asked_since(&first, sign));
        alive.extend(living.iter().map(|sign| sign.name.clone()));
        undecided = silent.iter().map(|sign| sign.name.clone()).collect();
    }
    Ok(alive)
}

/// How long that consumer has been silent, where it may be alive; `None` where it is dead.
///
/// # Errors
/// Redis' failures.
pub(super) async fn silence(reader: &mut GroupReader, consumer: &Consumer) -> Result<Option<Duration>, StreamError> {
    let connection = connection_idle(reader, &consumer.name).await?.flatten();
    let silence = connection.map_or(consumer.idle, |idle| idle.min(consumer.idle));
    Ok((silence < DEAD_AFTER).then_some(silence))
}

/// The silence of its connection, where it has one; `None` where Redis does not tell.
async fn connection_idle(reader: &mut GroupReader, name: &str) -> Result<Option<Option<Duration>>, StreamError> {
    match reader.connection_idle(name).await {
        Err(StreamError::Refused { .. } | StreamError::NoCommand { .. }) => Ok(None),
        idle => idle.map(Some),
    }
}

/// Consumers that may be alive, as they were at one moment between the two.
struct Look {
    sent: Instant,
    received: Instant,
    signs: Vec<Sign>,
}

/// For how long a consumer has been silent.
struct Sign {
    name: String,
    /// Since it read.
    reading: Duration,
    /// Since anything came over its connection.
    connection: Option<Duration>,
}

impl Look {
    async fn of(reader: &mut GroupReader, is_asked_about: impl Fn(&str) -> bool) -> Result<Self, StreamError> {
        let sent = Instant::now();
        let consumers = match reader.consumers().await {
            // Nobody reads where there is no group.
            Err(StreamError::NoGroup { .. }) => Vec::new(),
            consumers => consumers?,
        };
        let mut signs = Vec::new();
        for Consumer { name, idle: reading, .. } in consumers.into_iter().filter(|one| is_asked_about(&one.name)) {
            let connection = connection_idle(reader, &name).await?;
            // One without a connection is dead; where Redis does not tell, its silence is all there is to go by.
            let has_none = connection == Some(None);
            let connection = connection.flatten();
            if !has_none && connection.unwrap_or(reading).min(reading) < DEAD_AFTER {
                signs.push(Sign { name, reading, connection });
            }
        }
        Ok(Self { sent, received: Instant::now(), signs })
    }

    /// Has it asked for something since that look? Then it has been silent for less long than has passed.
    fn has_asked_since(&self, first: &Self, sign: &Sign) -> bool {
        let Some(before) = first.signs.iter().find(|before| before.name == sign.name) else { return false };
        let passed = self.sent.duration_since(first.received);
        let has_used = |now: Option<Duration>, before: Option<Duration>| match (now, before) {
            (Some(now), Some(before)) => now + CONNECTION_SLACK < before + passed,
            _ => false,
        };
        sign.reading + CLOCK_SLACK < before.reading + passed || has_used(sign.connection, before.connection)
    }
}
