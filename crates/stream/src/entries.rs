//! Entries as they were read: one block of bytes, and where in it each field is.

use super::StreamError;
use super::resp::{Answer, Token};
use emp_event::EntryId;

/// Entries of the stream, in ID order.
#[derive(Debug, Default)]
pub struct Entries {
    answer: Answer,
    found: Vec<Found>,
}

#[derive(Debug, Clone, Copy)]
struct Found {
    id: EntryId,
    /// Where its first name is.
    first: usize,
    /// Names and values.
    pieces: usize,
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
    /// that place: the entries that are there, and the IDs of pending ones that were trimmed.
    pub(super) fn take(answer: Answer, at: usize) -> Result<(Self, Vec<EntryId>), StreamError> {
        let mut entries = Self { answer, found: Vec::new() };
        let mut trimmed = Vec::new();
        let answer = &entries.answer;
        // [[stream, [entry, …]]], or nil.
        let list = match answer.parts(at).as_slice() {
            [] => return Ok((entries, trimmed)),
            [stream, ..] => answer.parts(*stream).get(1).copied(),
        };
        let list = list.filter(|list| matches!(answer.token(*list), Token::Array(_)));
        let list = list.ok_or_else(|| unexpected("a list of entries was expected"))?;
        let Token::Array(length) = answer.token(list) else { return Ok((entries, trimmed)) };
        let mut next = list + 1;
        for _ in 0..length {
            // [id, [name, value, …]], or [id, nil] where it was trimmed.
            if answer.token(next) != Token::Array(2) {
                return Err(unexpected("an ID with fields was expected"));
            }
            let id = answer.text(next + 1).and_then(EntryId::parse);
            let id = id.ok_or_else(|| unexpected("an entry ID was expected"))?;
            next += 2;
            match answer.token(next) {
                Token::Array(pieces) => {
                    let (first, pieces) = (next + 1, pieces as usize);
                    if !pieces.is_multiple_of(2) || (first..first + pieces).any(|at| answer.text(at).is_none()) {
                        return Err(unexpected("names and values were expected"));
                    }
                    entries.found.push(Found { id, first, pieces });
                    next = first + pieces;
                }
                Token::Nil => {
                    trimmed.push(id);
                    next += 1;
                }
                _ => return Err(unexpected("fields were expected")),
            }
        }
        Ok((entries, trimmed))
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

    /// Those above an ID.
    pub fn above(&self, id: EntryId) -> impl ExactSizeIterator<Item = Entry<'_>> {
        let first = self.found.partition_point(|entry| entry.id <= id);
        let answer = &self.answer;
        self.found[first..].iter().map(move |&Found { id, first, pieces }| Entry { id, answer, first, pieces })
    }
}

fn unexpected(detail: &str) -> StreamError {
    StreamError::Reply { command: "XREADGROUP", detail: detail.to_owned() }
}
