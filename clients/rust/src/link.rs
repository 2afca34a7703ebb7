use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, Pipeline, RedisConnectionInfo, RedisError,
    RedisResult, Value, cmd,
};

use crate::address::{Address, Place, connection_info};
use crate::patience::in_time;

/// A connection that was silent for so long may be dead without anybody having noticed. It is
/// asked first: an event that goes into a dead connection is lost.
const SILENCE_MAX: Duration = Duration::from_millis(5);

/// Why nothing was written, or nothing is known.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Nothing was sent.
    Unsent(String),
    /// It was sent, and no answer came.
    Unanswered(String),
}

/// The connection to Redis, made anew whenever it has to be.
pub(crate) struct Link {
    address: Address,
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "only TLS asks for it"))]
    tls_root: Option<Vec<u8>>,
    wait: Duration,
    open: Option<Open>,
    /// Where a node of a cluster said that the stream is.
    moved: Option<ConnectionAddr>,
    /// Commands were handed over, and nothing is known of them yet.
    is_under_way: bool,
}

struct Open {
    connection: MultiplexedConnection,
    answered: Instant,
}

impl Link {
    pub(crate) fn new(address: Address, tls_root: Option<Vec<u8>>, wait: Duration) -> Self {
        Self { address, tls_root, wait, open: None, moved: None, is_under_way: false }
    }

    /// Sends the commands in one round trip; an answer for each.
    pub(crate) async fn exchange(&mut self, commands: &Pipeline) -> Result<Vec<Value>, Trouble> {
        self.answering().await.map_err(Trouble::Unsent)?;
        let Some(open) = &mut self.open else { return Err(Trouble::Unsent("there is no connection".to_owned())) };
        // Whoever gives up while a connection is being made has sent nothing.
        self.is_under_way = true;
        let answers = in_time(self.wait, open.connection.send_packed_commands(commands, 0, commands.len())).await;
        self.is_under_way = false;
        let trouble = match answers {
            Ok(Ok(answers)) if answers.len() == commands.len() => {
                open.answered = Instant::now();
                return Ok(answers);
            }
            Ok(Ok(answers)) => format!("{} answers to {} commands", answers.len(), commands.len()),
            Ok(Err(error)) => words(&error),
            Err(_) => format!("no answer within {:?}", self.wait),
        };
        self.close();
        Err(Trouble::Unanswered(trouble))
    }

    /// Were commands handed over of which nothing is known, since nobody waited for the answers?
    pub(crate) fn is_under_way(&self) -> bool {
        self.is_under_way
    }

