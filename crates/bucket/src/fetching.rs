//! Several objects fetched at the same time.

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::error::BucketError;
use super::head::Object;
use super::remote::Remote;
use super::runtime::wait;

/// So many are on their way at the same time.
pub(crate) const AT_ONCE: usize = 64;

/// The bytes of all of these, in their order.
pub(crate) fn get_all(remote: &Arc<Remote>, objects: Vec<Object>) -> Result<Vec<Vec<u8>>, BucketError> {
    let remote = Arc::clone(remote);
    wait(async move {
        let each = objects.into_iter().map(|object| {
            let remote = Arc::clone(&remote);
            async move { remote.get_checked(&object.name, object.sum()).await }
        });
        stream::iter(each).buffered(AT_ONCE).try_collect().await
    })
}
