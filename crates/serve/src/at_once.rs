//! A question that is asked by a program beside the server, and answered as a whole.

use std::sync::Arc;
use std::time::Duration;

use super::limits::Limits;
use super::reply::{Head, Part, reply};
use super::{Answers, Asked, Kind, Refusal};

/// A whole answer.
#[derive(Debug, Clone, Default)]
pub struct Whole {
    /// The answer.
    pub text: String,
    /// What is said beside it.
    pub notes: Vec<String>,
    /// As of when it was answered, ms since the epoch.
    pub now_ms: Option<i64>,
}

/// Answers a question within that time. It ends early where the answer is not waited for any more.
///
/// # Errors
/// Why there is no answer, or none to its end.
pub async fn answer_at_once(answers: Arc<dyn Answers>, asked: Asked, time: Duration) -> Result<Whole, Refusal> {
    let (mut reply, mut parts) = reply(&Arc::new(Limits::usual(time)));
    let work = move || {
        let answered = answers.answer(&asked, &mut reply);
        reply.finish(answered);
    };
    let thread = std::thread::Builder::new().name("question".to_owned()).spawn(work);
    thread.map_err(|error| Refusal::new(Kind::Busy, format!("no thread for the question: {error}")))?;
    let (mut whole, mut text) = (Whole::default(), Vec::new());
    loop {
        match parts.recv().await {
            Some(Part::Head(Head { notes, now_ms, .. })) => (whole.notes, whole.now_ms) = (notes, now_ms),
            Some(Part::Body(bytes)) => text.extend_from_slice(&bytes),
            Some(Part::End) => {
                whole.text = String::from_utf8_lossy(&text).into_owned();
                return Ok(whole);
            }
            Some(Part::Refused(refusal)) => return Err(refusal),
            None => return Err(Refusal::new(Kind::Failed, "the question ended without an answer")),
        }
    }
}