    /// How full the memory of Redis is, where it has a limit and tells.
    pub(crate) async fn memory_share(&mut self) -> Option<f64> {
        let open = self.answering().await.ok()?;
        let mut info = cmd("INFO");
        info.arg("memory");
        let text: String = in_time(open.wait, info.query_async(open.connection)).await.ok()?.ok()?;
        let number = |name: &str| -> Option<f64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.trim().parse().ok()
        };
        let (used, most) = (number("used_memory")?, number("maxmemory")?);
        (most > 0.0).then(|| used / most)
    }

    /// Connects anew before the next command.
    pub(crate) fn close(&mut self) {
        self.open = None;
    }

    /// Goes to that node next.
    pub(crate) fn go_to(&mut self, host: &str, port: u16) {
        self.close();
        self.moved = Some(self.address.named(host, port));
    }

    /// A connection whose other end lives.
    async fn answering(&mut self) -> Result<Answering<'_>, String> {
        let silent = self.open.as_ref().is_none_or(|open| open.answered.elapsed() > SILENCE_MAX);
        if silent && let Some(mut open) = self.open.take() {
            // One that does not answer is not even worth a word: a new one says what is wrong.
            if self.ping(&mut open.connection).await.is_ok() {
                self.open = Some(Open { answered: Instant::now(), ..open });
            }
        }
        if self.open.is_none() {
            let mut connection = self.connect().await?;
            self.ping(&mut connection).await?;
            self.open = Some(Open { connection, answered: Instant::now() });
        }
        match &mut self.open {
            Some(open) => Ok(Answering { connection: &mut open.connection, wait: self.wait }),
            None => Err("there is no connection".to_owned()),
        }
    }

    async fn ping(&self, connection: &mut MultiplexedConnection) -> Result<(), String> {
        let answer = in_time(self.wait, cmd("PING").exec_async(connection)).await;
        match answer {
            Err(_) => Err(format!("no answer within {:?}", self.wait)),
            // Whoever may write but not ask does get an answer.
            Ok(Err(error)) if error.code() == Some("NOPERM") => Ok(()),
            Ok(answer) => answer.map_err(|error| words(&error)),
        }
    }

    async fn connect(&mut self) -> Result<MultiplexedConnection, String> {
        let mut trouble = "no address".to_owned();
        for server in self.candidates().await? {
            match self.open_connection(self.address.info(server)).await {
                Ok(connection) => return Ok(connection),
                Err(error) => trouble = error,
            }
        }
        Err(trouble)
    }

    /// The servers to try, one after another.
    async fn candidates(&mut self) -> Result<Vec<ConnectionAddr>, String> {
        match &self.address.place {
            Place::Server(server) => Ok(vec![server.clone()]),
            // The node named last may be gone: it is tried once, and before the others.
            Place::Nodes(nodes) => Ok(self.moved.take().into_iter().chain(nodes.iter().cloned()).collect()),
            Place::Sentinels { addresses, master } => {
                let mut trouble = "no sentinel".to_owned();
                for sentinel in addresses {
                    match self.ask_sentinel(sentinel.clone(), master).await {
                        Ok(server) => return Ok(vec![server]),
                        Err(error) => trouble = error,
                    }
                }
                Err(trouble)
            }
        }
    }

    async fn ask_sentinel(&self, sentinel: ConnectionAddr, master: &str) -> Result<ConnectionAddr, String> {
        let login = RedisConnectionInfo::default().set_skip_set_lib_name();
        let mut connection = self.open_connection(connection_info(sentinel, login)).await?;
        let mut question = cmd("SENTINEL");
        question.arg("get-master-addr-by-name").arg(master);
        let answer = in_time(self.wait, question.query_async::<Option<(String, u16)>>(&mut connection)).await;
        match answer {
            Ok(Ok(Some((host, port)))) => Ok(self.address.named(&host, port)),
            Ok(Ok(None)) => Err(format!("the sentinel knows no master `{master}`")),
            Ok(Err(error)) => Err(words(&error)),
            Err(_) => Err(format!("no answer from a sentinel within {:?}", self.wait)),
        }
    }

    #[cfg(feature = "tls")]
    fn client(&self, info: ConnectionInfo) -> RedisResult<Client> {
        if !matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            return Client::open(info);
        }
        // There may be a provider already, which then is the application's choice.
        let _ = rustls::crypto::ring::default_provider().install_default();
        match self.tls_root.clone() {
            Some(pem) => {
                Client::build_with_tls(info, redis::TlsCertificates { client_tls: None, root_cert: Some(pem) })
            }
            None => Client::open(info),
        }
    }

    /// No address asks for TLS: it would not have been taken.
    #[cfg(not(feature = "tls"))]
    fn client(&self, info: ConnectionInfo) -> RedisResult<Client> {
        Client::open(info)
    }

    async fn open_connection(&self, info: ConnectionInfo) -> Result<MultiplexedConnection, String> {
        let shown = shown(info.addr());
        let client = self.client(info);
        // The time is kept here, for everything that is asked.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connect = async { client?.get_multiplexed_async_connection_with_config(&config).await };
        match in_time(self.wait, connect).await {
            Ok(connected) => connected.map_err(|error| format!("cannot reach {shown}: {}", words(&error))),
            Err(_) => Err(format!("cannot reach {shown} within {:?}", self.wait)),
        }
    }
}

struct Answering<'a> {
    connection: &'a mut MultiplexedConnection,
    wait: Duration,
}

/// With brackets around an IPv6 address, or its end would pass for the port.
fn shown(address: &ConnectionAddr) -> String {
    match address {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } if host.contains(':') => {
            format!("[{host}]:{port}")
        }
        address => address.to_string(),
    }
}

fn words(error: &RedisError) -> String {
    // Errors of the server hold its words; no error holds a password.
    error.to_string()
}
