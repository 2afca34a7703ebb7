//! Whatever Redis answers: it is understood or refused, and in whatever pieces it comes, it is the same.
//!
//! The first byte is the question, the second how large the pieces are; the rest is what Redis says. In it `FE` ends
//! what it says to one request, and `FF n` stands for n times 16 KiB, so that an answer may be longer than is kept.

#![no_main]

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use emp_event::{EntryId, decode_fields};
use emp_fuzz::is_object;
use emp_stream::{Connection, Entries, GroupReader, Settled, StreamError, StreamTail};
use libfuzzer_sys::{Corpus, fuzz_target};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const END: u8 = 0xfe;
const FILLER: u8 = 0xff;
const FILLER_BYTES: usize = 16 << 10;
/// More than is kept of an answer, so that no input asks for more.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// A Redis that has an answer to each request, whatever that is, until it has none any more.
struct Script {
    answers: VecDeque<Vec<u8>>,
    /// The answer to the last request, and how much of it was read.
    answer: Vec<u8>,
    read: usize,
    is_asked: bool,
    piece: usize,
}

impl Script {
    fn new(answers: &[Vec<u8>], piece: usize) -> Self {
        Self { answers: answers.iter().cloned().collect(), answer: Vec::new(), read: 0, is_asked: false, piece }
    }
}

impl AsyncRead for Script {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.is_asked) {
            (self.answer, self.read) = (self.answers.pop_front().unwrap_or_default(), 0);
        }
        let rest = &self.answer[self.read..];
        let length = rest.len().min(self.piece).min(into.remaining());
        into.put_slice(&rest[..length]);
        self.read += length;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.is_asked = true;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What an answer came to, as text that can be compared.
type Understood = Result<String, StreamError>;

async fn ask(question: u8, script: Script) -> Understood {
    let connection = Connection::over(script, "redis", "emp:events", "g");
    if question.is_multiple_of(4) {
        let mut tail = StreamTail::over(connection, EntryId::ZERO);
        let first = shown(&tail.next(Duration::from_secs(1)).await?);
        return Ok(format!("{first}, up to {}", tail.after()));
    }
    let mut reader = GroupReader::new(connection, "c");
    let settled = Settled { stored: vec![EntryId::new(1, 0)], gone: Vec::new() };
    let poll = match question % 16 {
        1 | 5 | 9 => reader.poll_new(1_000, &Settled::default()).await?,
        2 => reader.poll_new(1_000, &settled).await?,
        3 | 7 => reader.poll_pending(1_000, EntryId::ZERO, &Settled::default()).await?,
        6 => return Ok(format!("{:?}", reader.unread().await?)),
        10 => return Ok(format!("{:?}", reader.backlog().await?)),
        11 => return Ok(format!("{:?}", reader.consumers().await?)),
        13 => return Ok(format!("{:?}", reader.pending_ids("c").await?)),
        14 => return Ok(format!("{:?}", reader.memory().await?)),
        _ => return Ok(format!("{:?}", reader.accounts().await?)),
    };
    let (entries, position, last) = (shown(&poll.entries), poll.accounts.position(), poll.last_id());
    Ok(format!("{entries}, {:?}, {}, {:?}, {position:?}, {last:?}", poll.trimmed, poll.rest, poll.state))
}

/// The entries, each read as an event as well: any bytes in a field give an event or a reason.
fn shown(entries: &Entries) -> String {
    let mut text = String::new();
    for entry in entries.above(EntryId::ZERO) {
        let event = decode_fields(entry.id, entry.fields()).map_err(|rejection| rejection.to_string());
        if let Ok(event) = &event {
            assert!(is_object(&event.data), "{event:?}");
        }
        text += &format!("{} {:?} {event:?}\n", entry.id, entry.fields().collect::<Vec<_>>());
    }
    text
}

/// What stands for filler is written out.
fn unfolded(bytes: &[u8]) -> Vec<u8> {
    let mut all = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        match (*byte, rest.clone().next()) {
            (FILLER, Some(count)) => {
                rest.next();
                all.resize(all.len() + usize::from(*count) * FILLER_BYTES, b'x');
            }
            (byte, _) => all.push(byte),
        }
    }
    all
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let [question, piece, said @ ..] = bytes else { return Corpus::Reject };
    let answers: Vec<Vec<u8>> = said.split(|byte| *byte == END).map(unfolded).collect();
    let longest = answers.iter().map(Vec::len).max().unwrap_or_default();
    if longest > ANSWER_BYTES_MAX {
        return Corpus::Reject;
    }
    // So that a long answer does not come in a million pieces.
    let piece = (1 + usize::from(*piece)).max(longest / 1_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut answers = [usize::MAX, piece].map(|piece| {
        let understood = runtime.block_on(ask(*question, Script::new(&answers, piece)));
        understood.map_err(|error| error.to_string())
    });
    let [whole, in_pieces] = &mut answers;
    assert_eq!(whole, in_pieces);
    Corpus::Keep
});
