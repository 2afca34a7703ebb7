//! The records beside the events, as of a snapshot: each is read when somebody asks for it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::layout::{Layout, SealedName, Writer};
use super::listing::list;
use super::sidecar::{self, NDJSON, Record};
use super::{Away, StoreError};
use emp_event::EntryId;

/// Records of one kind. Those at rest stay in their files until they are asked for, since there may
/// be very many; those of the journal that no file holds yet are at hand.
#[derive(Debug)]
pub struct Records<R> {
    /// By the first ID in them; known once they are here.
    files: OnceLock<Vec<(PathBuf, SealedName)>>,
    folder: PathBuf,
    /// Where they are brought from when they are asked for.
    away: Option<Arc<dyn Away>>,
    unsealed: Vec<(Writer, R)>,
}

impl<R: Record + Clone> Records<R> {
    /// Lists the files of a folder of the store; none is opened. Those that lie elsewhere are listed when they are asked
    /// for, unless there are journals beside them.
    pub(super) fn list(layout: &Layout, folder: PathBuf) -> Result<Self, StoreError> {
        let away = layout.away().filter(|away| away.has_records()).cloned();
        let records = Self { files: OnceLock::new(), folder, away, unsealed: Vec::new() };
        let has_journal = |away: &Arc<dyn Away>| away.folders().iter().any(|layout| layout.journal().is_dir());
        if records.away.as_ref().is_none_or(has_journal) {
            records.files()?;
        }
        Ok(records)
    }

    fn files(&self) -> Result<&[(PathBuf, SealedName)], StoreError> {
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        if let Some(away) = &self.away {
            let name = self.folder.file_name().unwrap_or_default().to_string_lossy();
            away.bring_records(&name).map_err(|error| StoreError::Elsewhere(error.to_string()))?;
        }
        let named = list(&self.folder)?.into_iter();
        let mut files: Vec<(PathBuf, SealedName)> =
            named.filter_map(|(path, file_name)| Some((path, SealedName::parse(&file_name, NDJSON)?))).collect();
        files.sort_by_key(|(_, name)| name.ids.first);
        Ok(self.files.get_or_init(|| files))
    }

    /// Adds the records of a segment, except those that a file of its writer holds already. A store that lies elsewhere has
    /// no segments.
    pub(super) fn extend(&mut self, writer: &Writer, records: Vec<R>) {
        let files = self.files.get().map_or(&[][..], Vec::as_slice);
        let is_sealed = |record: &R| {
            let id = record.ids().first;
            files.iter().any(|(_, name)| name.writer == *writer && name.ids.first <= id && id <= name.ids.last)
        };
        let new: Vec<R> = records.into_iter().filter(|record| !is_sealed(record)).collect();
        self.unsealed.extend(new.into_iter().map(|record| (writer.clone(), record)));
    }

    /// Each record, with the writer that kept it; one line of a file is in memory at a time. A
    /// record that is damaged is an error, and the others follow.
    pub fn iter(&self) -> impl Iterator<Item = Result<(Writer, R), StoreError>> + use<R> {
        let (files, failed) = match self.files() {
            Ok(files) => (files.to_vec(), None),
            Err(error) => (Vec::new(), Some(Err(error))),
        };
        let unsealed = self.unsealed.clone().into_iter().map(Ok);
        let sealed = files.into_iter().flat_map(|(path, name)| read(&path, name.writer));
        failed.into_iter().chain(sealed).chain(unsealed)
    }

    /// How many there are. The lines of the files are counted, and none is decoded.
    ///
    /// # Errors
    /// [`StoreError`] where a file cannot be read.
    pub fn count(&self) -> Result<u64, StoreError> {
        Ok(self.count_each()?.into_iter().map(|of_file| of_file.count).sum())
    }

    /// How many there are of each file and writer.
    pub(super) fn count_each(&self) -> Result<Vec<Count<'_>>, StoreError> {
        let sealed = self.files()?.iter().map(|(path, name)| {
            let count = sidecar::count(path)?;
            Ok(Count { writer: &name.writer, count, last: name.ids.last })
        });
        let unsealed =
            self.unsealed.iter().map(|(writer, record)| Ok(Count { writer, count: 1, last: record.ids().last }));
        sealed.chain(unsealed).collect()
    }

    /// Everyone who has kept such a record.
    pub(super) fn writers(&self) -> impl Iterator<Item = &Writer> {
        // Whoever reads them says why they cannot be.
        let sealed = self.files().unwrap_or_default().iter().map(|(_, name)| &name.writer);
        sealed.chain(self.unsealed.iter().map(|(writer, _)| writer))
    }
}

/// How many records one writer has in one place.
pub(super) struct Count<'a> {
    pub writer: &'a Writer,
    pub count: u64,
    /// The highest ID that they are about.
    pub last: EntryId,
}

type Found<R> = Result<(Writer, R), StoreError>;

fn read<R: Record>(path: &Path, writer: Writer) -> Box<dyn Iterator<Item = Found<R>> + Send> {
    match sidecar::records::<R>(path) {
        Ok(records) => Box::new(records.map(move |record| Ok((writer.clone(), record?)))),
        // A dead letter that was sent again meanwhile.
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Box::new(std::iter::empty()),
        Err(error) => Box::new(std::iter::once(Err(error))),
    }
}
