//! The store as the queries of one engine see it: a snapshot, and what the catalog knows about it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;

use datafusion::error::DataFusionError;

use emp_catalog::{Catalog, ClosedDays, Indexed, IndexingPace, MissingFile, Sealed, SealedFiles};
use emp_store::{Layout, Partition, Snapshot, StoreError, visible_partitions};

use super::QueryError;
use super::background::in_background;
use super::warning::Warning;

/// Looks in vain for a moment in which no file goes.
const LOOKS_MAX: usize = 5;
/// Up to this many files that the index does not know are cheaper to read than to index.
const NOT_INDEXED_MAX: usize = 32;

/// What is learned from files, once, for this question and all that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learning {
    /// The ids in them, for the index.
    Ids,
    /// The words of their texts, for the index.
    Texts,
    /// What each of their hours contributes.
    Hours,
    /// What the steps of the jobs in them contribute.
    Jobs,
}

impl From<Indexed> for Learning {
    fn from(indexed: Indexed) -> Self {
        match indexed {
            Indexed::Ids => Self::Ids,
            Indexed::Texts => Self::Texts,
        }
    }
}

/// Told while something is learned from files: from how many of them it is, of how many.
pub type OnLearning = Arc<dyn Fn(Learning, usize, usize) + Send + Sync>;

/// The store's folder, and what was last seen in it.
pub(super) struct Source {
    layout: Layout,
    state: Mutex<State>,
    pub on_learning: OnLearning,
}

enum State {
    /// A thread looks, while the question is being understood, which may turn out to need no table.
    Looking(JoinHandle<Result<View, ViewError>>),
    Seen(Arc<View>),
    /// Why nothing can be seen; taken by whoever says so.
    Failed(Option<ViewError>),
}

/// Why the store cannot be seen.
#[derive(Debug, thiserror::Error)]
enum ViewError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    MissingFile(#[from] MissingFile),
}

/// [`Source::failure`] tells why.
#[derive(Debug, thiserror::Error)]
#[error("the store cannot be seen")]
pub(super) struct Unseen;

impl From<Unseen> for DataFusionError {
    fn from(unseen: Unseen) -> Self {
        Self::External(Box::new(unseen))
    }
}

impl Source {
    /// Begins to look at the store.
    pub fn open(layout: &Layout, on_learning: Option<OnLearning>) -> Self {
        let on_learning = on_learning.unwrap_or_else(|| Arc::new(|_, _, _| ()));
        Self { layout: layout.clone(), state: Mutex::new(State::look(layout)), on_learning }
    }

    /// The store's places.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What is seen now, with all files.
    pub fn view(&self) -> Result<Arc<View>, Unseen> {
        let view = self.view_in_part()?;
        self.look_at(&view, |closed| vec![true; closed.days.len()])?;
        Ok(view)
    }

    /// Has days looked at of which nothing is known but what was kept: those that are needed, by their places.
    pub fn look_at(
        &self,
        view: &View,
        are_needed: impl FnOnce(&ClosedDays) -> Vec<bool>,
    ) -> Result<Arc<SealedFiles>, Unseen> {
        view.look_at(are_needed).map_err(|error| {
            *lock(&self.state) = State::Failed(Some(error));
            Unseen
        })
    }

    /// What is seen now; where there are many files, those of the last days, and none of [`View::closed`].
    pub fn view_in_part(&self) -> Result<Arc<View>, Unseen> {
        let mut state = lock(&self.state);
        if let State::Looking(_) = *state {
            *state = std::mem::replace(&mut *state, State::Failed(None)).seen();
        }
        match &*state {
            State::Seen(view) => Ok(Arc::clone(view)),
            _ => Err(Unseen),
        }
    }

    /// As [`Self::view`], with the reason where there is nothing.
    pub fn view_or_failure(&self) -> Result<Arc<View>, QueryError> {
        self.or_failure(|| self.view())
    }

    /// As [`Self::view_in_part`], with those of its files that are needed, with the reason where there is nothing.
    pub fn part_or_failure(
        &self,
        are_needed: impl Fn(&ClosedDays) -> Vec<bool>,
    ) -> Result<(Arc<View>, Arc<SealedFiles>), QueryError> {
        self.or_failure(|| {
            let view = self.view_in_part()?;
            let sealed = self.look_at(&view, &are_needed)?;
            Ok((view, sealed))
        })
    }

    fn or_failure<T>(&self, see: impl Fn() -> Result<T, Unseen>) -> Result<T, QueryError> {
        loop {
            match see() {
                Ok(seen) => return Ok(seen),
                // Where somebody else has said why, it is looked at again.
                Err(Unseen) => self.failure().map_or(Ok(()), Err)?,
            }
        }
    }

