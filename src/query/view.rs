//! The store as the queries of one engine see it: a snapshot, and the footers read so far.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use futures::future::try_join_all;

use super::footer::{Footer, FooterError};
use crate::store::{Layout, Partition, Snapshot, StoreError};

/// A file was listed and is gone: the snapshot is too old to be read any more.
#[derive(Debug, thiserror::Error)]
#[error("{} is gone", .0.display())]
pub(super) struct Vanished(pub PathBuf);

/// The store's folder, and what was last seen in it.
#[derive(Debug)]
pub(super) struct Source {
    layout: Layout,
    view: RwLock<Arc<View>>,
}

impl Source {
    /// Looks at the store.
    pub fn open(layout: &Layout) -> Result<Self, StoreError> {
        let view = View::read(layout)?;
        Ok(Self { layout: layout.clone(), view: RwLock::new(Arc::new(view)) })
    }

    /// What is seen now.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks again.
    pub fn refresh(&self) -> Result<(), StoreError> {
        let view = Arc::new(View::read(&self.layout)?);
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view;
        Ok(())
    }
}

type Outcome = Result<Arc<Footer>, String>;

/// One snapshot.
#[derive(Debug)]
pub(super) struct View {
    pub snapshot: Snapshot,
    /// The store's folder as it was given, and without links and `..` in it.
    root: (PathBuf, PathBuf),
    /// By path; each footer is read once, however many scans and queries need it.
    footers: Mutex<HashMap<PathBuf, Outcome>>,
}

impl View {
    fn read(layout: &Layout) -> Result<Self, StoreError> {
        let snapshot = Snapshot::read(layout)?;
        let given = layout.root().to_owned();
        // The folder was there a moment ago; a name that cannot be resolved stays as it is.
        let absolute = given.canonicalize().unwrap_or_else(|_| given.clone());
        Ok(Self { snapshot, root: (given, absolute), footers: Mutex::default() })
    }

    /// The path of one of the store's files from the root of the file system.
    pub fn absolute(&self, path: &Path) -> PathBuf {
        let (given, absolute) = &self.root;
        path.strip_prefix(given).map_or_else(|_| path.to_owned(), |inside| absolute.join(inside))
    }

    /// The footers of these files, in their order; `None` where a file has to be skipped.
    pub async fn footers(&self, files: &[&Partition]) -> Result<Vec<Option<Arc<Footer>>>, Vanished> {
        let missing: Vec<PathBuf> = {
            let known = self.lock();
            files.iter().map(|file| &file.path).filter(|path| !known.contains_key(*path)).cloned().collect()
        };
        let read = read_all(missing).await?;
        let mut known = self.lock();
        known.extend(read);
        Ok(files.iter().map(|file| known.get(&file.path)?.as_ref().ok().cloned()).collect())
    }

    /// How many footers have been read.
    #[cfg(test)]
    pub fn footers_read(&self) -> usize {
        self.lock().len()
    }

    /// A line for each file that was left out, as far as queries have met it.
    pub fn warnings(&self) -> Vec<String> {
        let listed = self.snapshot.skipped.iter().map(|error| match error {
            StoreError::Damaged { path, detail } => skipped(path, detail),
            other => format!("skipped a file: {other}"),
        });
        let mut warnings: Vec<String> = listed.collect();
        let known = self.lock();
        warnings.extend(known.iter().filter_map(|(path, outcome)| Some(skipped(path, outcome.as_ref().err()?))));
        warnings.sort();
        warnings
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Outcome>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.footers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn skipped(path: &Path, reason: &str) -> String {
    format!("skipped {}: {reason}", path.display())
}

/// Reads footers on as many threads as there are processors.
async fn read_all(paths: Vec<PathBuf>) -> Result<Vec<(PathBuf, Outcome)>, Vanished> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = paths.len().div_ceil(threads).max(1);
    let tasks = paths.chunks(share).map(|share| {
        let share = share.to_vec();
        tokio::task::spawn_blocking(move || share.into_iter().map(read).collect::<Result<Vec<_>, _>>())
    });
    // A task fails to be joined only where the runtime is being shut down, or where reading
    // panicked, which is then the query's panic.
    let read = try_join_all(tasks).await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    let read: Vec<Vec<_>> = read.into_iter().collect::<Result<_, _>>()?;
    Ok(read.into_iter().flatten().collect())
}

fn read(path: PathBuf) -> Result<(PathBuf, Outcome), Vanished> {
    match Footer::read(&path) {
        Ok(footer) => Ok((path, Ok(Arc::new(footer)))),
        Err(FooterError::Unusable(reason)) => Ok((path, Err(reason))),
        Err(FooterError::Vanished) => Err(Vanished(path)),
    }
}
