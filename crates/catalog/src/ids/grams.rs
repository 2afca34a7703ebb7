//! What a file may mention: the *grams* of its texts.
//!
//! A gram is four characters of a text, the first three of them letters from a to z, in lower case: `erro`, `rror` and
//! `ror ` of `error 503`, where the last one stands for the end of the word, whatever ends it. Digits and all other
//! characters end words, so that ids and numbers, of which each hour has others, leave hardly any grams. Whoever looks
//! for a text looks for its grams: a file that lacks one of them does not mention it. It is the way of trigram indexes
//! (Cox, "Regular Expression Matching with a Trigram Index", 2012), with a fourth character, as hours of one system have
//! most of their groups of three in common.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use emp_event::{has_escapes, readable};

use super::{HASH_BITS, ID_COLUMNS};

const LETTERS: u32 = 26;
/// The number of what ends a word, among the characters that come last.
const END: u32 = LETTERS;
const LAST: u32 = LETTERS + 1;
const GRAMS: u32 = LETTERS * LETTERS * LETTERS * LAST;
/// Of a file with more grams any text is possible: its texts are no words. They stay out of the index.
const GRAMS_MAX: usize = 1 << 16;
/// Stands in the index for all grams of such a file.
const ANY: u32 = GRAMS;
/// So many characters of a text that is looked for tell where it is.
const TEXT_MAX: usize = 1_000;

/// The grams of the texts of a file.
pub(crate) struct Grams {
    /// A bit for each.
    found: Vec<u64>,
}

impl Grams {
    pub fn new() -> Self {
        Self { found: vec![0; (GRAMS as usize).div_ceil(64)] }
    }

    /// Adds those of a JSON document, or of any text, as it is written and as it is read.
    pub fn add(&mut self, json: &str) {
        self.add_as_written(json);
        if has_escapes(json) {
            self.add_as_written(&readable(json));
        }
    }

    fn add_as_written(&mut self, text: &str) {
        let mut word = Word::default();
        for letter in text.chars().map(letter).chain([None]) {
            if let Some(gram) = word.then(letter) {
                self.found[gram as usize / 64] |= 1 << (gram % 64);
            }
        }
    }

    /// What the index keeps of them, ascending.
    pub fn hashes(&self) -> Vec<u64> {
        let count: u32 = self.found.iter().map(|bits| bits.count_ones()).sum();
        if count as usize > GRAMS_MAX {
            return vec![hash(ANY)];
        }
        let mut hashes: Vec<u64> = Vec::with_capacity(count as usize);
        for (place, bits) in (0..).zip(&self.found).filter(|(_, bits)| **bits != 0) {
            hashes.extend((0..64).filter(|bit| bits >> bit & 1 == 1).map(|bit| hash(place * 64 + bit)));
        }
        hashes.sort_unstable();
        hashes
    }
}

/// What a file has to hold that mentions a text: one hash of each of these sets. None where it may be any file.
pub(crate) fn wanted(text: &str) -> Vec<Vec<u64>> {
    let mut word = Word::default();
    let known = text.chars().take(TEXT_MAX).map(letter);
    let mut wanted: Vec<Vec<u64>> = known.filter_map(|letter| word.then(letter)).map(|gram| vec![hash(gram)]).collect();
    if word.letters == 3 {
        // What follows is not known.
        wanted.push((0..LAST).map(|last| hash(word.gram(last))).collect());
    }
    wanted.iter_mut().for_each(|hashes| hashes.push(hash(ANY)));
    wanted
}

/// The letters that came last, without a break.
#[derive(Default)]
struct Word {
    /// Three of them as one number.
    last: u32,
    /// How many, from 0 to 4, which are many.
    letters: u8,
}

impl Word {
    /// The gram that ends with what comes now.
    fn then(&mut self, letter: Option<u32>) -> Option<u32> {
        let gram = (self.letters >= 3).then(|| self.gram(letter.unwrap_or(END)));
        *self = match letter {
            Some(letter) => Self {
                last: (self.last * LETTERS + letter) % (LETTERS * LETTERS * LETTERS),
                letters: (self.letters + 1).min(4),
            },
            None => Self::default(),
        };
        gram
    }

    fn gram(&self, last: u32) -> u32 {
        self.last * LAST + last
    }
}

/// The number of a letter, also of the two that are a letter from a to z in the other case.
fn letter(character: char) -> Option<u32> {
    match character {
        'a'..='z' | 'A'..='Z' => Some(u32::from(character.to_ascii_lowercase()) - u32::from('a')),
        '\u{17f}' => letter('s'),
        '\u{212a}' => letter('k'),
        _ => None,
    }
}

/// What the index keeps of a gram.
fn hash(gram: u32) -> u64 {
    // The seeds below are those of ids.
    xxh3_64_with_seed(&gram.to_le_bytes(), 2 * ID_COLUMNS.len() as u64) >> (64 - HASH_BITS)
}
