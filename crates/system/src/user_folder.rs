//! Where programs keep what is a user's own.

use std::path::PathBuf;

/// Our folder within the one that a variable names, else within `default` in the user's home; `None`
/// where neither is known. After the XDG Base Directory Specification, by which a variable that is set
/// to nothing is not set.
pub fn user_folder(variable: &str, default: &str) -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set(variable).or_else(|| Some(set("HOME")?.join(default)))?;
    Some(folder.join("emp-events"))
}
