//! How far forwarding has got, kept beside the stream so that the next start goes on there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ForwardError;
use super::outbox::Settlement;
use super::status::{COUNTS, Counts, Trouble};
use super::work::Seen;
use emp_event::EntryId;
use emp_stream::GroupReader;

/// What is settled: every entry up to an ID, but for those that are still pending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Progress {
    pub through: EntryId,
    /// How often the stream was met anew, with IDs that began lower.
    pub life: u64,
    /// How many entries, of those that were trimmed before the group was given them, are settled: sent from
    /// the store, or counted.
    pub lost_settled: u64,
    pub counts: Counts,
}

/// The same as it is kept in the store, for a Redis that forgets it, or comes back with what it knew earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub through: EntryId,
    pub life: u64,
    /// Nothing at or below this ID is left in the store from whichever life of the stream.
    pub highest: EntryId,
    pub counts: Counts,
    /// How the stream stood then.
    pub seen: Seen,
}

/// A [`Place`] in its file.
#[derive(Serialize, Deserialize)]
struct PlaceText {
    through: String,
    life: u64,
    highest: String,
    counts: BTreeMap<String, u64>,
    added: u64,
    position: Option<u64>,
    taken: String,
}

impl Place {
    /// As it is written into a file.
    pub fn to_text(&self) -> String {
        let counts = self.counts.named().map(|(name, count)| (name.to_owned(), count)).into();
        let Seen { added, position, taken, .. } = self.seen;
        let [through, highest, taken] = [self.through, self.highest, taken].map(|id| id.to_string());
        let text = PlaceText { through, life: self.life, highest, counts, added, position, taken };
        serde_json::to_string(&text).unwrap_or_default()
    }

    /// As it was written; `None` where the text is none of ours.
    pub fn from_text(text: &str) -> Option<Self> {
        let PlaceText { through, life, highest, counts, added, position, taken } = serde_json::from_str(text).ok()?;
        let counts = Counts::from_numbers(COUNTS.map(|name| counts.get(name).copied().unwrap_or(0)));
        let seen = Seen { added, lost: 0, position, taken: taken.parse().ok()? };
        Some(Self { through: through.parse().ok()?, life, highest: highest.parse().ok()?, counts, seen })
    }
}

impl Progress {
    /// What both know: the place, where Redis has forgotten, or was further once in the same life of the stream.
    pub fn or_further(self, place: Option<&Place>) -> Self {
        match place {
            Some(place)
                if self.through == EntryId::ZERO || (place.life == self.life && place.through > self.through) =>
            {
                Self { through: place.through, life: place.life, counts: place.counts, ..self }
            }
            _ => self,
        }
    }

    /// Adds what has been settled since.
    pub fn add(&mut self, settled: &Settlement) {
        self.through = self.through.max(settled.through);
        self.lost_settled += settled.lost;
        self.counts = self.counts.plus(&settled.counts);
    }

    /// The notes that say so.
    pub fn notes(&self, trouble: &Trouble) -> Vec<(&'static str, String)> {
        let mut notes = vec![("through", self.through.to_string()), ("lost_seen", self.lost_settled.to_string())];
        notes.push(("life", self.life.to_string()));
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
        let [through, life, lost_settled] = reader.notes(["through", "life", "lost_seen"]).await?;
        let counts = reader.notes(COUNTS).await?;
        let number = |text: Option<String>| text.and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(Self {
            through: through.and_then(|id| id.parse().ok()).unwrap_or(EntryId::ZERO),
            life: number(life),
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
