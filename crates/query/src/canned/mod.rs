//! Canned queries: SQL files with a header that says what they answer and what they take.

mod filled;
mod header;
mod parameter;

use std::fs;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use super::QueryError;
use super::nearest::nearest;

pub use header::Column;
pub(crate) use parameter::Values;
pub use parameter::{Kind, Need, Parameter};

/// The project's own queries, as files at build time.
static OWN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../sql");

/// A query that is kept in a file, and run by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CannedQuery {
    /// The file's name without `.sql`.
    pub name: String,
    /// What it answers, in a sentence or two; empty where the file does not say.
    pub summary: String,
    /// What it takes, in the order of the header.
    pub parameters: Vec<Parameter>,
    /// What it gives, in the order of the header; empty where the file does not say.
    pub columns: Vec<Column>,
    /// The whole file.
    pub sql: String,
}

/// Every canned query by its name: the project's own, and those of the user's folder, which
/// replace the project's where they have the same name.
///
/// # Errors
/// [`QueryError::UserQueries`] where the folder cannot be read, [`QueryError::Header`] where a
/// header cannot be understood.
pub fn canned_queries(user_folder: Option<&Path>) -> Result<Vec<CannedQuery>, QueryError> {
    let mut queries = Vec::new();
    for file in OWN.files() {
        if let (Some(name), Some(sql)) = (query_name(file.path()), file.contents_utf8()) {
            queries.push(header::parse(&Path::new("sql").join(file.path()), &name, sql)?);
        }
    }
    for path in user_folder.map_or_else(|| Ok(Vec::new()), list)? {
        let Some(name) = query_name(&path) else { continue };
        let sql = fs::read_to_string(&path).map_err(|source| QueryError::UserQueries { path: path.clone(), source })?;
        queries.retain(|query: &CannedQuery| query.name != name);
        queries.push(header::parse(&path, &name, &sql)?);
    }
    queries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(queries)
}

/// The query of that name.
///
/// # Errors
/// [`QueryError::UnknownQuery`], with the nearest name.
pub fn find<'a>(queries: &'a [CannedQuery], name: &str) -> Result<&'a CannedQuery, QueryError> {
    queries.iter().find(|query| query.name == name).ok_or_else(|| QueryError::UnknownQuery {
        name: name.to_owned(),
        nearest: nearest(name, queries.iter().map(|query| query.name.as_str())),
    })
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, QueryError> {
    let failed = |source| QueryError::UserQueries { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    Ok(paths)
}

/// `timeline` of `…/timeline.sql`; hidden files and others are no queries.
fn query_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_suffix(".sql")?;
    (!name.is_empty() && !name.starts_with('.')).then(|| name.to_owned())
}
