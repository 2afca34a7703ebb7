//! Views that are looked at again and again: each once, however many look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;

use super::Asked;
use super::api::whole;
use super::routes::Shared;

/// How often a view is asked for anew.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The newest answer of a view; none yet where it is being asked for the first time.
type Told = watch::Sender<Option<Arc<str>>>;

/// The views that somebody looks at.
#[derive(Debug, Default)]
pub(crate) struct Looks(Mutex<HashMap<Asked, Arc<Told>>>);

impl Looks {
    /// The answers of a view, from the newest on.
    pub fn at(&self, shared: &Arc<Shared>, asked: &Asked) -> watch::Receiver<Option<Arc<str>>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = all.get(asked) {
            return told.subscribe();
        }
        let (told, answers) = watch::channel(None);
        let told = Arc::new(told);
        all.insert(asked.clone(), Arc::clone(&told));
        tokio::spawn(look_again(Arc::clone(shared), asked.clone(), told));
        answers
    }

    /// Forgets a view that nobody looks at. Somebody may have begun to, just now.
    fn has_gone(&self, asked: &Asked, told: &Told) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has_gone = told.receiver_count() == 0;
        if has_gone {
            all.remove(asked);
        }
        has_gone
    }
}

/// Asks again and again while somebody looks, and tells what has changed.
async fn look_again(shared: Arc<Shared>, asked: Asked, told: Arc<Told>) {
    loop {
        let look = async {
            let answer = whole(&shared, &asked).await.unwrap_or_else(|refusal| {
                json!({"error": {"message": refusal.message, "kind": refusal.kind.name()}}).to_string()
            });
            told.send_if_modified(|known| {
                let is_new = known.as_deref() != Some(answer.as_str());
                if is_new {
                    *known = Some(answer.into());
                }
                is_new
            });
            tokio::time::sleep(LOOK_EVERY).await;
        };
        tokio::select! {
            () = look => {}
            () = told.closed() => if shared.looks.has_gone(&asked, &told) {
                return;
            },
        }
    }
}
