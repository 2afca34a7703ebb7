//! An S3 server, and a line before it that does what a test wants with each request, and counts them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The server that all tests of this process share: it ends with the process, whose end of a pipe it holds.
fn server() -> u16 {
    static SERVER: OnceLock<(Mutex<Child>, u16)> = OnceLock::new();
    let start = || {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/bucket/s3_server.py");
        let mut command = Command::new("python3");
        command.arg(program).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("no moto could be started (make test installs it)"));
        (Mutex::new(child), port)
    };
    SERVER.get_or_init(start).1
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is answered.
    Answered,
    /// The server says that, and does nothing.
    Refused(u16, &'static str),
    /// The line breaks before the server hears of it.
    Unheard,
    /// The server does it, and the answer does not arrive.
    Unanswered,
    /// So many bytes of the answer arrive.
    Cut(usize),
    /// The process that asks is killed before the server hears of it.
    KilledBefore,
    /// The process that asks is killed once the server has done it.
    KilledAfter,
}

/// A request that was made.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    /// Behind the bucket's name.
    pub object: String,
    pub bytes: usize,
    pub began: Duration,
    pub ended: Duration,
}

type Decide = Arc<dyn Fn(usize, &str, &str) -> Fate + Send + Sync>;

struct Line {
    begun: Instant,
    delay: Mutex<Duration>,
    decide: Mutex<Decide>,
    asked: Mutex<Vec<Asked>>,
    count: Mutex<usize>,
    /// Whose requests are not believed any more.
    expired: Mutex<Vec<String>>,
    /// The server does not know of conditions.
    is_unconditional: AtomicBool,
    /// Whom to kill.
    process: Mutex<Option<u32>>,
}

/// A bucket of its own behind a line of its own, and what a command needs to ask it.
pub struct Bucket {
    name: String,
    port: u16,
    line: Arc<Line>,
    home: TempDir,
}

impl Bucket {
    pub fn new(name: &str) -> Self {
        let line = Arc::new(Line {
            begun: Instant::now(),
            delay: Mutex::default(),
            decide: Mutex::new(Arc::new(|_, _, _| Fate::Answered)),
            asked: Mutex::default(),
            count: Mutex::default(),
            expired: Mutex::default(),
            is_unconditional: AtomicBool::default(),
            process: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let of_thread = Arc::clone(&line);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let line = Arc::clone(&of_thread);
                // A client that has gone is none of our business.
                std::thread::spawn(move || drop(line.pass(client)));
            }
        });
        let bucket = Self { name: name.to_owned(), port, line, home: tempfile::tempdir().unwrap() };
        let made = request(server(), "PUT", &format!("/{name}"), &[]).unwrap();
        assert!(String::from_utf8_lossy(&made).contains(" 200 "), "{}", String::from_utf8_lossy(&made));
        bucket
    }

    /// The address of a prefix.
    pub fn url(&self, prefix: &str) -> String {
        format!("s3://{}/{prefix}", self.name)
    }

    /// Gives a command the way to the bucket, and a home of its own with what it caches.
    pub fn know<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("AWS_")) {
                command.env_remove(name);
            }
        }
        command.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port));
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command.env("HOME", self.home.path()).env_remove("XDG_CACHE_HOME")
    }

    /// The address of the server behind the line, for clients that are none of ours.
    pub fn server(&self) -> String {
        format!("http://127.0.0.1:{}", server())
    }

    /// Where commands keep what they fetched.
    pub fn cache(&self) -> std::path::PathBuf {
        self.home.path().join(".cache/emp-events")
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// From now on a request's fate is decided by its number, counted from here, its method and its object.
    pub fn decide(&self, decide: impl Fn(usize, &str, &str) -> Fate + Send + Sync + 'static) {
        *self.line.decide.lock().unwrap() = Arc::new(decide);
        *self.line.count.lock().unwrap() = 0;
    }

    /// From now on all is answered.
    pub fn heal(&self) {
        self.decide(|_, _, _| Fate::Answered);
    }

    /// So long each request takes.
    pub fn delay(&self, delay: Duration) {
        *self.line.delay.lock().unwrap() = delay;
    }

    /// Whom [`Fate::KilledBefore`] and [`Fate::KilledAfter`] kill.
    pub fn may_kill(&self, process: u32) {
        *self.line.process.lock().unwrap() = Some(process);
    }

    /// From now on requests with that key are told that it has expired.
    pub fn expire(&self, key: &str) {
        self.line.expired.lock().unwrap().push(key.to_owned());
    }

    /// From now on the server creates what is there already, as some do.
    pub fn forget_conditions(&self) {
        self.line.is_unconditional.store(true, SeqCst);
    }

    /// The requests since the last call.
    pub fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.line.asked.lock().unwrap())
    }

    /// Every object below a prefix, with its bytes, as the server has it.
    pub fn objects(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let listed = self.direct("GET", &format!("?list-type=2&prefix={prefix}/&max-keys=10000"));
        let listed = String::from_utf8_lossy(&listed).into_owned();
        let keys = listed.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap());
        let mut objects: Vec<(String, Vec<u8>)> = keys
            .map(|key| {
                let bytes = self.direct("GET", &format!("/{}", key.replace('=', "%3D")));
                (key.strip_prefix(&format!("{prefix}/")).unwrap().to_owned(), bytes)
            })
            .collect();
        objects.sort();
        objects
    }

    /// Writes over an object, as nobody should.
    pub fn put(&self, object: &str, bytes: &[u8]) {
        let answer = request(server(), "PUT", &format!("/{}/{}", self.name, object.replace('=', "%3D")), bytes);
        assert!(answer.is_ok());
    }

    /// Removes an object, as nobody should.
    pub fn remove(&self, object: &str) {
        self.direct("DELETE", &format!("/{}", object.replace('=', "%3D")));
    }

    fn direct(&self, method: &str, rest: &str) -> Vec<u8> {
        let answer = request(server(), method, &format!("/{}{rest}", self.name), &[]).unwrap();
        let at = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        answer[at + 4..].to_vec()
    }
}

