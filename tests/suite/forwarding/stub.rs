//! A server that takes what an OTLP backend takes, keeps it, and answers as it is told to.

use std::collections::{BTreeSet, VecDeque};
use std::io::{BufReader, Error, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::http::{read_body, read_head};
use super::otlp::{Record, Span, Taken, partial_success};
use crate::support::eventually;

/// How the server answers a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200: all of it is taken.
    Accept,
    /// 200: so many records of it are not taken, for that reason.
    AcceptWithout(i64, &'static str),
    /// That status, kind of content and body: as a receiver that takes it all, or as a server that takes none.
    Say { status: u16, content_type: &'static str, body: &'static str, takes: bool },
    /// That status, and none of it is taken.
    Refuse(u16),
    /// That status, and when to come again.
    Later(u16, String),
    /// The connection is reset in the middle of the request.
    Reset,
    /// The answer is cut off in its middle.
    CutOff,
    /// The answer begins and never ends, until the client has had enough, or the server is told to
    /// answer otherwise: then the connection ends.
    NeverEnding,
    /// The same with an answer that does not begin either.
    NeverBeginning,
}

type Rule = dyn Fn(&Taken) -> Answer + Send + Sync;

/// What the server knows.
struct State {
    /// The answers to the next requests.
    script: Mutex<VecDeque<Answer>>,
    /// The answer to any other, and how many rules there were before.
    rule: Mutex<(usize, Arc<Rule>)>,
    /// Each request that came whole, with its answer, in the order of the answers.
    taken: Mutex<Vec<(Taken, Answer)>>,
    connections: AtomicUsize,
    /// Who is connected.
    clients: Mutex<BTreeSet<SocketAddr>>,
    is_over: AtomicBool,
}

/// The server, at a port of its own.
pub struct Stub {
    port: u16,
    state: Arc<State>,
}

impl Stub {
    /// One that accepts all.
    pub fn start() -> Self {
        Self::start_at(0)
    }

    /// The same at that port; `0` is any.
    pub fn start_at(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let state = Arc::new(State {
            script: Mutex::default(),
            rule: Mutex::new((0, Arc::new(|_: &Taken| Answer::Accept))),
            taken: Mutex::default(),
            connections: AtomicUsize::new(0),
            clients: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let stub = Self { port: listener.local_addr().unwrap().port(), state: Arc::clone(&state) };
        std::thread::spawn(move || listen(&listener, &state));
        stub
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Answers the next requests so, one after the other.
    pub fn answer_next(&self, answers: impl IntoIterator<Item = Answer>) {
        lock(&self.state.script).extend(answers);
    }

    /// Answers every other request from now on as the rule says.
    pub fn answer(&self, rule: impl Fn(&Taken) -> Answer + Send + Sync + 'static) {
        let mut current = lock(&self.state.rule);
        *current = (current.0 + 1, Arc::new(rule));
    }

    /// Every request that came whole so far, whatever it was answered.
    pub fn requests(&self) -> Vec<Taken> {
        lock(&self.state.taken).iter().map(|(taken, _)| taken.clone()).collect()
    }

    pub fn request_count(&self) -> usize {
        lock(&self.state.taken).len()
    }

    /// The requests that were taken, in the order of their answers.
    pub fn accepted(&self) -> Vec<Taken> {
        let is_accepted = |answer: &Answer| {
            matches!(answer, Answer::Accept | Answer::AcceptWithout(..) | Answer::Say { takes: true, .. })
        };
        let taken = lock(&self.state.taken);
        taken.iter().filter(|(_, answer)| is_accepted(answer)).map(|(taken, _)| taken.clone()).collect()
    }

    /// The log records that were taken, in order.
    pub fn records(&self) -> Vec<Record> {
        self.accepted().iter().flat_map(Taken::records).collect()
    }

    /// The spans that were taken, in order.
    pub fn spans(&self) -> Vec<Span> {
        self.accepted().iter().flat_map(Taken::spans).collect()
    }

    /// How many connections were ever made to it.
    pub fn connections(&self) -> usize {
        self.state.connections.load(SeqCst)
    }

    /// Waits until each client has gone, and all that they sent is answered. What one sends as it is killed may be read
    /// much later, and is not to be answered as the next one's is.
    #[track_caller]
    pub fn outlives_its_clients(&self) {
        // Connections are accepted in order: with this one, all before it.
        let last = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let address = last.local_addr().unwrap();
        eventually("each connection is accepted", || lock(&self.state.clients).contains(&address));
        drop(last);
        eventually("each client has gone", || lock(&self.state.clients).is_empty());
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.state.is_over.store(true, SeqCst);
        // Wakes the thread that listens, so that it sees that.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// A test that has failed in one thread has nothing to hide from the others.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn listen(listener: &TcpListener, state: &Arc<State>) {
    while !state.is_over.load(SeqCst) {
        let Ok((connection, client)) = listener.accept() else { continue };
        state.connections.fetch_add(1, SeqCst);
        lock(&state.clients).insert(client);
        let state = Arc::clone(state);
        std::thread::spawn(move || {
            serve(connection, &state);
            lock(&state.clients).remove(&client);
        });
    }
}

/// Answers one request after the other, until the client goes or its connection is broken on purpose.
fn serve(mut connection: TcpStream, state: &State) -> Option<()> {
    // A small buffer: what is not read from a socket when it is closed makes the close a reset.
    let mut reader = BufReader::with_capacity(64, connection.try_clone().ok()?);
    loop {
        let head = read_head(&mut reader)?;
        if state.is_over.load(SeqCst) {
            return None;
        }
        let scripted = lock(&state.script).pop_front();
        if scripted == Some(Answer::Reset) {
            return None;
        }
        let body = read_body(&mut reader, &head)?;
        let taken = Taken { path: head.path, headers: head.headers, body, at: Instant::now() };
        let (number, rule) = lock(&state.rule).clone();
        let answer = scripted.unwrap_or_else(|| rule(&taken));
        let text = text_of(&answer, &taken.path);
        let is_broken = matches!(answer, Answer::Reset | Answer::CutOff);
        let never_ends = matches!(answer, Answer::NeverEnding | Answer::NeverBeginning);
        lock(&state.taken).push((taken, answer));
        connection.write_all(&text).ok()?;
        if is_broken {
            let _ = connection.shutdown(Shutdown::Both);
            return None;
        }
        if never_ends {
            connection.set_read_timeout(Some(Duration::from_millis(20))).ok()?;
            let is_time_out = |error: &Error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            while !state.is_over.load(SeqCst)
                && lock(&state.rule).0 == number
                && reader.read(&mut [0]).is_err_and(|error| is_time_out(&error))
            {
                // Each read waits for its time-out.
                std::hint::spin_loop();
            }
            return None;
        }
    }
}

/// The bytes of an answer.
fn text_of(answer: &Answer, path: &str) -> Vec<u8> {
    let plain =
        |status: &str, more: &str| format!("HTTP/1.1 {status} .\r\n{more}content-length: 0\r\n\r\n").into_bytes();
    match answer {
        Answer::Accept => plain("200", "content-type: application/x-protobuf\r\n"),
        Answer::AcceptWithout(rejected, reason) => {
            let body = partial_success(path, *rejected, reason);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n";
            [format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat()
        }
        Answer::Say { status, content_type, body, .. } => {
            let head =
                if content_type.is_empty() { String::new() } else { format!("content-type: {content_type}\r\n") };
            // A 204 has no body, and does not say how long it is.
            let length = if *status == 204 { String::new() } else { format!("content-length: {}\r\n", body.len()) };
            format!("HTTP/1.1 {status} .\r\n{head}{length}\r\n{body}").into_bytes()
        }
        Answer::Refuse(status) => plain(&status.to_string(), ""),
        Answer::Later(status, when) => plain(&status.to_string(), &format!("retry-after: {when}\r\n")),
        Answer::Reset | Answer::NeverBeginning => Vec::new(),
        Answer::CutOff => b"HTTP/1.1 200 OK\r\ncontent-len".to_vec(),
        Answer::NeverEnding => b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n.".to_vec(),
    }
}
