//! A bucket beside a simulated disk: it notes what is put into it and how far the disk was then, and makes some of what it
//! is asked fail.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::simulated_disk::SimulatedDisk;
use crate::runtime::wait;

/// What was done to the bucket.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Put(Path, PutPayload, Attributes),
    Delete(Path),
}

/// How a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nobody hears of it.
    Unheard,
    /// It is carried out, and nobody hears that it was.
    Unanswered,
}

#[derive(Debug)]
pub(super) struct Device {
    memory: InMemory,
    disk: Arc<SimulatedDisk>,
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    /// Each with how many operations the disk had done.
    changes: Vec<(usize, Change)>,
    asked: usize,
    failing: Option<(usize, Failure)>,
}

impl Device {
    /// An empty bucket, of which that request fails.
    pub fn beside(disk: &Arc<SimulatedDisk>, failing: Option<(usize, Failure)>) -> Arc<Self> {
        let noted = Mutex::new(Noted { failing, ..Noted::default() });
        Arc::new(Self { memory: InMemory::new(), disk: Arc::clone(disk), noted })
    }

    /// What was done so far.
    pub fn changes(&self) -> Vec<(usize, Change)> {
        self.noted.lock().unwrap().changes.clone()
    }

    /// How many requests were made.
    pub fn asked(&self) -> usize {
        self.noted.lock().unwrap().asked
    }

    /// Carries out what was done to another one.
    pub fn apply(self: &Arc<Self>, change: &Change) {
        let (device, change) = (Arc::clone(self), change.clone());
        wait(async move {
            match change {
                Change::Put(path, payload, attributes) => {
                    let options = PutOptions { attributes, ..PutOptions::default() };
                    device.memory.put_opts(&path, payload, options).await.unwrap();
                }
                Change::Delete(path) => device.memory.delete(&path).await.unwrap(),
            }
        });
    }

    /// Counts a request, and fails where it is to fail.
    fn ask(&self) -> Option<Failure> {
        let mut noted = self.noted.lock().unwrap();
        noted.asked += 1;
        let (at, failure) = noted.failing?;
        (at == noted.asked).then_some(failure)
    }

    fn note(&self, change: Change) {
        let done = self.disk.done();
        self.noted.lock().unwrap().changes.push((done, change));
    }
}

fn failed<T>() -> Result<T> {
    Err(Error::Generic { store: "a bucket", source: "the line is dead".into() })
}

impl std::fmt::Display for Device {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a bucket in memory")
    }
}

#[async_trait]
impl ObjectStore for Device {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let failure = self.ask();
        if failure == Some(Failure::Unheard) {
            return failed();
        }
        let change = Change::Put(path.clone(), payload.clone(), options.attributes.clone());
        assert!(matches!(options.mode, PutMode::Create | PutMode::Overwrite), "no other condition is relied on");
        let put = self.memory.put_opts(path, payload, options).await?;
        self.note(change);
        if failure.is_some() { failed() } else { Ok(put) }
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        // The files of these tests are small; larger ones go to a real server.
        failed()
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        if self.ask().is_some() { failed() } else { self.memory.get_opts(path, options).await }
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        // Whoever deletes here deletes one; it is noted as it is asked, since nobody waits for more than that.
        let paths: Vec<Result<Path>> = futures::executor::block_on(paths.collect());
        let mut kept = Vec::new();
        for path in paths {
            let failure = self.ask();
            match path {
                Ok(path) if failure != Some(Failure::Unheard) => {
                    self.note(Change::Delete(path.clone()));
                    kept.push(Ok(path));
                }
                _ => return futures::stream::iter([failed()]).boxed(),
            }
        }
        self.memory.delete_stream(futures::stream::iter(kept).boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.memory.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.memory.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.memory.copy_opts(from, to, options).await
    }
}
