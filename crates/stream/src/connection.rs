use std::io;
use std::time::Duration;

use redis::{Cmd, ConnectionAddr, Pipeline, RedisConnectionInfo, Value, cmd};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::reply::{self, StreamState};
use super::resp::{Answer, Parser};
use super::{RedisAddress, StreamError, tls};

/// How long an attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long Redis may be silent while an answer is due. Longer than [`super::GroupReader::wait`] blocks. An
/// answer that keeps coming may take as long as the line needs.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(15);
/// The room for an answer that nothing is known about, and what it grows by at least.
const READ_BYTES: usize = 64 << 10;
/// With less room left, more is made before the next read.
const ROOM_MIN: usize = 4 << 10;

/// A connection, and the names that its errors speak of.
///
/// One request at a time. Where a request is given up before it was answered, the connection is
/// of no use any more, and says so.
pub struct Connection {
    socket: Box<dyn Socket>,
    /// Is an answer still to come that nobody waits for?
    is_left_over: bool,
    /// The bytes and tokens of the last answer: most answers are about as large as the one before, and a
    /// list that grows is there twice while it is moved.
    last_size: (usize, usize),
    address: String,
    pub(super) stream: String,
    pub(super) group: String,
}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

impl Connection {
    /// Connects and logs in.
    ///
    /// # Errors
    /// [`StreamError::Unreachable`] or [`StreamError::Refused`].
    pub async fn open(address: &RedisAddress, stream: &str, group: &str) -> Result<Self, StreamError> {
        let mut connection = Self::connect(&address.server().await?, stream, group).await?;
        let login = address.login();
        connection.log_in(login).await?;
        if login.db() != 0 {
            connection.command(cmd("SELECT").arg(login.db())).await?;
        }
        // A server that wants a password says so now, and not in the middle of the work.
        connection.command(&cmd("PING")).await?;
        Ok(connection)
    }

    /// Connects, and asks for nothing.
    pub(super) async fn connect(server: &ConnectionAddr, stream: &str, group: &str) -> Result<Self, StreamError> {
        let address = server.to_string();
        let socket = timeout(CONNECT_TIMEOUT, connect(server));
        let socket = socket.await.unwrap_or_else(|_| Err(timed_out(CONNECT_TIMEOUT)));
        let socket = socket.map_err(|error: io::Error| StreamError::Unreachable {
            address: address.clone(),
            detail: error.to_string(),
        })?;
        Ok(Self::on(socket, address, stream, group))
    }

    /// Over a socket that is open and logged in already: one of the caller's own. `address` is what errors call it.
    pub fn over(
        socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        address: &str,
        stream: &str,
        group: &str,
    ) -> Self {
        Self::on(Box::new(socket), address.to_owned(), stream, group)
    }

    fn on(socket: Box<dyn Socket>, address: String, stream: &str, group: &str) -> Self {
        let (stream, group) = (stream.to_owned(), group.to_owned());
        Self { socket, is_left_over: false, last_size: (0, 0), address, stream, group }
    }

    /// Says who we are, where the address does.
    pub(super) async fn log_in(&mut self, login: &RedisConnectionInfo) -> Result<(), StreamError> {
        let Some(password) = login.password() else { return Ok(()) };
        let mut command = cmd("AUTH");
        command.arg(login.username()).arg(password);
        self.command(&command).await.map(drop)
    }

    /// One command; its answer.
    pub(super) async fn command(&mut self, command: &Cmd) -> Result<Value, StreamError> {
        Ok(self.exchange(&command.get_packed_command(), 1, usize::MAX).await?.value(0))
    }

    /// One command; its answer as it came. Beyond about `kept` bytes, only its short strings are there.
    pub(super) async fn answer(&mut self, command: &Cmd, kept: usize) -> Result<Answer, StreamError> {
        self.exchange(&command.get_packed_command(), 1, kept).await
    }

    /// One command; of its answer the short strings alone, such as IDs.
    pub(super) async fn outline(&mut self, command: &Cmd) -> Result<Value, StreamError> {
        Ok(self.exchange(&command.get_packed_command(), 1, 0).await?.value(0))
    }

