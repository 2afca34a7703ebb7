//! The files of one look at the store, and which of them may hold what.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use super::Catalog;
use super::facts::{Facts, Knowledge};
use super::folders::Folders;
use super::ids::{self, ID_COLUMNS, IdScope, Indexed, Places, Run};
use super::saved::Storage;
use super::shared::{BrokenRun, ChosenFiles, SharedJobs};
use super::values::{VALUE_COLUMNS, ValueNumbers, Values};
use emp_store::{Away, Partition};
use emp_system::at_once;

/// So many reads from somewhere else are under way at the same time.
const AT_ONCE: usize = 64;

/// A sealed file, and what is known about it.
#[derive(Debug)]
pub struct Sealed {
    /// Where it stands among [`SealedFiles::files`].
    pub position: usize,
    /// The file.
    pub partition: Partition,
    /// What its footer tells, or why it cannot be read as events.
    pub facts: Result<Facts, String>,
    /// What the catalog takes it for: another number of a file of the same name that holds something else. A copy has
    /// the same, where its footer has a checksum of it.
    pub identity: u64,
    places: Places,
    values: Option<Values>,
}

impl Sealed {
    /// Is it a file that the index could know, and does not?
    pub fn is_not_indexed(&self, what: Indexed) -> bool {
        self.places.of(what).is_none() && self.facts.is_ok()
    }
}

/// The files of one look at the store.
#[derive(Debug)]
pub struct SealedFiles {
    /// By hour, writer and first ID.
    pub files: Vec<Sealed>,
    numbers: ValueNumbers,
    /// Of files that lie elsewhere, by where.
    cold_numbers: Vec<(Arc<dyn Away>, ValueNumbers)>,
    storage: Storage,
    /// Of each kind.
    runs: [OnceLock<HashMap<u64, IndexedFiles>>; Indexed::ALL.len()],
}

/// The files of one run of the index.
#[derive(Debug)]
pub(super) struct IndexedFiles {
    /// `None` where it cannot be read: then nothing can be ruled out.
    pub run: Option<Run>,
    /// Where the file of each number stands in [`SealedFiles::files`], if it is there.
    pub positions: Vec<Option<u32>>,
}

impl SealedFiles {
    pub(super) fn new(catalog: &Catalog, partitions: Vec<Partition>) -> Self {
        let cold = catalog.cold.as_ref().and_then(|cold| cold.as_ref().ok()).into_iter().flatten();
        let knowledge = known_of(catalog, &partitions);
        let known = knowledge.into_iter().map(|known| {
            let facts = known.map_or_else(|| Err("it is gone".to_owned()), |known| known.facts.clone());
            let places = known.map_or_else(Places::default, |known| known.places);
            (facts, known.map_or(0, Knowledge::identity), places, known.and_then(|known| known.values))
        });
        let known: Vec<_> = known.collect();
        let files = partitions.into_iter().zip(known).enumerate();
        let sealed = |(position, (partition, (facts, identity, places, values)))| Sealed {
            position,
            partition,
            facts,
            identity,
            places,
            values,
        };
        Self {
            files: files.map(sealed).collect(),
            numbers: catalog.saved.numbers.clone(),
            cold_numbers: cold.map(|cold| (Arc::clone(&cold.away), cold.saved.numbers.clone())).collect(),
            storage: catalog.storage.clone(),
            runs: Default::default(),
        }
    }

    /// Are the values of that column in the index of ids?
    pub fn is_id(column: &str) -> bool {
        ID_COLUMNS.contains(&column)
    }

    /// How many of the files the index does not know, as far as these are concerned.
    pub fn not_indexed(&self, what: Indexed) -> usize {
        self.files.iter().filter(|file| file.is_not_indexed(what)).count()
    }

    /// Which of the files may hold one of these ids in that column, in such events; `None` where the
    /// index has nothing to say about the column.
    pub fn holding(&self, column: &str, wanted: &[&str], scope: IdScope) -> Option<Vec<bool>> {
        Some(self.holding_any(Indexed::Ids, &ids::hashes(column, wanted, scope)?))
    }

    /// Which of the files may mention a text in `data` or in `event_type`, in upper or lower case, as JSON writes it or
    /// as a person reads it; `None` of a text that may be anywhere, having no three letters from a to z in a row.
    pub fn mentioning(&self, text: &str) -> Option<Vec<bool>> {
        let wanted = ids::wanted_of_text(text);
        self.bring(Indexed::Texts, &wanted.concat());
        ids::holding_each(&wanted, |hashes| self.holding_any(Indexed::Texts, hashes))
    }

    /// Which of the files may hold any of these.
    fn holding_any(&self, what: Indexed, hashes: &[u64]) -> Vec<bool> {
        self.bring(what, hashes);
        let mut may_hold: Vec<bool> = self.files.iter().map(|file| file.places.of(what).is_none()).collect();
        for indexed in self.runs(what).values() {
            indexed.mark(hashes, &mut may_hold);
        }
        may_hold
    }

    /// May a file hold any of these values in that column? `None` where that is not known.
    pub fn may_have(&self, file: &Sealed, column: &str, values: &[&str]) -> Option<bool> {
        let column = VALUE_COLUMNS.iter().position(|name| *name == column)?;
        self.numbers_of(file).may_hold(file.values.as_ref()?, column, values)
    }

