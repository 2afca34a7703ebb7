//! The vocabulary of a team, which every command speaks.

use std::io::ErrorKind;
use std::path::Path;

use emp_job::{Vocabulary, speak};

use super::failure::Failure;
use super::options::Options;

/// Its name in the folder of a store.
const NAME: &str = "vocabulary.toml";

/// Lets this process speak the vocabulary that was named, else the one of the store, else the plain one.
pub(super) fn load(options: &Options) -> Result<(), Failure> {
    let given = options.vocabulary.clone().filter(|path| !path.as_os_str().is_empty());
    let path = given.clone().unwrap_or_else(|| options.store().join(NAME));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        // Where the store itself is none, the command says so.
        Err(error) if given.is_none() && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(());
        }
        Err(error) => return Err(wrong(&path, &error.to_string())),
    };
    let mut vocabulary = Vocabulary::plain().map_err(|error| wrong(&path, &error.to_string()))?;
    vocabulary.add(&text).map_err(|error| wrong(&path, &error.to_string()))?;
    speak(vocabulary);
    Ok(())
}

fn wrong(path: &Path, why: &str) -> Failure {
    Failure::Usage(format!("the vocabulary {} cannot be used: {why}", path.display()))
}
