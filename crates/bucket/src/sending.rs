//! Several objects on their way at the same time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::error::BucketError;
use super::remote::{Remote, Sum};
use super::runtime::wait;

/// An object that is to be put, once.
pub(crate) struct Put {
    pub name: String,
    pub source: Source,
    pub sum: Sum,
}

/// Where its bytes are.
pub(crate) enum Source {
    File(PathBuf),
    Bytes(Vec<u8>),
}

/// Told of each file that is there, and of its size.
pub type OnFile = Arc<dyn Fn(&Path, u64) + Send + Sync>;

/// Puts all of them there; the first failure ends it.
pub(crate) fn send(remote: &Arc<Remote>, puts: Vec<Put>, at_once: usize, on_file: &OnFile) -> Result<(), BucketError> {
    let (remote, on_file) = (Arc::clone(remote), Arc::clone(on_file));
    wait(async move {
        let sent = stream::iter(puts).map(|put| {
            let (remote, on_file) = (Arc::clone(&remote), Arc::clone(&on_file));
            async move {
                match put.source {
                    Source::Bytes(bytes) => remote.put_once(&put.name, bytes).await,
                    Source::File(path) => {
                        remote.put_file(&put.name, &path, put.sum).await?;
                        on_file(&path, put.sum.bytes);
                        Ok(())
                    }
                }
            }
        });
        sent.buffer_unordered(at_once).try_collect::<()>().await
    })
}