    /// What is seen now, if anything had to be looked at.
    pub fn seen(&self) -> Option<Arc<View>> {
        match &*lock(&self.state) {
            State::Seen(view) => Some(Arc::clone(view)),
            _ => None,
        }
    }

    /// Why nothing can be seen, if that was the matter. The next question looks again.
    pub fn failure(&self) -> Option<QueryError> {
        let mut state = lock(&self.state);
        let State::Failed(error) = &mut *state else { return None };
        let error = error.take();
        *state = State::look(&self.layout);
        Some(match error? {
            ViewError::Store(error) => QueryError::Store(error),
            ViewError::MissingFile(MissingFile(path)) => QueryError::Unsettled { path },
        })
    }

    /// Looks again.
    pub fn refresh(&self) {
        *lock(&self.state) = State::look(&self.layout);
    }
}

impl State {
    fn look(layout: &Layout) -> Self {
        let layout = layout.clone();
        Self::Looking(std::thread::spawn(move || View::read(&layout)))
    }

    fn seen(self) -> Self {
        let Self::Looking(thread) = self else { return self };
        match thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
            Ok(view) => Self::Seen(Arc::new(view)),
            Err(error) => Self::Failed(Some(error)),
        }
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("layout", &self.layout).finish_non_exhaustive()
    }
}

/// One snapshot.
#[derive(Debug)]
pub(super) struct View {
    /// Without the sealed files, which stand in [`Self::sealed`].
    pub snapshot: Snapshot,
    layout: Layout,
    /// The store's folder as it was given, and without links and `..` in it.
    root: (PathBuf, PathBuf),
    catalog: Mutex<Catalog>,
    files: RwLock<Files>,
    /// Files that queries have met and left out, or read in part.
    met: Mutex<BTreeSet<Warning>>,
}

/// The sealed files, each day as it was when it was looked at.
#[derive(Debug, Clone)]
struct Files {
    sealed: Arc<SealedFiles>,
    closed: Arc<ClosedDays>,
}

type List = fn(&mut Catalog, &mut Vec<StoreError>) -> Result<Vec<Partition>, StoreError>;

impl View {
    fn read(layout: &Layout) -> Result<Self, ViewError> {
        let mut catalog = Catalog::load(layout);
        let mut snapshot = snapshot(layout, &mut catalog, Catalog::list_recent)?;
        let since = catalog.listed_since();
        if snapshot.segments.iter().any(|segment| since.is_some_and(|since| segment.hour < since)) {
            // What it is sealed into may be in a file that was not listed.
            snapshot = self::snapshot(layout, &mut catalog, Catalog::list)?;
        }
        save(&mut catalog);
        let sealed = Arc::new(catalog.sealed(std::mem::take(&mut snapshot.partitions)));
        let files = RwLock::new(Files { sealed, closed: Arc::new(catalog.closed()) });
        let given = layout.root().to_owned();
        // The folder was there a moment ago; a name that cannot be resolved stays as it is.
        let absolute = given.canonicalize().unwrap_or_else(|_| given.clone());
        Ok(Self {
            snapshot,
            layout: layout.clone(),
            root: (given, absolute),
            catalog: Mutex::new(catalog),
            files,
            met: Mutex::default(),
        })
    }

    /// The path of one of the store's files from the root of the file system.
    pub fn absolute(&self, path: &Path) -> PathBuf {
        let (given, absolute) = &self.root;
        path.strip_prefix(given).map_or_else(|_| path.to_owned(), |inside| absolute.join(inside))
    }

    /// The sealed files, and what is known about them: all, unless [`Self::closed`] has more.
    pub fn sealed(&self) -> Arc<SealedFiles> {
        self.files().sealed
    }

    /// The days whose files are not among [`Self::sealed`].
    pub fn closed(&self) -> Arc<ClosedDays> {
        self.files().closed
    }

