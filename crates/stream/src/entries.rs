//! Entries as they were read: one block of bytes, and where in it each field is.

use super::StreamError;
use super::resp::{Answer, Token};
use emp_event::EntryId;

/// Entries of the stream, in ID order.
#[derive(Debug, Default)]
pub struct Entries {
    answer: Answer,
    found: Vec<Place>,
}

/// Where an entry stands in the answer.
#[derive(Debug, Clone, Copy)]
struct Place {
    id: EntryId,
    /// Where its first name is.
    first: usize,
    /// Names and values.
    pieces: usize,
}

/// What was found in an answer so far.
#[derive(Debug, Default)]
struct Found {
    entries: Vec<Place>,
    trimmed: Vec<EntryId>,
    cut: Option<Cut>,
}

impl Found {
    /// Takes the entry at that place: `[id, [name, value, …]]`, or `[id, nil]` where it was trimmed. Where the
    /// next one stands.
    fn add(&mut self, answer: &Answer, at: usize) -> Result<usize, StreamError> {
        if answer.token(at) != Token::Array(2) {
            return Err(unexpected("an ID with fields was expected"));
        }
        let id = answer.text(at + 1).and_then(EntryId::parse);
        let id = id.ok_or_else(|| unexpected("an entry ID was expected"))?;
        let fields = at + 2;
        let (first, pieces) = match answer.token(fields) {
            Token::Array(pieces) => (fields + 1, pieces as usize),
            Token::Nil => (fields + 1, 0),
            _ => return Err(unexpected("fields were expected")),
        };
        let mut tokens = (first..first + pieces).map(|at| answer.token(at));
        let is_cut = tokens.clone().any(|token| matches!(token, Token::Omitted(_)));
        let size = if is_cut || self.cut.is_some() { tokens.clone().map(size_of).sum() } else { 0 };
        if !pieces.is_multiple_of(2) || !tokens.all(|token| matches!(token, Token::Text { .. } | Token::Omitted(_))) {
            return Err(unexpected("names and values were expected"));
        }
        match &mut self.cut {
            // What follows is asked for again as well: entries are taken in their order.
            Some(cut) => {
                cut.last = id;
                cut.sizes.push(size);
            }
            None if is_cut => self.cut = Some(Cut { first: id, last: id, sizes: vec![size] }),
            None if answer.token(fields) == Token::Nil => self.trimmed.push(id),
            None => self.entries.push(Place { id, first, pieces }),
        }
        Ok(first + pieces)
    }
}

/// Entries that Redis has sent, and that were not kept whole, since the answer was too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    /// The ID of the first of them.
    pub first: EntryId,
    /// The ID of the last of them.
    pub last: EntryId,
    /// How many bytes each of them takes, about.
    pub sizes: Vec<usize>,
}

impl Cut {
    /// How many they are.
    pub fn count(&self) -> u64 {
        self.sizes.len() as u64
    }
}

/// How many bytes a string takes, be it kept or not.
fn size_of(token: Token) -> usize {
    match token {
        Token::Text { start, end } => (end - start) as usize,
        Token::Omitted(bytes) => bytes as usize,
        _ => 0,
    }
}

/// What an answer of XREADGROUP holds.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// The entries that are there.
    pub entries: Entries,
    /// The IDs of pending ones that were trimmed.
    pub trimmed: Vec<EntryId>,
    /// Those behind them that are to be asked for again.
    pub cut: Option<Cut>,
}

/// One entry: its fields in their order, as bytes.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// The entry ID.
    pub id: EntryId,
    answer: &'a Answer,
    first: usize,
    pieces: usize,
}

impl<'a> Entry<'a> {
    /// Names and values.
    pub fn fields(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let answer = self.answer;
        let places = (self.first..self.first + self.pieces).step_by(2);
        places.map(move |at| (answer.text(at).unwrap_or_default(), answer.text(at + 1).unwrap_or_default()))
    }
}

impl Entries {
    /// Takes the answer of XREADGROUP about one stream out of a larger one, where it stands at
    /// that place.
    pub(super) fn take(answer: Answer, at: usize) -> Result<Taken, StreamError> {
        // [[stream, [entry, …]]], or nil.
        let list = match answer.parts(at).as_slice() {
            [] => return Ok(Taken::default()),
            [stream, ..] => answer.parts(*stream).get(1).copied(),
        };
        Self::take_list(answer, list.ok_or_else(|| unexpected("a list of entries was expected"))?)
    }

    /// Takes a list of entries, where it stands at that place of the answer.
    pub(super) fn take_list(answer: Answer, list: usize) -> Result<Taken, StreamError> {
        let mut found = Found::default();
        let Token::Array(length) = answer.token(list) else {
            return Err(unexpected("a list of entries was expected"));
        };
        let mut next = list + 1;
        for _ in 0..length {
            next = found.add(&answer, next)?;
        }
        let Found { entries, trimmed, cut } = found;
        Ok(Taken { entries: Self { answer, found: entries }, trimmed, cut })
    }

    /// How many bytes they take.
    pub(super) fn bytes(&self) -> usize {
        let (Some(first), Some(last)) = (self.found.first(), self.found.last()) else { return 0 };
        self.answer.span(first.first.saturating_sub(2), last.first + last.pieces)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The ID of the first one.
    pub fn first_id(&self) -> Option<EntryId> {
        self.found.first().map(|entry| entry.id)
    }

    /// The ID of the last one.
    pub fn last_id(&self) -> Option<EntryId> {
        self.found.last().map(|entry| entry.id)
    }

    /// Every ID.
    pub fn ids(&self) -> impl Iterator<Item = EntryId> + '_ {
        self.found.iter().map(|entry| entry.id)
    }

    /// Each of them, as they were read.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        let answer = &self.answer;
        self.found.iter().map(move |&Place { id, first, pieces }| Entry { id, answer, first, pieces })
    }

    /// Those above an ID.
    pub fn above(&self, id: EntryId) -> impl ExactSizeIterator<Item = Entry<'_>> {
        let first = self.found.partition_point(|entry| entry.id <= id);
        let answer = &self.answer;
        self.found[first..].iter().map(move |&Place { id, first, pieces }| Entry { id, answer, first, pieces })
    }
}

fn unexpected(detail: &str) -> StreamError {
    StreamError::Reply { command: "XREADGROUP", detail: detail.to_owned() }
}
