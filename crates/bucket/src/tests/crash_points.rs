//! The power is cut after every single operation of the disk and every change of the bucket in the life of a store that
//! archives its hours and lets them leave, and each request to the bucket fails once: each event is here or there, once,
//! and nothing has left that is not there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use emp_catalog::{ArchiveCatalog, IndexingPace};
use emp_event::{EntryId, decode};
use emp_store::{DirectWriter, Layout, Partition, Row, Snapshot, Writer};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::device::{Change, Device, Failure};
use super::simulated_disk::{self, Cut, Disk, SimulatedDisk};
use crate::archiver::{Archiver, Settings, name_of, read_head};
use crate::error::BucketError;
use crate::fetching::get_all;
use crate::remote::Remote;
use crate::runtime::wait;

const CUTS: [Cut; 5] = [Cut::Kill, Cut::Kept, Cut::Lost, Cut::Torn(1), Cut::Torn(2)];
/// 2025-09-27 14:00:00 UTC.
const HOUR_14: u64 = 1_758_981_600_000;
const HOUR_MS: u64 = 3_600_000;
/// The hours of the first import, and of both.
const HOURS: [u64; 2] = [3, 5];
const EVENTS_OF_HOUR: u64 = 4;

/// Files by the names that they have in the bucket.
type Files = BTreeMap<String, Vec<u8>>;

/// Stores the events of so many hours, as far as they are not stored.
fn import(layout: &Layout, hours: u64) {
    let mut store = DirectWriter::open(layout, &Writer::new("spool-1").unwrap()).unwrap();
    let fields = [("service", "worker"), ("eventType", "job.claimed"), ("jobId", "job_1")];
    for number in 0..hours * EVENTS_OF_HOUR {
        let ms = HOUR_14 + number / EVENTS_OF_HOUR * HOUR_MS + number % EVENTS_OF_HOUR;
        let id: EntryId = format!("{ms}-0").parse().unwrap();
        if id > store.last_event() {
            store.push_event(&Row::from(&decode(id, &fields).unwrap())).unwrap();
        }
    }
    store.finish().unwrap();
}

/// So many minutes after all hours were over.
fn later(minutes: i64) -> i64 {
    (HOUR_14 + HOURS[1] * HOUR_MS) as i64 + minutes * 60_000
}

fn remote(bucket: &Arc<Device>) -> Arc<Remote> {
    Arc::new(Remote::over(&"s3://bucket/p".parse().unwrap(), bucket.clone()))
}

fn open(layout: &Layout, bucket: &Arc<Device>) -> Result<Archiver, BucketError> {
    let settings =
        Settings { pace: IndexingPace::hurried(), at_once: 1, take_over: false, on_file: Arc::new(|_: &Path, _| ()) };
    Archiver::open_at(layout, || Ok(remote(bucket)), settings)
}

/// Puts there what is not there, an hour a commit.
fn archive(layout: &Layout, bucket: &Arc<Device>, now_ms: i64) -> Result<(), BucketError> {
    let mut archiver = open(layout, bucket)?;
    while archiver.step(now_ms, 1)?.is_more {}
    Ok(())
}

fn let_leave(layout: &Layout, bucket: &Arc<Device>, now_ms: i64) -> Result<u64, BucketError> {
    open(layout, bucket)?.release(Duration::from_secs(1), now_ms)
}

/// Hours go there and leave, twice. Where a request fails, it is done again, as by a collector.
fn live(layout: &Layout, bucket: &Arc<Device>) {
    let again = |work: &dyn Fn() -> Result<(), BucketError>| {
        // One request fails, and may be the only one of its kind.
        work().or_else(|_| work()).unwrap();
    };
    for (hours, minutes) in HOURS.into_iter().zip([0, 100]) {
        import(layout, hours);
        again(&|| archive(layout, bucket, later(minutes)));
        again(&|| let_leave(layout, bucket, later(minutes + 16)).map(drop));
    }
}

/// The files that count in the folder.
fn here(layout: &Layout) -> Files {
    let files = Snapshot::read(layout).unwrap().partitions;
    files.iter().map(|file| (name_of(file), fs::read(&file.path).unwrap())).collect()
}

/// The files that the head in the bucket lists, and how many events it says they hold.
fn there(bucket: &Arc<Device>) -> (Files, u64) {
    let remote = remote(bucket);
    let Some(head) = read_head(&remote).unwrap() else { return (Files::new(), 0) };
    let parts = get_all(&remote, head.parts.iter().map(|part| part.facts.clone()).collect()).unwrap();
    let folder = super::new_folder();
    let layout = Layout::new(folder.path().join("nothing"));
    let mut catalog = ArchiveCatalog::load(&layout, layout.root());
    catalog.restore(&parts).unwrap();
    let get = |file: &Partition| {
        let (remote, name, bytes) = (Arc::clone(&remote), name_of(file), file.bytes);
        let asked = name.clone();
        (name, wait(async move { remote.get(&asked, bytes).await }).unwrap())
    };
    (catalog.files().iter().map(get).collect(), head.events)
}

