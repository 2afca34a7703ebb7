//! How far forwarding has got, kept beside the stream so that the next start goes on there.

use super::ForwardError;
use super::outbox::Landed;
use super::status::{COUNTS, Counts, Status, Trouble};
use emp_event::EntryId;
use emp_stream::{GroupReader, Settled};

/// Everything at or below `through` is settled; what else is pending, or to be taken from the
/// store.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    pub through: EntryId,
    /// How many entries the group's accounts gave for lost when that was last looked after.
    pub lost_seen: u64,
    pub counts: Counts,
    written: Option<Vec<(&'static str, String)>>,
}

impl Place {
    /// As it was left; at the beginning where nothing was.
    pub async fn load(reader: &mut GroupReader) -> Result<Self, ForwardError> {
        let [through, lost_seen] = reader.notes(["through", "lost_seen"]).await?;
        let counts = load_counts(reader).await?;
        Ok(Self {
            through: through.and_then(|id| id.parse().ok()).unwrap_or(EntryId::ZERO),
            lost_seen: lost_seen.and_then(|count| count.parse().ok()).unwrap_or(0),
            counts,
            written: None,
        })
    }

    /// Acknowledges what has landed, and notes it in the same step. Does nothing where that is
    /// noted already.
    pub async fn settle(
        &mut self,
        reader: &mut GroupReader,
        landed: &Landed,
        status: &Status,
    ) -> Result<(), ForwardError> {
        let mut next = self.clone();
        next.through = next.through.max(landed.through);
        next.counts = next.counts.plus(&landed.counts);
        let notes = next.notes(&status.trouble());
        if !landed.pending.is_empty() || self.written.as_ref() != Some(&notes) {
            let settled = Settled { stored: landed.pending.clone(), gone: Vec::new() };
            reader.acknowledge_noting(&settled, &notes).await?;
            next.written = Some(notes);
        }
        *self = next;
        Ok(())
    }

    fn notes(&self, trouble: &Trouble) -> Vec<(&'static str, String)> {
        let mut notes = vec![("through", self.through.to_string()), ("lost_seen", self.lost_seen.to_string())];
        notes.extend(self.counts.named().map(|(name, count)| (name, count.to_string())));
        let at = trouble.last_error_at.map(|at| at.to_string());
        if let (Some(last), Some(at)) = (&trouble.last_error, at) {
            notes.extend([("last_error", last.clone()), ("last_error_at", at)]);
        }
        notes.push(("blocked", trouble.blocked.clone().unwrap_or_default()));
        notes
    }
}

/// The counts that a forwarder has left.
pub(super) async fn load_counts(reader: &mut GroupReader) -> Result<Counts, ForwardError> {
    let counts = reader.notes(COUNTS).await?;
    Ok(Counts::from_numbers(counts.map(|count| count.and_then(|count| count.parse().ok()).unwrap_or(0))))
}

/// What a forwarder has left about its trouble.
pub(super) async fn load_trouble(reader: &mut GroupReader) -> Result<Trouble, ForwardError> {
    let [last_error, last_error_at, blocked] = reader.notes(["last_error", "last_error_at", "blocked"]).await?;
    Ok(Trouble {
        last_error,
        last_error_at: last_error_at.and_then(|at| at.parse().ok()),
        blocked: blocked.filter(|why| !why.is_empty()),
    })
}
