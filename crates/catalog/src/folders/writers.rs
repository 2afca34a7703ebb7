//! The writers of sealed files, each as a number.

use std::sync::{Mutex, MutexGuard, PoisonError};

use emp_store::Writer;

/// The writers of the files, by the numbers that stand for them.
pub(crate) type Writers = Mutex<Vec<Writer>>;

pub(super) fn lock(writers: &Writers) -> MutexGuard<'_, Vec<Writer>> {
    // Whatever panicked, the list is whole: it only grows by one at a time.
    writers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The writers by number, without taking the lock for each file.
pub(crate) struct WriterNumbers<'a> {
    pub known: Vec<Writer>,
    pub shared: &'a Writers,
}

impl WriterNumbers<'_> {
    pub fn number_of(&mut self, writer: Writer) -> u32 {
        let mut shared = lock(self.shared);
        let number = shared.iter().position(|one| *one == writer).unwrap_or_else(|| {
            shared.push(writer);
            shared.len() - 1
        });
        self.known.clone_from(&shared);
        // There are never four billion collectors.
        number as u32
    }
}