    /// Commands on their own, in one round trip; an answer for each.
    pub(super) async fn pipeline(&mut self, pipeline: &Pipeline) -> Result<Vec<Value>, StreamError> {
        let count = pipeline.len();
        let answer = self.exchange(&pipeline.get_packed_pipeline(), count, usize::MAX).await?;
        let mut at = 0;
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(answer.value(at));
            at = answer.behind(at);
        }
        Ok(values)
    }

    /// Commands of one moment. The answer, and where in it that of each command stands. Beyond about `kept`
    /// bytes, only its short strings are there.
    pub(super) async fn transaction(
        &mut self,
        commands: &Pipeline,
        kept: usize,
    ) -> Result<(Answer, Vec<usize>), StreamError> {
        // MULTI, a word that each is queued, and then all at once.
        let words = commands.len() + 1;
        let answer = self.exchange(&commands.get_packed_pipeline(), words + 1, kept).await?;
        let parts = answer.parts(words);
        if parts.len() == commands.len() {
            return Ok((answer, parts));
        }
        Err(StreamError::Reply {
            command: "EXEC",
            detail: format!("{} answers to {} commands", parts.len(), words - 1),
        })
    }

    async fn exchange(&mut self, request: &[u8], answers: usize, kept: usize) -> Result<Answer, StreamError> {
        if std::mem::replace(&mut self.is_left_over, true) {
            let detail = "an earlier request was given up".to_owned();
            return Err(StreamError::Unreachable { address: self.address.clone(), detail });
        }
        let sent = timeout(RESPONSE_TIMEOUT, self.send(request)).await;
        sent.unwrap_or_else(|_| Err(self.unreachable(&timed_out(RESPONSE_TIMEOUT))))?;
        let answer = self.receive(answers, kept).await?;
        self.is_left_over = false;
        match answer.error() {
            None => Ok(answer),
            Some(line) => {
                let line = String::from_utf8_lossy(line);
                Err(StreamError::from_answer(&line, &self.address, &self.stream, &self.group))
            }
        }
    }

    async fn send(&mut self, request: &[u8]) -> Result<(), StreamError> {
        self.socket.write_all(request).await.map_err(|error| self.unreachable(&error))?;
        // TLS keeps what it has not been told to send.
        self.socket.flush().await.map_err(|error| self.unreachable(&error))
    }

    async fn receive(&mut self, answers: usize, kept: usize) -> Result<Answer, StreamError> {
        let (last_bytes, last_tokens) = self.last_size;
        let mut bytes = Vec::with_capacity((last_bytes + last_bytes / 16).max(READ_BYTES) + ROOM_MIN);
        let mut parser = Parser::new(last_tokens + last_tokens / 16, kept);
        loop {
            let is_whole = parser
                .advance(&mut bytes, answers)
                .map_err(|malformed| StreamError::Reply { command: "a request", detail: malformed.0 })?;
            if is_whole {
                let answer = parser.finish(bytes);
                self.last_size = answer.size();
                return Ok(answer);
            }
            if bytes.capacity() - bytes.len() < ROOM_MIN {
                bytes.reserve(READ_BYTES);
            }
            let read = timeout(RESPONSE_TIMEOUT, self.socket.read_buf(&mut bytes)).await;
            let read = read.unwrap_or_else(|_| Err(timed_out(RESPONSE_TIMEOUT)));
            if read.map_err(|error| self.unreachable(&error))? == 0 {
                return Err(self.unreachable(&io::Error::other("the connection was closed")));
            }
        }
    }

    /// What an answer of XINFO STREAM says.
    pub(super) fn stream_state(&self, answer: Value) -> Result<StreamState, StreamError> {
        reply::stream_state(answer)?.ok_or_else(|| StreamError::TooOld { address: self.address.clone() })
    }

    fn unreachable(&self, error: &io::Error) -> StreamError {
        StreamError::Unreachable { address: self.address.clone(), detail: error.to_string() }
    }
}

async fn connect(address: &ConnectionAddr) -> io::Result<Box<dyn Socket>> {
    match address {
        ConnectionAddr::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        ConnectionAddr::Tcp(host, port) => Ok(Box::new(connect_tcp(host, *port).await?)),
        ConnectionAddr::TcpTls { host, port, .. } => {
            Ok(Box::new(tls::secured(connect_tcp(host, *port).await?, host).await?))
        }
        _ => Err(io::Error::other("this kind of address is not supported")),
    }
}

async fn connect_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let socket = TcpStream::connect((host, port)).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

fn timed_out(after: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", after.as_secs()))
}