    /// The values that a file has in that column; `None` where not all of them are known.
    pub fn values<'a>(&'a self, file: &Sealed, column: &str) -> Option<impl Iterator<Item = &'a str> + use<'a>> {
        let column = VALUE_COLUMNS.iter().position(|name| *name == column)?;
        self.numbers_of(file).values(file.values.as_ref()?, column)
    }

    fn numbers_of(&self, file: &Sealed) -> &ValueNumbers {
        let there = self.cold_numbers.iter().find(|(known, _)| file.partition.is_at(known));
        there.map_or(&self.numbers, |(_, numbers)| numbers)
    }

    /// Which jobs occur in more than one of these files and of the sets in `others`, which are hashes of job ids
    /// (see [`SharedJobs::hash`]), each once. Files that the index does not know are read.
    pub fn shared_jobs(&self, files: &[&Sealed], others: &[Vec<u64>]) -> SharedJobs {
        let mut unknown: Vec<&Sealed> =
            files.iter().filter(|file| file.places.of(Indexed::Ids).is_none()).copied().collect();
        let mut by_run: BTreeMap<u64, Vec<&Sealed>> = BTreeMap::new();
        for file in files {
            if let Some(place) = file.places.of(Indexed::Ids) {
                by_run.entry(place.run).or_default().push(file);
            }
        }
        let indexed = self.runs(Indexed::Ids);
        loop {
            let opened = |run: &u64| indexed.get(run).and_then(|indexed| indexed.run.as_ref());
            by_run.retain(|run, files| {
                let is_open = opened(run).is_some();
                if !is_open {
                    unknown.append(files);
                }
                is_open
            });
            let runs = by_run
                .iter()
                .filter_map(|(run, files)| Some(ChosenFiles { run: opened(run)?, are_chosen: numbers_of(files) }));
            let runs: Vec<ChosenFiles<'_>> = runs.collect();
            if self.storage.is_away() {
                at_once(&runs, |files| files.run.expect_all());
            }
            match SharedJobs::of(&runs, &unknown, others) {
                Ok(shared) => return shared,
                Err(BrokenRun(number)) => {
                    // What the index cannot tell, the files do.
                    let run = by_run.keys().nth(number).copied();
                    unknown.extend(run.and_then(|run| by_run.remove(&run)).unwrap_or_default());
                }
            }
        }
    }

    pub(super) fn runs(&self, what: Indexed) -> &HashMap<u64, IndexedFiles> {
        self.runs[what as usize].get_or_init(|| self.open_runs(what))
    }

    fn open_at_once(&self, what: Indexed) -> HashMap<u64, Option<Run>> {
        let numbers: BTreeSet<u64> = self.files.iter().filter_map(|file| Some(file.places.of(what)?.run)).collect();
        let numbers: Vec<u64> = numbers.into_iter().collect();
        let opened = at_once(&numbers, |run| self.storage.run(*run).ok());
        numbers.into_iter().zip(opened).collect()
    }

    /// Has what a question about these reads brought here, all of it at the same time.
    fn bring(&self, what: Indexed, hashes: &[u64]) {
        if !self.storage.is_away() {
            return;
        }
        let runs: Vec<&Run> = self.runs(what).values().filter_map(|indexed| indexed.run.as_ref()).collect();
        let each: Vec<(&Run, u64)> = runs.iter().flat_map(|run| hashes.iter().map(|hash| (*run, *hash))).collect();
        for some in each.chunks(AT_ONCE) {
            // What is broken is found when it is asked for.
            at_once(some, |(run, hash)| run.find(*hash).is_ok());
        }
    }

    fn open_runs(&self, what: Indexed) -> HashMap<u64, IndexedFiles> {
        let mut runs: HashMap<u64, IndexedFiles> = HashMap::new();
        let mut opened = if self.storage.is_away() { self.open_at_once(what) } else { HashMap::new() };
        for (position, file) in (0..).zip(&self.files) {
            let Some(place) = file.places.of(what) else { continue };
            let indexed = runs.entry(place.run).or_insert_with(|| {
                let run = opened.remove(&place.run).unwrap_or_else(|| self.storage.run(place.run).ok());
                IndexedFiles { positions: vec![None; run.as_ref().map_or(0, |run| run.files() as usize)], run }
            });
            match indexed.positions.get_mut(place.number as usize) {
                Some(known) => *known = Some(position),
                // No such file in that run: it is not the one that the catalog means.
                None => {
                    indexed.run = None;
                    indexed.positions.push(Some(position));
                }
            }
        }
        runs
    }
}

/// What is known of each of these files, wherever it lies.
fn known_of<'a>(catalog: &'a Catalog, partitions: &[Partition]) -> Vec<Option<&'a Knowledge>> {
    let of = |folders: &'a Folders| folders.known(partitions).into_iter().map(|known| known?.knowledge.as_ref());
    let here = of(&catalog.saved.folders);
    let Some(Ok(cold)) = &catalog.cold else { return here.collect() };
    let mut known: Vec<Option<&Knowledge>> = here.collect();
    for cold in cold {
        let there = known.iter_mut().zip(of(&cold.saved.folders)).zip(partitions);
        for ((known, there), _) in there.filter(|(_, file)| file.is_at(&cold.away)) {
            *known = there;
        }
    }
    known
}

/// Which numbers of their run these files have.
fn numbers_of(files: &[&Sealed]) -> Vec<bool> {
    let mut are_chosen = Vec::new();
    for place in files.iter().filter_map(|file| file.places.of(Indexed::Ids)) {
        let number = place.number as usize;
        are_chosen.resize(are_chosen.len().max(number + 1), false);
        are_chosen[number] = true;
    }
    are_chosen
}

impl IndexedFiles {
    fn mark(&self, hashes: &[u64], may_hold: &mut [bool]) {
        let found = self.run.as_ref().and_then(|run| run.find_any(hashes).ok());
        let of_number = |number: u32| self.positions.get(number as usize).copied().flatten();
        let positions: Vec<u32> = match found {
            Some(numbers) => numbers.into_iter().filter_map(of_number).collect(),
            None => self.positions.iter().flatten().copied().collect(),
        };
        for position in positions {
            may_hold[position as usize] = true;
        }
    }
}
