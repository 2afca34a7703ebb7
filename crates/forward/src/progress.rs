//! How far forwarding has got, kept beside the stream so that the next start goes on there.

use super::ForwardError;
use super::outbox::Settlement;
use super::status::{COUNTS, Counts, Trouble};
use emp_event::EntryId;
use emp_stream::GroupReader;

/// What is settled: every entry up to an ID, but for those that are still pending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Progress {
    pub through: EntryId,
    /// How many entries, of those that were trimmed before the group was given them, are settled: sent from
    /// the store, or counted.
    pub lost_settled: u64,
    pub counts: Counts,
}

impl Progress {
    /// Adds what has been settled since.
    pub fn add(&mut self, settled: &Settlement) {
        self.through = self.through.max(settled.through);
        self.lost_settled += settled.lost;
        self.counts = self.counts.plus(&settled.counts);
    }

    /// The notes that say so.
    pub fn notes(&self, trouble: &Trouble) -> Vec<(&'static str, String)> {
        let mut notes = vec![("through", self.through.to_string()), ("lost_seen", self.lost_settled.to_string())];
        notes.extend(self.counts.named().map(|(name, count)| (name, count.to_string())));
        let at = trouble.last_error_at.map(|at| at.to_string());
        if let (Some(last), Some(at)) = (&trouble.last_error, at) {
            notes.extend([("last_error", last.clone()), ("last_error_at", at)]);
        }
        notes.push(("blocked", trouble.blocked.clone().unwrap_or_default()));
        notes
    }

    /// As it was noted; that of a group that has settled nothing where nothing was.
    pub async fn load(reader: &mut GroupReader) -> Result<Self, ForwardError> {
        let [through, lost_settled] = reader.notes(["through", "lost_seen"]).await?;
        let counts = reader.notes(COUNTS).await?;
        let number = |text: Option<String>| text.and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(Self {
            through: through.and_then(|id| id.parse().ok()).unwrap_or(EntryId::ZERO),
            lost_settled: number(lost_settled),
            counts: Counts::from_numbers(counts.map(number)),
        })
    }
}

/// What a forwarder has noted about its trouble.
pub(super) async fn load_trouble(reader: &mut GroupReader) -> Result<Trouble, ForwardError> {
    let [last_error, last_error_at, blocked] = reader.notes(["last_error", "last_error_at", "blocked"]).await?;
    Ok(Trouble {
        last_error,
        last_error_at: last_error_at.and_then(|at| at.parse().ok()),
        blocked: blocked.filter(|why| !why.is_empty()),
    })
}
