//! From a client's events through its spool into a store: each is there once, as it was emitted. Then the spool is
//! damaged: what is still a line counts, and nothing is there twice.
//!
//! A line of the input is an event: `{"eventType": …, "level": …, "jobId": …, "data": {…}}`. Two bytes at the end say
//! where the spool is damaged.

#![no_main]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use emp_event::{EntryId, Event};
use emp_events_client::{EventClient, Ids, Level, Reason};
use emp_fuzz::{events, new_folder};
use emp_import::{Format, Importer, Summary};
use emp_store::Layout;
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::{Map, Value};

/// Small, so that a few events fill several.
const FILE_BYTES_MAX: u64 = 1_000;
const SERVICE: &str = "a service/ü";

/// Emits what each line says; the client's ends spools all of it, since there is no Redis. How many it has spooled.
fn spool(lines: &[Map<String, Value>], folder: &Path) -> u64 {
    let client = EventClient::builder(SERVICE)
        .enabled(true)
        .url(format!("unix://{}", folder.join("no-redis").display()))
        .rate_limit(0, 0)
        .spool_dir(folder)
        .max_spool_file_bytes(FILE_BYTES_MAX)
        .build()
        .expect("a client");
    lines.iter().for_each(|line| emit(&client, line));
    client.close(Duration::ZERO);
    let stats = client.stats();
    assert_eq!(stats.emitted, lines.len() as u64);
    assert_eq!(stats.spooled + stats.dropped_by(Reason::TooLarge), stats.emitted, "{stats:?}");
    stats.spooled
}

fn emit(client: &EventClient, line: &Map<String, Value>) {
    let text = |name: &str| line.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut event = client.event(text("eventType").unwrap_or_default()).ids(Ids {
        trace_id: text("traceId"),
        job_id: text("jobId"),
        worker_id: text("workerId"),
        machine_id: text("machineId"),
        user_id: text("userId"),
    });
    if let Some(level) = text("level").and_then(|level| level.parse::<Level>().ok()) {
        event = event.level(level);
    }
    if let Some(data) = line.get("data") {
        event = event.data(data.clone());
    }
    event.emit();
}

/// The spool's files, oldest first.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut files: Vec<Vec<u8>> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| std::fs::read(entry.expect("a file").path()).expect("a file"))
        .collect();
    files.sort();
    files
}

fn import(layout: &Layout, files: &[Vec<u8>]) -> Summary {
    let mut importer = Importer::new(layout, Format::default()).expect("a store");
    for file in files {
        // One of which nothing is left is no error here.
        let _ = importer.add(file.as_slice(), &mut |_| {});
    }
    let (summary, stored) = importer.finish();
    stored.expect("the disk takes it");
    summary
}

/// Type and job of each event, in one order.
fn kinds<'a>(events: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Vec<(String, Option<String>)> {
    let mut kinds: Vec<_> = events.map(|(name, job)| (name.to_owned(), job.map(str::to_owned))).collect();
    kinds.sort();
    kinds
}

fn check_same(lines: &[Map<String, Value>], stored: &[Event<'_>]) {
    let emitted = lines.iter().map(|line| {
        let text = |name: &str| line.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        (text("eventType").unwrap_or("unnamed"), text("jobId"))
    });
    let found = stored.iter().map(|event| (event.event_type.as_ref(), event.job_id.as_deref()));
    // An id that stands in the data is one, too.
    let has_job = |line: &Map<String, Value>| line.get("data").is_some_and(|data| data.to_string().contains("jobId"));
    if !lines.iter().any(has_job) {
        assert_eq!(kinds(found), kinds(emitted));
    }
    assert!(stored.iter().all(|event| event.service == SERVICE));
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((text, place)) = bytes.split_last_chunk::<2>() else { return Corpus::Reject };
    let objects = text.split(|byte| *byte == b'\n').map(serde_json::from_slice::<Map<String, Value>>);
    let lines: Vec<Map<String, Value>> = objects.filter_map(Result::ok).take(50).collect();
    if lines.is_empty() {
        return Corpus::Reject;
    }
    let (folder, store) = (new_folder(), new_folder());
    let spooled = spool(&lines, folder.path());
    let mut files = files(folder.path());
    let layout = Layout::new(store.path());
    let taken = import(&layout, &files);
    assert_eq!((taken.events, taken.quarantined), (spooled, 0), "{taken:?}");
    let stored = events(&layout).expect("it is read");
    assert_eq!(stored.len() as u64, taken.events);
    if spooled == lines.len() as u64 {
        check_same(&lines, &stored);
    }
    let again = import(&layout, &files);
    assert_eq!((again.events, again.quarantined, again.already_there), (0, 0, spooled));

    let place = usize::from(u16::from_le_bytes(*place));
    let Some(file) = files.first_mut().filter(|file| !file.is_empty()) else { return Corpus::Keep };
    let at = place / 8 % file.len();
    file[at] ^= 1 << (place % 8);
    let store = new_folder();
    let layout = Layout::new(store.path());
    let taken = import(&layout, &files);
    let stored = events(&layout).expect("it is read");
    let ids: BTreeSet<EntryId> = stored.iter().map(|event| event.id).collect();
    assert_eq!((ids.len() as u64, stored.len() as u64), (taken.events, taken.events));
    Corpus::Keep
});
