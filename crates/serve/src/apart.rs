//! A question in a process of its own: whatever it computes, it ends when it has to, and what it had in memory is free
//! again. What it can exhaust or break is itself alone.

use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::Instant;

use super::limits::Limits;
use super::reply::{Head, PARTS_MAX, Part, over, reply};
use super::{Answers, Asked, Kind, Refusal};

/// A slow reader is told that its time is over, and not waited for any longer than this.
const LAST_WORD: Duration = Duration::from_secs(1);
/// No part is as large; more is no answer of ours.
const PART_BYTES_MAX: usize = 64 << 20;

/// How a part is named on its way.
mod kind {
    pub const HEAD: u8 = b'H';
    pub const BODY: u8 = b'B';
    pub const END: u8 = b'E';
    pub const REFUSED: u8 = b'R';
}

/// What one question may have.
#[derive(Debug, Clone, Copy)]
pub struct Allowed {
    /// How long it may take.
    pub time: Duration,
    /// Bytes of memory; as many as there are where nothing is said.
    pub memory_bytes: Option<u64>,
    /// Bytes of its answer; the usual 64 MiB where nothing is said.
    pub answer_bytes: Option<usize>,
}

/// Answers the one question that is asked at stdin, and writes its answer to stdout, as [`ask`] reads it. It ends, whatever
/// it is doing, once nobody holds its stdin open any more.
///
/// # Errors
/// What the system says where the question cannot be read, or its answer not be written.
pub fn answer_one(answers: Arc<dyn Answers>, may: Allowed) -> io::Result<()> {
    if let Some(bytes) = may.memory_bytes {
        // Where the system knows no such limit, the engine's own holds.
        let _ = rlimit::setrlimit(rlimit::Resource::DATA, bytes, bytes);
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let asked: Asked = serde_json::from_str(&line)?;
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        std::process::exit(0);
    });
    let mut limits = Limits::usual(may.time);
    limits.bytes = may.answer_bytes.unwrap_or(limits.bytes);
    let (mut reply, mut parts) = reply(&Arc::new(limits));
    std::thread::spawn(move || {
        let answered = answers.answer(&asked, &mut reply);
        reply.finish(answered);
    });
    let mut out = BufWriter::new(io::stdout().lock());
    while let Some(part) = parts.blocking_recv() {
        write_part(&mut out, part)?;
        out.flush()?;
    }
    Ok(())
}

fn write_part(out: &mut impl Write, part: Part) -> io::Result<()> {
    let (kind, payload) = match part {
        Part::Head(head) => (kind::HEAD, serde_json::to_vec(&head)?.into()),
        Part::Body(bytes) => (kind::BODY, bytes),
        Part::End => (kind::END, Vec::new().into()),
        Part::Refused(refusal) => (kind::REFUSED, serde_json::to_vec(&refusal)?.into()),
    };
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
    out.write_all(&[kind])?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(&payload)
}

/// The next part; `None` where there is none.
fn read_part(input: &mut impl Read) -> io::Result<Option<Part>> {
    let mut kind = [0; 1];
    if input.read(&mut kind)? == 0 {
        return Ok(None);
    }
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > PART_BYTES_MAX {
        return Err(io::Error::other("a part of an answer is too large"));
    }
    let mut payload = vec![0; length];
    input.read_exact(&mut payload)?;
    Ok(Some(match kind[0] {
        kind::HEAD => Part::Head(serde_json::from_slice::<Head>(&payload)?),
        kind::BODY => Part::Body(payload.into()),
        kind::END => Part::End,
        kind::REFUSED => Part::Refused(serde_json::from_slice(&payload)?),
        _ => return Err(io::Error::other("a part of an answer is of no kind that is known")),
    }))
}

/// Asks a process of its own, which is ended when nobody waits for the answer any more, or its time is over. `held` is
/// dropped once it has ended.
pub(crate) fn ask(
    mut program: Command,
    asked: &Asked,
    limits: &Arc<Limits>,
    held: impl Send + 'static,
) -> Result<Receiver<Part>, Refusal> {
    let busy = |error: io::Error| Refusal::new(Kind::Busy, format!("no process for the question: {error}"));
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(busy)?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let running = Running(Arc::new(Mutex::new(child)));
    let (read, parts) = channel(PARTS_MAX);
    let question = serde_json::json!({"name": asked.name, "parameters": asked.parameters}).to_string();
    let reader = running.clone();
    let work = move || {
        if let (Some(input), Some(output)) = (input, output) {
            take_parts(&question, input, output, &reader, &read);
        }
        // Not before it has really ended.
        reader.end();
        drop(held);
    };
    let thread = std::thread::Builder::new().name("question".to_owned()).spawn(work);
    thread.map_err(|error| {
        running.end();
        busy(error)
    })?;
    let (sender, receiver) = channel(PARTS_MAX);
    tokio::spawn(pass_on(parts, sender, running, Arc::clone(limits)));
    Ok(receiver)
}

