//! Which of the files that were seen is which of a list.

use std::collections::HashMap;

use emp_store::{Hour, IdRange, Partition, Writer};

use super::file::KnownFile;

/// Where each of `wanted` is among `known`; `None` for one that is not.
///
/// Both mostly have the same files in the same order, so the file after the last one found is tried first; all are
/// looked up only where it is another.
pub(super) fn pair(known: &[(Hour, &KnownFile)], writers: &[Writer], wanted: &[Partition]) -> Vec<Option<usize>> {
    let mut places = None;
    let mut next = 0;
    let place = |wanted: &Partition| {
        let is_next = known.get(next).is_some_and(|(hour, file)| file.is(wanted, *hour, writers));
        let place = if is_next {
            Some(next)
        } else {
            let places = places.get_or_insert_with(|| places_of(known, writers));
            places.get(&key(wanted.hour, &wanted.name.writer, wanted.name.ids)).copied()
        };
        next = place.map_or(next, |place| place + 1);
        place
    };
    wanted.iter().map(place).collect()
}

type Key<'a> = (Hour, &'a Writer, IdRange);

fn key(hour: Hour, writer: &Writer, ids: IdRange) -> Key<'_> {
    (hour, writer, ids)
}

fn places_of<'a>(known: &[(Hour, &KnownFile)], writers: &'a [Writer]) -> HashMap<Key<'a>, usize> {
    let keys = known.iter().map(|(hour, file)| key(*hour, &writers[file.writer as usize], file.ids));
    keys.zip(0..).collect()
}
