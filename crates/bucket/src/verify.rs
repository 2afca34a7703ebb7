//! Reading everything that is in a bucket, to the last bit.

use std::collections::HashSet;
use std::fs;
use std::sync::Arc;

use futures::{StreamExt as _, stream};

use emp_catalog::ArchiveCatalog;
use emp_store::{Checksum, Partition, check_sum};

use super::address::Address;
use super::archiver::{name_of, read_head};
use super::cache::Cache;
use super::error::BucketError;
use super::fetching::get_all;
use super::head::{HEAD, Head, Object};
use super::records;
use super::remote::Remote;
use super::runtime::wait;

/// So many files are on their way at the same time; each is held whole.
const AT_ONCE: usize = 4;

/// What verifying a bucket came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Objects read.
    pub files: u64,
    /// Events in the files that the head lists.
    pub events: u64,
    /// Bytes read.
    pub bytes: u64,
    /// What is wrong.
    pub findings: Vec<Wrong>,
}

/// An object that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Its whole address.
    pub place: String,
    /// What is wrong with it.
    pub detail: String,
}

/// Reads every object of a store in a bucket, and looks for those that nothing refers to. `tell` hears of each that was
/// read, and how many there are.
///
/// # Errors
/// [`BucketError`] where the bucket does not answer, or has no head that can be read.
pub fn verify(address: &Address, tell: &mut dyn FnMut(u64, u64)) -> Result<Verified, BucketError> {
    let remote = Arc::new(Remote::open(address)?);
    let cache = Arc::new(Cache::of(address)?);
    let none = || BucketError::NoStore { address: address.to_string() };
    let head = read_head(&remote)?.ok_or_else(none)?;
    let mut verified = Verified { files: 1, events: head.events, ..Verified::default() };
    let files = files_of(&head, &remote, &cache)?;
    let listed = match &head.records {
        Some(object) => {
            records::decode(&get_all(&remote, vec![object.clone()])?.concat(), &remote.place(&object.name))?
        }
        None => Vec::new(),
    };
    let all = (files.len() + head.derived().count() + listed.len()) as u64;
    for object in head.derived().cloned().chain(listed.iter().cloned()) {
        let (asked, sum) = (Arc::clone(&remote), object.sum());
        let name = object.name.clone();
        let read = wait(async move { asked.get_checked(&name, sum).await });
        verified.take(remote.place(&object.name), read.map(|bytes| bytes.len() as u64))?;
        tell(verified.files, all);
    }
    for some in files.chunks(AT_ONCE) {
        for (name, read) in read_files(&remote, &cache, some) {
            verified.take(remote.place(&name), read)?;
        }
        tell(verified.files, all);
    }
    find_others(&head, &remote, (&files, &listed), &mut verified)?;
    Ok(verified)
}

impl Verified {
    fn take(&mut self, place: String, read: Result<u64, BucketError>) -> Result<(), BucketError> {
        self.files += 1;
        match read {
            Ok(bytes) => self.bytes += bytes,
            Err(BucketError::Damaged { detail, .. }) => self.findings.push(Wrong { place, detail }),
            Err(BucketError::Missing { .. }) => {
                self.findings.push(Wrong { place, detail: "the head lists it, and it is not there".to_owned() });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn files_of(head: &Head, remote: &Arc<Remote>, cache: &Cache) -> Result<Vec<Partition>, BucketError> {
    let parts = get_all(remote, head.parts.iter().map(|part| part.facts.clone()).collect())?;
    let mut catalog = ArchiveCatalog::load(cache.layout(), &cache.path("store", "nothing"));
    let damaged =
        |error: std::io::Error| BucketError::Damaged { place: remote.place("_catalog"), detail: error.to_string() };
    catalog.restore(&parts).map_err(damaged)?;
    Ok(catalog.files())
}

/// Reads files whole, each with the checksum in it.
fn read_files(
    remote: &Arc<Remote>,
    cache: &Arc<Cache>,
    files: &[Partition],
) -> Vec<(String, Result<u64, BucketError>)> {
    let each: Vec<(String, u64)> = files.iter().map(|file| (name_of(file), file.bytes)).collect();
    let (remote, cache) = (Arc::clone(remote), Arc::clone(cache));
    wait(async move {
        let read = each.into_iter().map(|(name, bytes)| {
            let (remote, cache) = (Arc::clone(&remote), Arc::clone(&cache));
            async move {
                let read = read_file(&remote, &cache, &name, bytes).await;
                (name, read)
            }
        });
        stream::iter(read).buffered(AT_ONCE).collect().await
    })
}

async fn read_file(remote: &Remote, cache: &Cache, name: &str, bytes: u64) -> Result<u64, BucketError> {
    let fetched = remote.get(name, bytes).await?;
    let damaged = |detail: String| BucketError::Damaged { place: remote.place(name), detail };
    if fetched.len() as u64 != bytes {
        return Err(damaged(format!("it has {} bytes, not {bytes}", fetched.len())));
    }
    let path = cache.path("files", &format!("{:016x}.verified", xxhash_rust::xxh3::xxh3_64(name.as_bytes())));
    cache.write(&path, &fetched).map_err(|source| BucketError::Io { action: "write", path: path.clone(), source })?;
    let sum = check_sum(&path);
    let _ = fs::remove_file(&path);
    match sum? {
        Checksum::Broken => Err(damaged("its checksum does not match".to_owned())),
        Checksum::Holds | Checksum::Missing => Ok(bytes),
    }
}

/// What lies there and nothing refers to: an upload that was begun and never committed, or somebody else's.
fn find_others(
    head: &Head,
    remote: &Arc<Remote>,
    (files, records): (&[Partition], &[Object]),
    verified: &mut Verified,
) -> Result<(), BucketError> {
    let asked = Arc::clone(remote);
    let there = wait(async move { asked.list("").await })?;
    let derived = head.derived().map(|object| object.name.clone());
    let dropped = head.dropped.iter().map(|one| one.name.clone());
    let known = files.iter().map(name_of).chain(derived).chain(dropped);
    let known: HashSet<String> =
        known.chain(records.iter().map(|object| object.name.clone())).chain([HEAD.to_owned()]).collect();
    for (name, _) in there.into_iter().filter(|(name, _)| !known.contains(name)) {
        let detail = if name.starts_with("date=") {
            "the head does not list it: an upload that `emp-events archive` has still to commit, or somebody else's; other \
             engines read it"
        } else {
            "nothing refers to it: left over from an upload that was cut short, or somebody else's"
        };
        verified.findings.push(Wrong { place: remote.place(&name), detail: detail.to_owned() });
    }
    Ok(())
}
