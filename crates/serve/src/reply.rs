//! What a question writes into, in its own process, and what is sent of it meanwhile.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::Instant;

use super::limits::Limits;
use super::{Kind, Refusal};

/// Before an answer is longer than this it is not begun to be sent: what is said beside it can then go before it, and
/// what fails can be said by the status.
const HELD_BACK_BYTES: usize = 1 << 20;
/// What is sent at once of a longer one.
const PART_BYTES: usize = 64 << 10;
/// Parts that wait for a slow reader.
pub(crate) const PARTS_MAX: usize = 4;

/// What is said before an answer.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Head {
    pub content_type: Option<String>,
    pub file_name: Option<String>,
    pub notes: Vec<String>,
    pub now_ms: Option<i64>,
    pub sql: Option<String>,
}

/// What comes out of a question.
pub(crate) enum Part {
    Head(Head),
    Body(Bytes),
    /// It is whole.
    End,
    /// It is not, and never will be.
    Refused(Refusal),
}

/// Where a question writes its answer, and says what belongs to it.
pub struct Reply {
    head: Head,
    has_begun: bool,
    buffer: Vec<u8>,
    written: usize,
    parts: Sender<Part>,
    deadline: Instant,
    limits: Arc<Limits>,
    rows_max: usize,
    /// Why nothing more is taken.
    refused: Option<Refusal>,
}

/// A reply, and what comes out of it.
pub(crate) fn reply(limits: &Arc<Limits>) -> (Reply, Receiver<Part>) {
    let (parts, receiver) = channel(PARTS_MAX);
    let reply = Reply {
        head: Head::default(),
        has_begun: false,
        buffer: Vec::new(),
        written: 0,
        parts,
        deadline: Instant::now() + limits.time,
        rows_max: limits.rows,
        limits: Arc::clone(limits),
        refused: None,
    };
    (reply, receiver)
}

impl Reply {
    /// Says something beside the answer.
    pub fn note(&mut self, text: &str) {
        self.head.notes.push(text.to_owned());
    }

    /// Says as of when it is answered, ms since the epoch; the first time counts.
    pub fn is_as_of(&mut self, now_ms: i64) {
        self.head.now_ms.get_or_insert(now_ms);
    }

    /// Says which SQL asks the same.
    pub fn is_in_sql(&mut self, statement: &str) {
        self.head.sql = Some(statement.to_owned());
    }

    /// Says of what type the answer is; else it is JSON.
    pub fn is_of_type(&mut self, content_type: &str) {
        self.head.content_type = Some(content_type.to_owned());
    }

    /// Says that it is a file of that name, to be kept.
    pub fn is_file(&mut self, name: &str) {
        self.head.file_name = Some(name.to_owned());
    }

    /// Rows that an answer may have.
    pub fn rows_max(&self) -> usize {
        self.rows_max
    }

    /// Sets how many rows are wanted, which are no more than those that an answer may have.
    pub fn limit_rows(&mut self, rows: usize) {
        self.rows_max = rows.min(self.limits.rows);
    }

    /// Waits until nobody wants the answer any more, or its time is over: the question is to end then.
    pub fn over(&self) -> impl Future<Output = Refusal> + Send + 'static {
        over(self.parts.clone(), self.deadline, self.limits.time)
    }

    /// Says that the answer is whole, or why it is not.
    pub(crate) fn finish(mut self, answered: Result<(), Refusal>) {
        let refused = self.refused.take();
        let last = match refused.map_or(answered, Err) {
            Ok(()) => {
                let head = (!self.has_begun).then(|| Part::Head(std::mem::take(&mut self.head)));
                let body = (!self.buffer.is_empty()).then(|| Part::Body(std::mem::take(&mut self.buffer).into()));
                [head, body, Some(Part::End)]
            }
            Err(refusal) => [Some(Part::Refused(refusal)), None, None],
        };
        for part in last.into_iter().flatten() {
            // Outside of any runtime it may simply wait; whoever takes the parts gives up at the deadline.
            if self.parts.blocking_send(part).is_err() {
                return;
            }
        }
    }

    /// Sends what has been written, and waits until there is room for it.
    fn send(&mut self) -> io::Result<()> {
        let head = (!self.has_begun).then(|| Part::Head(self.head.clone()));
        self.has_begun = true;
        let body = Part::Body(std::mem::take(&mut self.buffer).into());
        for part in head.into_iter().chain([body]) {
            let sent = async {
                tokio::select! {
                    biased;
                    refusal = self.over() => Err(refusal),
                    _ = self.parts.send(part) => Ok(()),
                }
            };
            let sent = tokio::task::block_in_place(|| Handle::current().block_on(sent));
            sent.map_err(|refusal| self.refuse(refusal))?;
        }
        Ok(())
    }

    fn refuse(&mut self, refusal: Refusal) -> io::Error {
        let error = io::Error::other(refusal.clone());
        self.refused = Some(refusal);
        error
    }
}

impl Write for Reply {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written + bytes.len() > self.limits.bytes {
            let limit = self.limits.bytes >> 20;
            let message =
                format!("the answer is larger than {limit} MiB: ask for fewer rows or columns, or for less time");
            return Err(self.refuse(Refusal::new(Kind::AnswerTooLarge, message)));
        }
        self.written += bytes.len();
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= if self.has_begun { PART_BYTES } else { HELD_BACK_BYTES } {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) async fn over(parts: Sender<Part>, deadline: Instant, time: Duration) -> Refusal {
    tokio::select! {
        () = parts.closed() => Refusal::new(Kind::Busy, "nobody waits for the answer any more"),
        () = tokio::time::sleep_until(deadline) => {
            let seconds = time.as_secs();
            let message = format!("no answer within {seconds} s: ask for a shorter time, or start `serve` with a longer --time-limit");
            Refusal::new(Kind::TooLong, message)
        }
    }
}
