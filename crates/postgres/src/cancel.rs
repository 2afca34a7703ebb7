//! Statements that are ended from another connection, as psql's Ctrl-C does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use pgwire::api::ClientInfo;
use pgwire::api::cancel::CancelHandler;
use pgwire::messages::cancel::CancelRequest;
use tokio::sync::watch;

/// A process id and its secret, by which a client names its session.
type Key = (i32, Vec<u8>);

/// The sessions that may be told to give up what they do.
#[derive(Debug, Default)]
pub(crate) struct Cancels(Mutex<HashMap<Key, watch::Sender<()>>>);

/// One session among them, until it ends.
struct Session {
    all: Arc<Cancels>,
    key: Key,
    told: watch::Sender<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Tells whether the statement is to be given up that began with it.
pub(crate) struct Cancelled(watch::Receiver<()>);

impl Cancelled {
    /// Waits until the client takes its statement back.
    pub async fn wait(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody can any more.
            std::future::pending::<()>().await;
        }
    }
}

impl Cancels {
    /// A statement of that client begins.
    pub fn begin(self: &Arc<Self>, client: &impl ClientInfo) -> Cancelled {
        let session = client.session_extensions().get_or_insert_with(|| {
            let (id, secret) = client.pid_and_secret_key();
            let (key, told) = ((id, secret.to_bytes().to_vec()), watch::Sender::new(()));
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), told.clone());
            Session { all: Arc::clone(self), key, told }
        });
        Cancelled(session.told.subscribe())
    }
}

#[async_trait]
impl CancelHandler for Cancels {
    async fn on_cancel_request(&self, request: CancelRequest) {
        let key = (request.pid, request.secret_key.to_bytes().to_vec());
        if let Some(told) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            told.send_replace(());
        }
    }
}
