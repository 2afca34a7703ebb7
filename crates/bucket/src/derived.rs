//! What is derived from the files in a bucket, as objects beside them.

use std::collections::{BTreeMap, BTreeSet};

use emp_catalog::{ArchiveCatalog, Storage};
use emp_store::{Layout, StoreError};

use super::bundle::pack;
use super::error::BucketError;
use super::head::{Head, Object, Part, RunObject, run_number};
use super::records;
use super::remote::Sum;
use super::sending::{Put, Source};

/// A span of days is parted from its newest day once it is larger than that …
const SMALL_BYTES: usize = 64 << 10;
/// … and joins the span before it as long as both are no larger than that: a year is one or two of them.
const LARGE_BYTES: u64 = 2 << 20;

/// What is to be put before the head, and the head.
pub(crate) struct Derived {
    pub head: Head,
    pub puts: Vec<Put>,
}

/// What is derived of many events and lies in no folder here, by the names of its files.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Is what is known of the bucket here what its head says?
pub(crate) fn is_current(head: &Head, catalog: &ArchiveCatalog) -> Result<bool, BucketError> {
    let spans = spans(&head.parts.iter().map(|part| part.from.clone()).collect::<Vec<_>>());
    for (part, span) in head.parts.iter().zip(&spans) {
        if part.key != key(catalog, span)? {
            return Ok(false);
        }
    }
    let runs = catalog.runs();
    let has_all = runs.iter().all(|run| head.run(run.run).is_some() && run.path.is_file());
    Ok(has_all && (!head.parts.is_empty() || catalog.dates().is_empty()))
}

/// A span of days: from one, the first of all where it is the first, up to another, which is not in it.
struct Span {
    from: String,
    begin: Option<String>,
    end: Option<String>,
}

impl Span {
    fn has(&self, date: &str) -> bool {
        self.begin.as_deref().is_none_or(|begin| date >= begin) && self.end.as_deref().is_none_or(|end| date < end)
    }
}

fn spans(starts: &[String]) -> Vec<Span> {
    let each = starts.iter().enumerate();
    each.map(|(at, from)| Span {
        from: from.clone(),
        begin: (at > 0).then(|| from.clone()),
        end: starts.get(at + 1).cloned(),
    })
    .collect()
}

fn key(catalog: &ArchiveCatalog, span: &Span) -> Result<String, BucketError> {
    Ok(run_number(catalog.part_key(|date| span.has(date)).map_err(unencoded)?))
}

fn unencoded(error: std::io::Error) -> BucketError {
    BucketError::Damaged { place: "what is known about the files".to_owned(), detail: error.to_string() }
}

/// All that the catalog says, as far as the head that is there does not say it.
pub(crate) fn derive(
    layout: &Layout,
    catalog: &ArchiveCatalog,
    there: &Head,
    (records, kept): (&[Object], &Kept),
) -> Result<Derived, BucketError> {
    let mut puts = Vec::new();
    let (store, kept_from_ms, taken_out) = (there.store.clone(), there.kept_from_ms, there.taken_out.clone());
    let mut head = Head { store, kept_from_ms, taken_out, ..Head::default() };
    let storage = Storage::of(layout);
    for span in spans(&starts(catalog, there)?) {
        let key = key(catalog, &span)?;
        if let Some(part) = there.parts.iter().find(|part| part.key == key && part.from == span.from) {
            head.parts.push(part.clone());
            continue;
        }
        let facts = put(&mut puts, catalog.part(|date| span.has(date)).map_err(unencoded)?, "part");
        let rollups = rollups(catalog, (&storage, kept), &span).map(|bytes| put(&mut puts, bytes, "rollups"));
        head.parts.push(Part { from: span.from, key, facts, rollups });
    }
    for run in catalog.runs() {
        let object = match there.run(run.run) {
            Some(object) => object.clone(),
            None => {
                let unreadable = |source| StoreError::Io { action: "read", path: run.path.clone(), source };
                let sum = Sum::of_file(&run.path).map_err(unreadable)?;
                let name = format!("_catalog/{}.ids", run_number(run.run));
                puts.push(Put { name: name.clone(), source: Source::File(run.path.clone()), sum });
                Object { name, bytes: sum.bytes, crc: sum.crc }
            }
        };
        head.runs.push(RunObject { run: run_number(run.run), of_texts: run.of_texts, object });
    }
    let typical = kept.files.get(emp_typical::FILE_NAME).cloned();
    let typical = typical.or_else(|| storage.read_each(emp_typical::FILE_NAME).next());
    head.typical = match typical {
        Some(bytes) => Some(unless_there(&mut puts, bytes, "typical", there.typical.as_ref())),
        None => there.typical.clone(),
    };
    if !records.is_empty() {
        head.records = Some(unless_there(&mut puts, records::encode(records), "records", there.records.as_ref()));
    }
    Ok(Derived { head, puts })
}

fn put(puts: &mut Vec<Put>, bytes: Vec<u8>, extension: &str) -> Object {
    let object = Object::derived(&bytes, extension);
    puts.push(Put { name: object.name.clone(), sum: object.sum(), source: Source::Bytes(bytes) });
    object
}

fn unless_there(puts: &mut Vec<Put>, bytes: Vec<u8>, extension: &str, there: Option<&Object>) -> Object {
    let object = Object::derived(&bytes, extension);
    if there == Some(&object) { object } else { put(puts, bytes, extension) }
}

/// Where the spans of days begin: as before, but for the newest, which is parted where it has grown large.
fn starts(catalog: &ArchiveCatalog, there: &Head) -> Result<Vec<String>, BucketError> {
    let dates = catalog.dates();
    let mut starts: Vec<String> = there.parts.iter().map(|part| part.from.clone()).collect();
    let (Some(first), Some(newest)) = (dates.first(), dates.last()) else { return Ok(Vec::new()) };
    if starts.is_empty() {
        starts.push(first.clone());
    }
    // The first takes in all that came before it, too.
    starts.retain(|start| start <= newest);
    if starts.is_empty() {
        starts.push(first.clone());
    }
    let spans = spans(&starts);
    let Some(last) = spans.last() else { return Ok(starts) };
    let bytes = catalog.part(|date| last.has(date)).map_err(unencoded)?.len();
    let is_one_day = dates.iter().filter(|date| last.has(date)).count() <= 1;
    if bytes <= SMALL_BYTES || is_one_day {
        return Ok(starts);
    }
    let before = there.parts.len().checked_sub(2).and_then(|at| there.parts.get(at));
    if before.is_some_and(|before| starts.len() > 1 && before.facts.bytes + bytes as u64 <= LARGE_BYTES) {
        starts.pop();
    }
    starts.push(newest.clone());
    Ok(starts)
}

/// What the files of these days contribute to questions about many, as their room keeps it: a file for each day.
fn rollups(catalog: &ArchiveCatalog, (storage, kept): (&Storage, &Kept), span: &Span) -> Option<Vec<u8>> {
    let dates: BTreeSet<String> = catalog.dates().into_iter().filter(|date| span.has(date)).collect();
    let names = dates.iter().map(|date| emp_rollup::file_name(date));
    let read = |name: String| {
        let here = storage.read_each(&name).next();
        let bytes = match kept.files.get(&name) {
            Some(kept) => emp_rollup::together(&here.into_iter().chain([kept.clone()]).collect::<Vec<_>>()),
            None => here?,
        };
        Some((name, bytes))
    };
    let files: Vec<(String, Vec<u8>)> = names.filter_map(read).collect();
    (!files.is_empty()).then(|| pack(&files))
}