/// A crash has left this: nothing may be missing, and what goes on ends as if there had been none.
fn check(layout: &Layout, bucket: &Arc<Device>, stored: &Files, all: &Files, context: &str) {
    let (left, (put, _)) = (here(layout), there(bucket));
    for (name, bytes) in stored {
        let found = left.get(name).or_else(|| put.get(name));
        assert_eq!(found, Some(bytes), "{context}: {name} is neither here nor there");
    }
    for (name, bytes) in left.iter().chain(&put) {
        assert_eq!(all.get(name), Some(bytes), "{context}: {name}");
    }
    import(layout, HOURS[1]);
    archive(layout, bucket, later(300)).unwrap_or_else(|error| panic!("{context}: {error}"));
    let gone = let_leave(layout, bucket, later(400)).unwrap_or_else(|error| panic!("{context}: {error}"));
    let (put, events) = there(bucket);
    assert_eq!(&put, all, "{context}, gone on");
    assert_eq!(events, HOURS[1] * EVENTS_OF_HOUR, "{context}, gone on: {gone} files left");
    assert_eq!(here(layout), Files::new(), "{context}, gone on");
    // What has left is known to be stored.
    import(layout, HOURS[1]);
    assert_eq!(here(layout), Files::new(), "{context}, delivered again");
}

/// What a store without any archive holds of so many hours.
fn plain(hours: u64) -> Files {
    let folder = super::new_folder();
    let layout = Layout::new(folder.path().join("store"));
    import(&layout, hours);
    here(&layout)
}

/// Something that was done, in the order in which it was.
enum Done<'a> {
    OnDisk(&'a simulated_disk::Change),
    InBucket(&'a Change),
}

#[test]
fn after_a_crash_at_any_operation_of_disk_or_bucket_each_event_is_here_or_there_once() {
    let (folder, layout, simulated) = SimulatedDisk::new_store(0..0);
    let bucket = Device::beside(&simulated, None);
    let both = [plain(HOURS[0]), plain(HOURS[1])];
    live(&layout, &bucket);
    let (on_disk, in_bucket) = (simulated.changes(), bucket.changes());
    // What is stored for good: all of an import once something was put after it.
    let mut done: Vec<Done<'_>> = Vec::new();
    let mut put = in_bucket.iter().peekable();
    for at in 0..=on_disk.len() {
        while let Some((_, change)) = put.next_if(|(after, _)| *after <= at) {
            done.push(Done::InBucket(change));
        }
        done.extend(on_disk.get(at).map(Done::OnDisk));
    }
    assert_eq!(done.len(), on_disk.len() + in_bucket.len());
    let mut disk = Disk::new(&folder.path().join("store"));
    let (mut changes, mut stored) = (Vec::new(), Files::new());
    for (index, one) in done.iter().enumerate() {
        let what = match one {
            Done::OnDisk(change) => {
                disk.apply(change);
                format!("{change:?}")
            }
            Done::InBucket(change) => {
                changes.push(*change);
                if let Change::Put(path, ..) = change {
                    let is_of = |files: &&Files| files.keys().any(|name| path.as_ref() == format!("p/{name}"));
                    stored.extend(both.iter().find(is_of).cloned().unwrap_or_default());
                }
                format!("{change:?}")
            }
        };
        let what: String = what.chars().take(120).collect();
        for cut in CUTS {
            let seed = if let Cut::Torn(seed) = cut { seed } else { 0 };
            let (_folder, layout, recovering) = SimulatedDisk::new_store(0..0);
            disk.restore(cut, &mut ChaCha8Rng::seed_from_u64(seed), layout.root());
            let bucket = Device::beside(&recovering, None);
            changes.iter().for_each(|change| bucket.apply(change));
            check(&layout, &bucket, &stored, &both[1], &format!("crash after step {index} ({what}), {cut:?}"));
        }
    }
    assert!(done.len() > 100 && in_bucket.len() > 20, "{} and {}", on_disk.len(), in_bucket.len());
}

#[test]
fn whatever_request_fails_each_event_is_here_or_there_once() {
    let all = plain(HOURS[1]);
    for failure in [Failure::Unheard, Failure::Unanswered] {
        for at in 1.. {
            let (_folder, layout, simulated) = SimulatedDisk::new_store(0..0);
            let bucket = Device::beside(&simulated, Some((at, failure)));
            live(&layout, &bucket);
            if bucket.asked() < at {
                assert!(at > 40, "a life has more than {at} requests");
                break;
            }
            check(&layout, &bucket, &all, &all, &format!("request {at} is {failure:?}"));
        }
    }
}
