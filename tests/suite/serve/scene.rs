//! A server, and a client of HTTP that sends what it is told and nothing else.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::{Lines, PATIENCE, Port, emp_events, eventually, file};

/// What whoever asks has to know.
pub const TOKEN: &str = "a-token-of-these-tests";

/// A server in the background.
pub struct Server {
    process: Child,
    port: Port,
    folder: TempDir,
}

impl Server {
    /// Over the sample store, with more options.
    pub fn over_sample(more: &[&str]) -> Self {
        let mut command = emp_events();
        command.arg("--store").arg(file("data/sample"));
        Self::start(command, more)
    }

    /// Over the store of that command.
    pub fn start(command: Command, more: &[&str]) -> Self {
        Self::start_at(command, Port::claim(), more)
    }

    /// The same where one was before.
    pub fn start_at(mut command: Command, port: Port, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        std::fs::write(&token, TOKEN).unwrap();
        command
            .args(["serve", "--listen", &format!("127.0.0.1:{}", port.number), "--token-file"])
            .arg(token)
            .args(more);
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut server = Self { process, port, folder };
        // It is there once it says where.
        let url = Lines::of(server.process.stdout.take().unwrap()).next();
        assert!(url.is_some(), "it has ended: {}", server.said());
        server
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    pub fn number(&self) -> u16 {
        self.port.number
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port.number)
    }

    /// Sends a request as it stands.
    pub fn send(&self, head: &[&str], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port.number)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // In one piece, so that whoever refuses the head does not meet the body.
        stream.write_all(format!("{}\r\n\r\n{body}", head.join("\r\n")).as_bytes()).unwrap();
        stream
    }

    /// Sends a request as it stands; what comes back.
    pub fn exchange(&self, head: &[&str], body: &str) -> Response {
        Response::read(self.send(head, body))
    }

    /// Asks as a program does that knows the token.
    pub fn get(&self, path: &str) -> Response {
        self.get_with(path, &[])
    }

    pub fn get_with(&self, path: &str, headers: &[&str]) -> Response {
        Response::read(self.open(path, headers))
    }

    /// Asks, and leaves the answer in the connection.
    pub fn open(&self, path: &str, headers: &[&str]) -> TcpStream {
        let (line, host) = (format!("GET {path} HTTP/1.0"), format!("Host: {}", self.host()));
        let authorization = format!("Authorization: Bearer {TOKEN}");
        self.send(&[&[line.as_str(), &host, &authorization][..], headers].concat(), "")
    }

    /// Sends JSON.
    pub fn post(&self, path: &str, body: &str) -> Response {
        Response::read(self.open_post(path, body))
    }

    pub fn open_post(&self, path: &str, body: &str) -> TcpStream {
        let (line, host) = (format!("POST {path} HTTP/1.0"), format!("Host: {}", self.host()));
        let (authorization, length) =
            (format!("Authorization: Bearer {TOKEN}"), format!("Content-Length: {}", body.len()));
        self.send(&[&line, &host, &authorization, "Content-Type: application/json", &length], body)
    }

    /// One of its numbers, as Prometheus reads it.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name}: {text}")).parse().unwrap()
    }

    /// Ends it as an operator would; its exit status.
    pub fn stop(mut self) -> i32 {
        self.end()
    }

    fn end(&mut self) -> i32 {
        let kill = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        assert!(kill.success());
        eventually("the server ends", || self.process.try_wait().unwrap().is_some());
        self.process.wait().unwrap().code().unwrap_or(-1)
    }

    /// Ends it, and starts it again at the same place.
    pub fn start_again(mut self, command: Command, more: &[&str]) -> Self {
        self.end();
        let place = std::mem::replace(&mut self.port, Port::claim());
        Self::start_at(command, place, more)
    }

    /// A folder that goes with it.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// A process that it has started and that has not ended.
    pub fn child(&self) -> Option<u32> {
        self.all_children().into_iter().next()
    }

    pub fn children(&self) -> usize {
        self.all_children().len()
    }

    fn all_children(&self) -> Vec<u32> {
        let ids =
            std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        ids.filter(|id| parent_of(*id) == Some(self.process.id())).collect()
    }

    /// Ends it without a word.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// What it has in memory, in kB.
    pub fn resident_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

/// Who has started a process that is still at work.
fn parent_of(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before it may hold anything.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let is_over = fields.next()? == "Z";
    fields.next()?.parse().ok().filter(|_| !is_over)
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What came back.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn read(stream: impl Read) -> Self {
        let mut reader = BufReader::new(stream);
        let (status, headers) = head(&mut reader);
        let mut body = Vec::new();
        // A connection that is broken off ends a body, too.
        let _ = reader.read_to_end(&mut body);
        Self { status, headers, body }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The kind of a refusal.
    pub fn kind(&self) -> String {
        self.json()["error"]["kind"].as_str().unwrap_or_default().to_owned()
    }
}

fn head(reader: &mut impl BufReadLines) -> (u16, Vec<(String, String)>) {
    let status = reader.line().unwrap_or_default();
    let status = status.split(' ').nth(1).and_then(|status| status.parse().ok());
    let mut headers = Vec::new();
    while let Some(line) = reader.line().filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    (status.unwrap_or_default(), headers)
}

trait BufReadLines {
    fn line(&mut self) -> Option<String>;
}

impl<R: Read> BufReadLines for BufReader<R> {
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// One message of a stream.
#[derive(Debug, Default, Clone)]
pub struct Message {
    pub event: String,
    pub id: Option<String>,
    pub data: String,
}

/// A stream of messages; none where it was broken off.
pub struct Stream(BufReader<TcpStream>);

impl Stream {
    pub fn of(stream: TcpStream) -> Self {
        let mut reader = BufReader::new(stream);
        let (status, _) = head(&mut reader);
        assert_eq!(status, 200);
        Self(reader)
    }

    pub fn next(&mut self) -> Option<Message> {
        let mut message = Message::default();
        loop {
            let line = self.0.line()?;
            match line.split_once(':') {
                Some(("event", value)) => message.event = value.trim().to_owned(),
                Some(("id", value)) => message.id = Some(value.trim().to_owned()),
                Some(("data", value)) => message.data += value.strip_prefix(' ').unwrap_or(value),
                None if !message.event.is_empty() => return Some(message),
                _ => {}
            }
        }
    }
}
