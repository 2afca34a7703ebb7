//! A file that somebody asked for: it has its name once it is whole.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::cli::failure::Failure;

/// As other programs make files; the umask takes away what it should.
const PERMISSIONS: u32 = 0o666;

/// A file under construction. What was at its place stays until it is finished, and it goes where it
/// never is.
pub(super) struct WholeFile {
    path: PathBuf,
    target: Target,
}

enum Target {
    /// Beside its place, under a name that nobody can guess, so that nobody can put a link there.
    Beside(NamedTempFile),
    /// A terminal, a pipe or a device has no content that could be whole.
    Through(File),
}

impl WholeFile {
    /// Begins a file that is to lie at `path`.
    pub fn create(path: &Path) -> Result<Self, Failure> {
        if path.file_name().is_none() {
            return Err(Failure::Usage(format!("{} is no name of a file", path.display())));
        }
        let is_through = fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir());
        let target =
            if is_through { File::options().write(true).open(path).map(Target::Through) } else { beside(path) };
        let target = target.map_err(|error| failed(path, &error))?;
        Ok(Self { path: path.to_owned(), target })
    }

    /// Makes the file durable, and gives it its name: how many bytes it has.
    pub fn finish(self) -> Result<u64, Failure> {
        let Self { path, target } = self;
        Ok(target.finish(&path).map_err(|error| failed(&path, &error))?)
    }
}

impl Target {
    fn finish(self, path: &Path) -> io::Result<u64> {
        match self {
            Self::Through(file) => Ok(file.metadata()?.len()),
            Self::Beside(file) => {
                file.as_file().sync_all()?;
                let bytes = file.as_file().metadata()?.len();
                file.persist(path)?;
                Ok(bytes)
            }
        }
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.target {
            Target::Beside(file) => file.as_file_mut().write(bytes),
            Target::Through(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn beside(path: &Path) -> io::Result<Target> {
    let mut builder = Builder::new();
    let builder = builder.prefix(".emp-events-").suffix(".tmp").permissions(Permissions::from_mode(PERMISSIONS));
    builder.tempfile_in(folder_of(path)).map(Target::Beside)
}

/// The folder in which a file of that name lies.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Says that a file cannot be written.
pub(super) fn failed(path: &Path, error: &io::Error) -> anyhow::Error {
    anyhow::anyhow!("cannot write {}: {error}", path.display())
}
