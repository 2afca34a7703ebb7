//! Beginnings and ends of one job's work, and its attempts: one rule for timelines, for what is typical, and
//! for the spans that are forwarded.

use serde::{Deserialize, Serialize};

use super::meaning::Meaning;
use super::vocabulary::vocabulary;
use super::words::closes;

/// So many pieces of work of one job may be under way; of more the oldest is forgotten.
const OPEN_MAX: usize = 64;

/// Does this event begin another attempt? A claim does, but for one that follows a claim of another type at
/// once: a job that is assigned and then accepted is begun once. `before` is the type of the job's event before it.
pub fn is_begun(before: Option<&str>, event_type: &str, meaning: Option<Meaning>) -> bool {
    let is_claim = |event_type: &str| vocabulary().meaning_anywhere(event_type) == Some(Meaning::Claimed);
    let continues_claim = before.is_some_and(|before| before != event_type && is_claim(before));
    meaning == Some(Meaning::Claimed) && !continues_claim
}

/// The attempt that a job is in, event by event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    number: u32,
    has_begun: bool,
}

impl Default for Attempt {
    /// The first one, which may do some of its work before anybody claims the job.
    fn default() -> Self {
        Self { number: 1, has_begun: false }
    }
}

impl Attempt {
    /// Its number, from 1.
    pub fn number(self) -> u32 {
        self.number
    }

    /// Takes note of the job's next event. `stated` is the attempt that the event names.
    pub fn follow(&mut self, before: Option<&str>, event_type: &str, meaning: Option<Meaning>, stated: Option<f64>) {
        if meaning != Some(Meaning::Claimed) {
            return;
        }
        match stated {
            Some(stated) => self.number = stated.max(1.0) as u32,
            None if self.has_begun && is_begun(before, event_type, meaning) => {
                self.number = self.number.saturating_add(1)
            }
            None => {}
        }
        self.has_begun = true;
    }
}

/// Work of one job that was begun and has not ended, with what is kept of each piece.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenWork<T> {
    pieces: Vec<Piece<T>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Piece<T> {
    name: String,
    attempt: u32,
    kept: T,
}

impl<T> Default for OpenWork<T> {
    fn default() -> Self {
        Self { pieces: Vec::new() }
    }
}

impl<T> OpenWork<T> {
    /// Work of that name begins. What of that name was open in the attempt did not end, or its end was never told.
    pub fn begin(&mut self, name: String, attempt: u32, kept: T) {
        self.pieces.retain(|piece| piece.name != name || piece.attempt != attempt);
        if self.pieces.len() == OPEN_MAX {
            self.pieces.remove(0);
        }
        self.pieces.push(Piece { name, attempt, kept });
    }

    /// Ends what an event of that entity and attempt that closes `name` closes: of several pieces the one that
    /// was begun last, and none of another attempt. Its name and what was kept; `None` where nothing is open.
    pub fn end(&mut self, entity: &str, name: &str, attempt: u32) -> Option<(String, T)> {
        let is_it = |piece: &Piece<T>| piece.attempt == attempt && closes(entity, name, &piece.name);
        let Piece { name, kept, .. } = self.pieces.remove(self.pieces.iter().rposition(is_it)?);
        Some((name, kept))
    }
}
