//! Numbers for the texts that come up again and again: types of events, services, workers.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use arrow::array::StringViewArray;

/// Texts by number, the same for all threads of a question.
#[derive(Debug, Default)]
pub(super) struct Texts(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    numbers: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
}

impl Texts {
    /// The number of a text; a new one where it has none.
    pub fn number(&self, text: &str) -> u32 {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).numbers.get(text).copied();
        known.unwrap_or_else(|| {
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(number) = known.numbers.get(text) {
                return *number;
            }
            // There would have to be four billion different ones before numbers come again.
            let number = known.texts.len() as u32;
            let text: Arc<str> = text.into();
            known.texts.push(Arc::clone(&text));
            known.numbers.insert(text, number);
            number
        })
    }

    /// The text of a number that was given out.
    pub fn text(&self, number: u32) -> Arc<str> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.texts.get(number as usize).cloned().unwrap_or_default()
    }

    /// All texts that have numbers by now, in their order.
    pub fn all(&self) -> StringViewArray {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        StringViewArray::from_iter_values(known.texts.iter())
    }
}