/// How many of these requests had to wait for another one, at the longest: the longest chain in which each began after the
/// one before had ended.
pub fn depth(asked: &[Asked]) -> usize {
    let mut by_end: Vec<&Asked> = asked.iter().collect();
    by_end.sort_by_key(|asked| asked.ended);
    let (mut depth, mut free_at) = (0, Duration::ZERO);
    for asked in by_end {
        if asked.began >= free_at {
            (depth, free_at) = (depth + 1, asked.ended);
        }
    }
    depth
}

/// One request over a connection of its own; the whole answer, its head, too.
fn request(port: u16, method: &str, path: &str, body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential=test/20250101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\nContent-Length: {length}\r\n\r\n"
    )?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

impl Line {
    fn pass(&self, client: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(client.try_clone()?);
        let (mut head, mut length) = (Vec::new(), 0);
        let mut first = String::new();
        loop {
            let mut line = Vec::new();
            if reader.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            let text = String::from_utf8_lossy(&line).into_owned();
            if head.is_empty() {
                first.clone_from(&text);
            }
            if let Some(value) = text.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if text.trim().is_empty() {
                break;
            }
            // One request a connection.
            let lower = text.to_lowercase();
            let is_left_out = lower.starts_with("if-none-match: *") && self.is_unconditional.load(SeqCst);
            if !lower.starts_with("connection:") && !is_left_out {
                head.extend(line);
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        head.extend(b"Connection: close\r\n\r\n");
        let began = self.begun.elapsed();
        let mut words = first.split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let path = words.next().unwrap_or_default().replace("%3D", "=");
        let object = path.trim_start_matches('/').split_once('/').map_or("", |(_, object)| object).to_owned();
        let number = {
            let mut count = self.count.lock().unwrap();
            *count += 1;
            *count
        };
        // Nobody else waits while it is decided: one request may be held until another one comes.
        let decide = Arc::clone(&self.decide.lock().unwrap());
        let fate = decide(number, &method, &object);
        let fate = if self.is_expired(&head) { Fate::Refused(400, "ExpiredToken") } else { fate };
        let delay = *self.delay.lock().unwrap();
        std::thread::sleep(delay);
        let answer = self.carry_out(fate, &head, &body)?;
        self.asked.lock().unwrap().push(Asked {
            method,
            object,
            bytes: answer.len(),
            began,
            ended: self.begun.elapsed(),
        });
        (&client).write_all(&answer)?;
        client.shutdown(Shutdown::Both)
    }

    fn is_expired(&self, head: &[u8]) -> bool {
        let head = String::from_utf8_lossy(head);
        self.expired.lock().unwrap().iter().any(|key| head.contains(&format!("Credential={key}/")))
    }

    fn carry_out(&self, fate: Fate, head: &[u8], body: &[u8]) -> std::io::Result<Vec<u8>> {
        let asked = || -> std::io::Result<Vec<u8>> {
            let mut stream = TcpStream::connect(("127.0.0.1", server()))?;
            stream.write_all(head)?;
            stream.write_all(body)?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            Ok(answer)
        };
        Ok(match fate {
            Fate::Answered => asked()?,
            Fate::Refused(status, code) => {
                let body = format!("<Error><Code>{code}</Code><Message>as the test wants it</Message></Error>");
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status} Refused\r\nContent-Type: application/xml\r\nContent-Length: {length}");
                format!("{head}\r\nConnection: close\r\n\r\n{body}").into_bytes()
            }
            Fate::Unheard => Vec::new(),
            Fate::Unanswered => {
                asked()?;
                Vec::new()
            }
            Fate::Cut(bytes) => {
                let mut answer = asked()?;
                let at = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
                answer.truncate(at + bytes);
                answer
            }
            Fate::KilledBefore => {
                self.kill();
                Vec::new()
            }
            Fate::KilledAfter => {
                asked()?;
                self.kill();
                Vec::new()
            }
        })
    }

    fn kill(&self) {
        if let Some(process) = self.process.lock().unwrap().take() {
            // The shell's own `kill`: a bare system has no other.
            let _ = Command::new("sh").arg("-c").arg(format!("kill -KILL {process}")).status();
        }
    }
}
