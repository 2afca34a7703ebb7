//! What is known of a day without reading what is known about its files.

use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::folders::KnownFile;
use super::ids::Indexed;
use emp_event::EntryId;

/// The least and the greatest time of something, ms since the epoch.
pub type Times = (i64, i64);

/// A day in short.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Summary {
    pub files: u32,
    /// A name in it is odd, or one file holds what another does: whoever lists files looks at the day.
    pub is_odd: bool,
    /// The highest ID, by the names of the files.
    pub newest: Option<EntryId>,
    /// When its events happened; `None` where a file does not tell.
    pub timestamps: Option<Times>,
    /// When they arrived.
    pub ingested: Option<Times>,
    /// How many files the index could know, and does not.
    pub not_indexed: [u32; Indexed::ALL.len()],
    /// How many it does not know, whether it could or not.
    pub unknown: [u32; Indexed::ALL.len()],
    /// Which numbers of which runs of the index are those of its files.
    pub spans: [Vec<Span>; Indexed::ALL.len()],
}

/// Numbers of a run that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Span {
    pub run: u64,
    pub first: u32,
    pub last: u32,
}

impl Summary {
    /// Of the hours of a day, each with its files in their order.
    pub fn of<'a>(hours: impl Iterator<Item = &'a [KnownFile]> + Clone, is_odd: bool) -> Self {
        let files = || hours.clone().flatten();
        let knowledge = || files().map(|file| file.knowledge.as_ref().filter(|_| file.is_current()));
        let facts = || knowledge().map(|known| known?.facts.as_ref().ok());
        let mut summary = Self {
            // A day has no more files than a folder has names.
            files: files().count() as u32,
            is_odd: is_odd || hours.clone().any(|files| files.windows(2).any(|pair| pair[1].may_be_within(&pair[0]))),
            newest: files().map(|file| file.ids.last).max(),
            timestamps: widest(facts(), |facts| facts.timestamps),
            ingested: widest(facts(), |facts| facts.ingested),
            ..Self::default()
        };
        for what in Indexed::ALL {
            let places: Vec<_> = knowledge().map(|known| known?.places.of(what)).collect();
            let could_be = facts().zip(&places).filter(|(facts, place)| facts.is_some() && place.is_none());
            summary.not_indexed[what as usize] = could_be.count() as u32;
            summary.unknown[what as usize] = places.iter().filter(|place| place.is_none()).count() as u32;
            let mut numbers: Vec<(u64, u32)> =
                places.into_iter().flatten().map(|place| (place.run, place.number)).collect();
            numbers.sort_unstable();
            let spans = &mut summary.spans[what as usize];
            for (run, number) in numbers {
                match spans.last_mut().filter(|span: &&mut Span| span.run == run && number <= span.last + 1) {
                    Some(span) => span.last = number,
                    None => spans.push(Span { run, first: number, last: number }),
                }
            }
        }
        summary
    }
}

/// The bounds of all; `None` where one of them is not known.
fn widest<'a>(
    mut facts: impl Iterator<Item = Option<&'a Facts>>,
    of: impl Fn(&Facts) -> Option<Times>,
) -> Option<Times> {
    facts.try_fold((i64::MAX, i64::MIN), |(least, greatest), facts| {
        let (first, last) = of(facts?)?;
        Some((least.min(first), greatest.max(last)))
    })
}
