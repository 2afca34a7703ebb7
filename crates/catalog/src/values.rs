//! Which of a few values a column of a file has: of `service`, `event_type` and `level`, where the
//! whole store has few of them.

use serde::{Deserialize, Serialize};

/// The columns that usually have few different values.
pub const VALUE_COLUMNS: [&str; 3] = ["service", "event_type", "level"];

/// So many different values of a column are told apart; more are not few.
const VALUES_MAX: usize = 128;

/// For each column the numbers of the values that occur, a bit each (in two halves, which save in a
/// few bytes); `None` where not all of them have a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Values([Option<[u64; 2]>; VALUE_COLUMNS.len()]);

/// The numbers of all values met so far. They only ever grow, so that what was learned stays true.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ValueNumbers([Vec<String>; VALUE_COLUMNS.len()]);

impl ValueNumbers {
    /// Takes what another one knows, where one of them is what the other has grown to.
    pub fn grow_to(&mut self, other: Self) -> bool {
        let mut belongs = true;
        for (known, other) in self.0.iter_mut().zip(other.0) {
            let both = known.len().min(other.len());
            belongs &= known[..both] == other[..both];
            if other.len() > known.len() {
                *known = other;
            }
        }
        belongs
    }

    /// Takes note of the values of a file, given for each column in any order.
    pub fn learn<'a>(&mut self, columns: [impl Iterator<Item = &'a str>; VALUE_COLUMNS.len()]) -> Values {
        let mut columns = columns.into_iter();
        Values(self.0.each_mut().map(|known| {
            // There are as many iterators as columns.
            let mut bits = Some([0; 2]);
            for value in columns.next().into_iter().flatten() {
                let number = known.iter().position(|one| one == value).or_else(|| {
                    (known.len() < VALUES_MAX).then(|| {
                        known.push(value.to_owned());
                        known.len() - 1
                    })
                });
                bits = bits.zip(number).map(|(mut bits, number)| {
                    bits[number / 64] |= 1 << (number % 64);
                    bits
                });
            }
            bits
        }))
    }

    /// The values of a column of a file; `None` where not all of them are known.
    pub fn values<'a>(&'a self, of: &Values, column: usize) -> Option<impl Iterator<Item = &'a str> + use<'a>> {
        let bits = of.0[column]?;
        let has = move |number: &usize| bits[number / 64] >> (number % 64) & 1 == 1;
        let known = self.0[column].iter().enumerate();
        Some(known.filter(move |(number, _)| has(number)).map(|(_, value)| value.as_str()))
    }

    /// May a column of a file have any of these values? `None` where that is not known.
    pub fn may_hold(&self, of: &Values, column: usize, values: &[&str]) -> Option<bool> {
        let bits = of.0[column]?;
        let known = &self.0[column];
        let number_of = |value: &&str| known.iter().position(|one| one == value);
        Some(values.iter().filter_map(number_of).any(|number| bits[number / 64] >> (number % 64) & 1 == 1))
    }
}
