use std::time::Duration;

use super::{Next, Notice, TailError};
use emp_event::EntryId;
use emp_job::JobEvent;
use emp_query::Filter;
use emp_stream::{Entry, RedisAddress, StreamTail};

/// How long Redis is asked to wait for an entry.
const WAIT: Duration = Duration::from_millis(500);
/// How long to wait before connecting again, at first and at most.
const RECONNECT_AFTER: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Follows the events of a stream.
#[derive(Debug)]
pub struct RedisTail {
    address: RedisAddress,
    stream: String,
    filter: Filter,
    tail: Option<StreamTail>,
    after: EntryId,
    wait: Duration,
}

impl RedisTail {
    /// A tail that begins with the last `last` events of the stream for which the filter holds, and goes on after
    /// them.
    ///
    /// # Errors
    /// [`TailError`] where Redis cannot be reached.
    pub async fn open(address: &RedisAddress, stream: &str, filter: Filter, last: usize) -> Result<Self, TailError> {
        let mut tail = StreamTail::open(address, stream, EntryId::ZERO).await?;
        let after = before_the_last(&mut tail, &filter, last).await?;
        tail.go_to(after);
        let (address, stream) = (address.clone(), stream.to_owned());
        Ok(Self { address, stream, filter, tail: Some(tail), after, wait: RECONNECT_AFTER.0 })
    }

    /// The next events; waits until there are any, or something is to be said.
    pub async fn next(&mut self) -> Next {
        loop {
            let Some(tail) = &mut self.tail else {
                tokio::time::sleep(self.wait).await;
                self.wait = (self.wait * 2).min(RECONNECT_AFTER.1);
                if let Ok(tail) = StreamTail::open(&self.address, &self.stream, self.after).await {
                    self.tail = Some(tail);
                    self.wait = RECONNECT_AFTER.0;
                    return Err(Notice::Connected);
                }
                continue;
            };
            match tail.next(WAIT).await {
                Ok(entries) => {
                    self.after = tail.after();
                    let events = entries.iter().filter_map(|entry| matching(&entry, &self.filter));
                    let events: Vec<JobEvent> = events.collect();
                    if !events.is_empty() {
                        return Ok(events);
                    }
                }
                Err(error) => {
                    self.tail = None;
                    return Err(Notice::Disconnected(error.to_string()));
                }
            }
        }
    }
}

/// The ID after which the last `last` events follow for which the filter holds. The stream is read backwards, as
/// far as they reach, and none of it is kept: they are read again from there on.
async fn before_the_last(tail: &mut StreamTail, filter: &Filter, last: usize) -> Result<EntryId, TailError> {
    let mut after = tail.last().await?;
    let mut found = 0;
    while found < last {
        let entries = tail.earlier().await?;
        if entries.is_empty() {
            break;
        }
        let matching = entries.iter().filter(|entry| matching(entry, filter).is_some());
        for entry in matching.take(last - found) {
            found += 1;
            after = after.min(entry.id.before());
        }
    }
    Ok(after)
}

/// The event of an entry, where the filter holds for it; what is none goes into the collector's quarantine, and is
/// not shown.
fn matching(entry: &Entry<'_>, filter: &Filter) -> Option<JobEvent> {
    let fields: Vec<(&[u8], &[u8])> = entry.fields().collect();
    let event = JobEvent::from(&emp_event::decode(entry.id, &fields).ok()?);
    filter.holds(&event).then_some(event)
}
