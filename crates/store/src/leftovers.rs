//! Files that were begun, never published, and that nobody goes on with.

use super::disk::{is_held, is_temporary};
use super::layout::Layout;
use super::snapshot::list;
use super::superseded::is_older;
use super::{SUPERSEDED_GRACE, StoreError, disk};

/// Removes them, whoever began them. Those of other writers go once they are old, since one that
/// was begun this moment may not be locked yet. `own` is the name of a writer under which nobody
/// else begins files now: its leftovers go at once.
pub(super) fn remove_leftovers(layout: &Layout, own: Option<&str>) -> Result<(), StoreError> {
    let is_own = |file_name: &str| {
        let rest = own.and_then(|own| file_name.strip_prefix(own));
        rest.is_some_and(|rest| rest.starts_with(['.', '_']))
    };
    for (path, file_name) in list(&layout.journal())? {
        if is_temporary(&file_name) && (is_own(&file_name) || is_older(&path, SUPERSEDED_GRACE)?) && !is_held(&path)? {
            disk::remove(layout, &path)?;
        }
    }
    Ok(())
}