/// Reads the parts of an answer until there are no more, or nobody takes them.
fn take_parts(question: &str, mut input: ChildStdin, output: ChildStdout, running: &Running, read: &Sender<Part>) {
    let mut output = BufReader::new(output);
    // One that has ended already tells so by its output.
    let _ = writeln!(input, "{question}");
    let mut is_whole = false;
    while let Ok(Some(part)) = read_part(&mut output) {
        is_whole |= matches!(part, Part::End | Part::Refused(_));
        if read.blocking_send(part).is_err() {
            return;
        }
    }
    if !is_whole {
        let _ = read.blocking_send(Part::Refused(ended_early(running.end())));
    }
}

/// What is said where a process has ended without an answer: mostly it has been refused the memory that it asked for.
fn ended_early(status: Option<ExitStatus>) -> Refusal {
    let how = status.map_or_else(String::new, |status| format!(" ({status})"));
    let message = format!(
        "the question needed more memory than it may have, or met an error of this program{how}: ask for less, or start \
         `serve` with a larger --memory"
    );
    Refusal::new(Kind::AnswerTooLarge, message)
}

/// Passes parts on as they come, and ends the process once they are of no use.
async fn pass_on(mut parts: Receiver<Part>, sender: Sender<Part>, running: Running, limits: Arc<Limits>) {
    let mut deadline = Instant::now() + limits.time;
    loop {
        let next = async {
            match parts.recv().await {
                Some(part) => sender.send(part).await.is_ok(),
                None => false,
            }
        };
        let refusal = tokio::select! {
            biased;
            refusal = over(sender.clone(), deadline, limits.time) => refusal,
            goes_on = next => match goes_on {
                true if limits.is_time_of_each_part => {
                    deadline = Instant::now() + limits.time;
                    continue;
                }
                true => continue,
                false => return,
            },
        };
        running.kill();
        let _ = tokio::time::timeout(LAST_WORD, sender.send(Part::Refused(refusal))).await;
        return;
    }
}

/// A process that answers.
#[derive(Clone)]
struct Running(Arc<Mutex<Child>>);

impl Running {
    fn kill(&self) {
        // One that has ended by itself is as good.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }

    /// Ends it, and waits until it has; how it ended, if that is known.
    fn end(&self) -> Option<ExitStatus> {
        let mut child = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        let _ = child.kill();
        child.wait().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_as_they_were_sent() {
        let head = Head { notes: vec!["ä".to_owned()], now_ms: Some(7), ..Head::default() };
        let refusal = Refusal::new(Kind::TooLong, "no");
        let mut sent = Vec::new();
        for part in [Part::Head(head), Part::Body(vec![0, b'H', 255].into()), Part::End, Part::Refused(refusal.clone())]
        {
            write_part(&mut sent, part).unwrap();
        }
        let mut sent = sent.as_slice();
        let mut next = || read_part(&mut sent).unwrap();
        assert!(matches!(next(), Some(Part::Head(head)) if head.notes == ["ä"] && head.now_ms == Some(7)));
        assert!(matches!(next(), Some(Part::Body(bytes)) if *bytes == [0, b'H', 255]));
        assert!(matches!(next(), Some(Part::End)));
        assert!(matches!(next(), Some(Part::Refused(told)) if told == refusal));
        assert!(next().is_none());
    }

    #[test]
    fn what_is_cut_off_is_no_part() {
        let mut sent = Vec::new();
        write_part(&mut sent, Part::Body(vec![1; 100].into())).unwrap();
        for length in 1..sent.len() {
            assert!(read_part(&mut &sent[..length]).is_err(), "{length}");
        }
        assert!(read_part(&mut [b'B', 255, 255, 255, 255].as_slice()).is_err());
        assert!(read_part(&mut [b'?', 0, 0, 0, 0].as_slice()).is_err());
    }
}
