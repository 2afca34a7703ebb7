//! What Prometheus is told of a collector: what it counts, and how the stream and the disk stand now.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::health::unread_age_ms;
use super::memory::Usage;
use super::{GROUP, Settings};
use emp_metrics::{Kind, Text};
use emp_store::newest_loss;
use emp_stream::{Connection, GroupReader, StreamError};

/// Whoever scrapes does not wait longer for a Redis that may not be there.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is told of one collector.
pub struct CollectorMetrics {
    settings: Settings,
    /// A connection of its own: the collector's waits for entries.
    reader: Mutex<Option<GroupReader>>,
}

impl CollectorMetrics {
    /// Of the collector with those settings: what it counts, it counts there.
    pub fn new(settings: Settings) -> Self {
        Self { settings, reader: Mutex::new(None) }
    }

    /// Tells it as it is now. What cannot be found out is left out.
    pub async fn tell(&self, text: &mut Text) {
        self.settings.meter.tell(text);
        self.tell_disk(text);
        let asked = timeout(PATIENCE, self.ask_redis()).await.ok().and_then(Result::ok);
        let up = f64::from(u8::from(asked.is_some()));
        text.single("emp_events_redis_up", Kind::Gauge, "1 where Redis answers this collector.", up);
        if let Some(found) = asked {
            found.tell(text);
        }
    }

    fn tell_disk(&self, text: &mut Text) {
        let layout = &self.settings.layout;
        let journal = std::fs::read_dir(layout.journal()).ok().map(|files| {
            let sizes = files.filter_map(|file| file.ok()?.metadata().ok()).map(|data| data.len());
            sizes.sum::<u64>() as f64
        });
        let help = "Size of the journal: what is durable and not in a Parquet file yet, or was a moment ago.";
        text.known("emp_events_store_journal_bytes", Kind::Gauge, help, journal);
        let disk = rustix::fs::statvfs(layout.root()).ok();
        let bytes = |blocks: fn(&rustix::fs::StatVfs) -> u64| {
            disk.as_ref().map(|disk| blocks(disk).saturating_mul(disk.f_frsize) as f64)
        };
        let free = "Bytes of the store's disk that are free.";
        text.known("emp_events_store_disk_free_bytes", Kind::Gauge, free, bytes(|disk| disk.f_bavail));
        let size = "Size of the store's disk.";
        text.known("emp_events_store_disk_size_bytes", Kind::Gauge, size, bytes(|disk| disk.f_blocks));
        let loss = newest_loss(layout).ok().flatten().map(|at| at as f64 / 1e3);
        let help = "When entries were found to be lost last; missing where none ever was.";
        text.known("emp_events_store_loss_timestamp_seconds", Kind::Gauge, help, loss);
    }

    async fn ask_redis(&self) -> Result<Found, StreamError> {
        let mut kept = self.reader.lock().await;
        // Given up in the middle of an answer, a connection is of no use any more.
        let mut reader = match kept.take() {
            Some(reader) => reader,
            None => {
                let Settings { address, stream, consumer, .. } = &self.settings;
                GroupReader::new(Connection::open(address, stream, GROUP).await?, consumer)
            }
        };
        let found = Found::by(&mut reader).await?;
        *kept = Some(reader);
        Ok(found)
    }
}

/// What Redis says. What there is none of yet is not known.
#[derive(Default)]
struct Found {
    /// Entries in the stream, and entries ever added.
    stream: Option<(u64, u64)>,
    usage: Option<Usage>,
    /// Entries that nobody has read, how long the oldest has been there, and what is read and not acknowledged.
    waiting: Option<(u64, f64, u64)>,
    /// Trimmed unread, and not counted as lost yet.
    trimmed: Option<u64>,
}

impl Found {
    async fn by(reader: &mut GroupReader) -> Result<Self, StreamError> {
        let usage = Some(Usage::of(reader).await?);
        let (state, accounts) = match reader.accounts().await {
            // Nothing was ever read, or written.
            Err(StreamError::NoGroup { .. }) => return Ok(Self { usage, ..Self::default() }),
            asked => asked?,
        };
        let unread = reader.backlog().await?;
        let age_s = unread_age_ms(&unread).unwrap_or_default() as f64 / 1e3;
        Ok(Self {
            stream: Some((state.length, state.added)),
            usage,
            waiting: Some((unread.count, age_s, accounts.pending)),
            trimmed: accounts.position().map(|position| state.removed().saturating_sub(position)),
        })
    }

    fn tell(&self, text: &mut Text) {
        let mut gauge = |name: &str, help: &str, value: Option<f64>| text.known(name, Kind::Gauge, help, value);
        let number = |number: Option<u64>| number.map(|number| number as f64);
        let length = number(self.stream.map(|(length, _)| length));
        gauge("emp_events_stream_entries", "Entries in the stream now.", length);
        let memory = self.usage.map(|usage| usage.memory);
        let stream_bytes = number(self.usage.and_then(|usage| usage.stream_bytes));
        gauge("emp_events_stream_bytes", "Memory that the stream takes in Redis.", stream_bytes);
        let used = number(memory.map(|memory| memory.used));
        gauge("emp_events_redis_memory_used_bytes", "Memory that Redis uses.", used);
        let most = number(memory.and_then(|memory| memory.most));
        gauge("emp_events_redis_memory_max_bytes", "Memory that Redis may use; missing where it has no limit.", most);
        let unread = number(self.waiting.map(|(unread, ..)| unread));
        gauge("emp_events_collector_unread_entries", "Entries that no collector has read yet.", unread);
        let lag = self.waiting.map(|(_, age_s, _)| age_s);
        let help = "How long the oldest unread entry has been in the stream; 0 where there is none.";
        gauge("emp_events_collector_lag_seconds", help, lag);
        let pending = number(self.waiting.map(|(.., pending)| pending));
        gauge("emp_events_collector_pending_entries", "Entries read and not acknowledged yet.", pending);
        let help = "Entries trimmed unread that the next read will count as lost.";
        gauge("emp_events_collector_trimmed_entries", help, number(self.trimmed));
        let added = number(self.stream.map(|(_, added)| added));
        text.known("emp_events_stream_added_total", Kind::Counter, "Entries ever added to the stream.", added);
    }
}
