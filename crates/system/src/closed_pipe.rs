//! A reader that has seen enough: `| head`, or a pager that was left.

use std::error::Error;
use std::io;

/// Did something fail because nobody reads what it writes any more?
pub fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            return true;
        }
        cause = error.source();
    }
    false
}