    fn files(&self) -> Files {
        self.files.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at those days of [`Self::closed`] that are needed, which is done once for each.
    fn look_at(&self, are_needed: impl FnOnce(&ClosedDays) -> Vec<bool>) -> Result<Arc<SealedFiles>, ViewError> {
        if self.closed().days.is_empty() {
            return Ok(self.sealed());
        }
        let mut catalog = lock(&self.catalog);
        // Another question may have done it meanwhile.
        let Files { sealed, closed } = self.files();
        let are_needed = are_needed(&closed);
        if !are_needed.contains(&true) {
            return Ok(sealed);
        }
        let needed = || closed.days.iter().zip(&are_needed).filter(|(_, is_needed)| **is_needed).map(|(day, _)| day);
        let mut skipped = Vec::new();
        let list = |catalog: &mut Catalog| {
            skipped.clear();
            visible_partitions(&self.layout, |skipped| catalog.list_days(needed(), skipped), &mut skipped)
        };
        let listed = settled(&mut catalog, list, |files| files)?;
        save(&mut catalog);
        skipped.iter().for_each(|error| self.skip(error));
        let mut files: Vec<Partition> = sealed.files.iter().map(|file| file.partition.clone()).collect();
        files.extend(listed);
        // Each hour is of one of both.
        files.sort_by_key(|file| file.hour);
        let files = Files { sealed: Arc::new(catalog.sealed(files)), closed: Arc::new(catalog.closed()) };
        let sealed = Arc::clone(&files.sealed);
        *self.files.write().unwrap_or_else(PoisonError::into_inner) = files;
        Ok(sealed)
    }

    /// Are there many of these files that the index does not know, and can what it learns be kept for the next
    /// question?
    pub fn should_index(&self, what: Indexed, files: &[&Sealed]) -> bool {
        let unknown = files.iter().filter(|file| file.is_not_indexed(what)).count();
        unknown > NOT_INDEXED_MAX && lock(&self.catalog).can_be_saved()
    }

    /// The sealed files once the index knows all that it can.
    pub async fn with_all_indexed(self: &Arc<Self>, what: Indexed, on_learning: &OnLearning) -> Arc<SealedFiles> {
        let (view, on_learning) = (Arc::clone(self), Arc::clone(on_learning));
        in_background(move || view.index(what, &*on_learning)).await;
        self.sealed()
    }

    fn index(&self, what: Indexed, on_learning: &(dyn Fn(Learning, usize, usize) + Send + Sync)) {
        // Runs are merged, and all their files have to be known then.
        if self.look_at(|closed| vec![true; closed.days.len()]).is_err() {
            return;
        }
        let mut catalog = lock(&self.catalog);
        // Another scan may have done it meanwhile.
        let known = self.sealed();
        let missing = known.not_indexed(what);
        if missing == 0 {
            return;
        }
        let files: Vec<Partition> = known.files.iter().map(|file| file.partition.clone()).collect();
        // A cache that cannot be written is no reason not to answer.
        let _ = catalog.index(&files, what, IndexingPace::hurried(), &|done| on_learning(what.into(), done, missing));
        save(&mut catalog);
        let sealed = Arc::new(catalog.sealed(files));
        self.files.write().unwrap_or_else(PoisonError::into_inner).sealed = sealed;
    }

    /// Which of these files can be read as events; of the others, and of those that differ from
    /// ours, one goes to the [`Self::warnings`].
    pub fn usable<'a>(&self, files: Vec<&'a Sealed>) -> Vec<&'a Sealed> {
        let mut met = lock(&self.met);
        files
            .into_iter()
            .filter(|file| {
                let warning = |what, why: String| Warning { what, why, path: Some(file.partition.shown()) };
                match &file.facts {
                    Err(reason) => _ = met.insert(warning("skipped", reason.to_string())),
                    Ok(facts) => met.extend(facts.note.as_ref().map(|note| warning("read", note.to_string()))),
                }
                file.facts.is_ok()
            })
            .collect()
    }

    /// Takes note that a record was left out.
    pub fn skip(&self, why: &StoreError) {
        lock(&self.met).insert(Warning::of(why));
    }

    /// Each file that was left out, as far as queries have met it.
    pub fn warnings(&self) -> BTreeSet<Warning> {
        let listed = self.snapshot.skipped.iter().map(Warning::of);
        listed.chain(lock(&self.met).iter().cloned()).collect()
    }
}

/// The store at a moment in which none of its files goes, with those that are listed.
fn snapshot(layout: &Layout, catalog: &mut Catalog, list: List) -> Result<Snapshot, ViewError> {
    let read = |catalog: &mut Catalog| Snapshot::read_listed_by(layout, |skipped| list(catalog, skipped));
    settled(catalog, read, |snapshot| &snapshot.partitions)
}

/// What is listed once none of its files goes while it is learned what they are.
fn settled<T>(
    catalog: &mut Catalog,
    mut list: impl FnMut(&mut Catalog) -> Result<T, StoreError>,
    files: impl Fn(&T) -> &Vec<Partition>,
) -> Result<T, ViewError> {
    let mut looks = 0;
    loop {
        let listed = list(catalog)?;
        looks += 1;
        match catalog.learn(files(&listed)) {
            Ok(()) => return Ok(listed),
            Err(vanished) if looks == LOOKS_MAX => return Err(vanished.into()),
            Err(_) => {}
        }
    }
}

fn save(catalog: &mut Catalog) {
    // A catalog that is not saved makes the next question slower, not wrong.
    let _ = catalog.save();
}

/// What a mutex holds.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No holder of these locks leaves its value half changed, even where it panics.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
