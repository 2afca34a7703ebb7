//! `serve`: the page and the API, over the questions of the command line.

mod description;
mod follow;
mod jaeger;
mod own;
mod postgres;
mod questions;
mod shapes;
mod words;

use std::ffi::OsString;
use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use emp_postgres::Encryption;
use emp_query::usual_memory_bytes;
use emp_serve::{Allowed, Place, QUESTIONS_AT_ONCE, Questions, Server, Settings, Tls, Token, acceptor, answer_one};
use emp_units::parse_positive_duration;

use super::answer::runtime;
use super::end_signals::EndSignals;
use crate::cli::failure::{Failure, Outcome, say};
use crate::cli::options::{FormatOption, Options};
use postgres::{Apart, OfStatements};
pub(super) use questions::OfStore;

/// Serve the page and the HTTP API: read-only, to whoever knows the token
///
/// It prints a link, by which a browser signs in. Programs send the token of the link as `Authorization: Bearer`. Each
/// question of this command line is answered under /api/v1/, as JSON; /api/v1/openapi.json describes them. Nothing in the store
/// is changed. Ctrl-C or SIGTERM ends it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  emp-events serve
  emp-events --store data/sample serve                   the sample store needs no Redis
  emp-events serve --token-file ~/.emp-events-token      the same link after each start
  emp-events serve --pg-listen 127.0.0.1:5433            and psql -h 127.0.0.1 -p 5433 events
  emp-events serve --listen 0.0.0.0:7373 --allow-host events.example.org \\
      --tls-certificate fullchain.pem --tls-key key.pem
  emp-events serve --socket /run/emp-events.sock --base-path /events --allow-host example.org")]
pub(crate) struct Serve {
    /// Where to listen; beyond this machine only with --allow-host
    #[arg(long, value_name = "ADDRESS:PORT", env = "EMP_EVENTS_LISTEN", default_value = "127.0.0.1:7373")]
    listen: SocketAddr,
    /// Listen at a socket in the file system instead, for a proxy on this machine
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// What stands before each path, where a proxy serves other things, too: /events
    #[arg(long, value_name = "PATH", default_value = "", value_parser = base_path)]
    base_path: String,
    /// A name under which this server is asked, with its port where browsers show one; may be repeated
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// Where the token is kept; it is made where it is missing [default: a new token at each start]
    #[arg(long, value_name = "FILE", env = "EMP_EVENTS_TOKEN_FILE", conflicts_with = "no_token")]
    token_file: Option<PathBuf>,
    /// Let everybody ask who can reach this server
    #[arg(long)]
    no_token: bool,
    /// A second token that reads /metrics and nothing else
    #[arg(long, value_name = "TOKEN", env = "EMP_EVENTS_METRICS_TOKEN", hide_env_values = true)]
    metrics_token: Option<String>,
    /// Speak HTTPS by this certificate, a file in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Its key, a file in PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Answer SQL over PostgreSQL's protocol there, too: psql, Grafana and others; any user, and the token is the password
    #[arg(long, value_name = "ADDR", env = "EMP_EVENTS_PG_LISTEN")]
    pg_listen: Option<SocketAddr>,
    /// There speak TLS by this certificate, a file in PEM [default: that of --tls-certificate]
    #[arg(long, value_name = "FILE", requires_all = ["pg_tls_key", "pg_listen"])]
    pg_tls_certificate: Option<PathBuf>,
    /// Its key, a file in PEM
    #[arg(long, value_name = "FILE", requires = "pg_tls_certificate")]
    pg_tls_key: Option<PathBuf>,
    /// How long a question may take
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_positive_duration)]
    time_limit: Duration,
    /// Serve the page's files from this folder, while working on them
    #[arg(long, value_name = "FOLDER")]
    assets: Option<PathBuf>,
    /// Answer one question, which a server asks at stdin
    #[arg(long, hide = true)]
    answer_one: bool,
    /// The same with a statement of one that speaks PostgreSQL's protocol
    #[arg(long, hide = true)]
    answer_statement: bool,
}

/// Beside what sorting, grouping and joining may use, a question has what it decodes, and its answer.
const BESIDE_BYTES: u64 = 768 << 20;
/// Bytes of the answer to a statement of PostgreSQL's protocol, which is sent as it comes.
const STATEMENT_BYTES_MAX: usize = 1 << 30;
/// As long as somebody takes its answer.
const STATEMENT_TIME_MAX: Duration = Duration::from_secs(24 * 3_600);
/// With less not even small sorts succeed.
const QUESTION_BYTES_MIN: u64 = 64 << 20;

impl Serve {
    pub fn run(self, options: &Options) -> Outcome {
        options.allow_formats(&FormatOption::OF_SENTENCES)?;
        if self.answer_one || self.answer_statement {
            return self.answer(options);
        }
        let settings = self.settings()?;
        let is_in_file = self.token_file.is_some();
        let token = settings.token.clone();
        let words = words_of_child("--answer-one");
        let questions: Arc<dyn Questions> = Arc::new(OfStore::new(options.clone(), runtime()?, words));
        let of_requests = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        of_requests.block_on(async {
            let mut signals = EndSignals::watch()?;
            let server = Server::start(settings, Arc::clone(&questions)).await?;
            self.answer_statements(options, &server, token.as_ref())?;
            self.say_where(options, &server, token.as_ref(), is_in_file)?;
            server.run(signals.any()).await;
            Ok::<_, Failure>(())
        })?;
        // What is still being answered has nobody who waits for it.
        std::process::exit(0)
    }

    /// One question, of those that may be answered at once: all of them together have the memory of one command.
    fn answer(&self, options: &Options) -> Outcome {
        let memory = options.asking.memory.unwrap_or_else(usual_memory_bytes) / QUESTIONS_AT_ONCE as u64;
        let mut options = options.clone();
        options.asking.memory = Some(memory.max(QUESTION_BYTES_MIN));
        let memory_bytes = Some(memory.saturating_add(BESIDE_BYTES));
        let may = Allowed { time: self.time_limit, memory_bytes, answer_bytes: None };
        let done = match self.answer_statement {
            true => {
                // Whoever asked counts its time, from one part of the answer to the next.
                let may = Allowed { time: STATEMENT_TIME_MAX, answer_bytes: Some(STATEMENT_BYTES_MAX), ..may };
                answer_one(Arc::new(OfStatements { options, runtime: Some(runtime()?), words: Vec::new() }), may)
            }
            false => answer_one(Arc::new(OfStore::new(options, runtime()?, Vec::new())), may),
        };
        // What it did not finish is of no use any more.
        std::process::exit(i32::from(done.is_err()))
    }

    /// Begins to answer SQL over PostgreSQL's protocol, where that is asked for.
    fn answer_statements(&self, options: &Options, server: &Server, token: Option<&Token>) -> Result<(), Failure> {
        let Some(address) = self.pg_listen else { return Ok(()) };
        let is_beyond = !address.ip().is_loopback();
        if is_beyond && token.is_none() {
            let message = format!("--no-token would show all events to whoever reaches {address}: leave it out");
            return Err(Failure::Usage(message));
        }
        let words = words_of_child("--answer-statement");
        let statements = Arc::new(OfStatements { options: options.clone(), runtime: None, words });
        let apart = Arc::new(Apart { aside: server.aside(), statements });
        let encryption = self.encryption()?;
        let is_encrypted = encryption.is_some();
        let listening = emp_postgres::listen(address, token.map(Token::reveal), encryption, apart)?;
        let address = listening.address;
        say(&format!("PostgreSQL's protocol is spoken at {address}; the token is the password of every user"));
        if is_beyond && !is_encrypted {
            say(
                "what is answered there is not encrypted: give it a certificate by --pg-tls-certificate and --pg-tls-key",
            );
        }
        Ok(())
    }

    /// What encrypts PostgreSQL's protocol: a certificate of its own, or that of HTTPS.
    fn encryption(&self) -> Result<Option<Encryption>, Failure> {
        let own = self.pg_tls_certificate.as_ref().zip(self.pg_tls_key.as_ref());
        let of_https = self.tls_certificate.as_ref().zip(self.tls_key.as_ref());
        let Some((certificate, key)) = own.or(of_https) else { return Ok(None) };
        let acceptor = acceptor(&Tls { certificate: certificate.clone(), key: key.clone() }, b"postgresql")?;
        let read = fs::read(certificate).with_context(|| format!("cannot read {}", certificate.display()))?;
        Ok(Some(Encryption { acceptor, certificate: read }))
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let is_beyond = self.socket.is_none() && !self.listen.ip().is_loopback();
        if is_beyond && self.no_token {
            return Err(Failure::Usage(format!(
                "--no-token would show all events to whoever reaches {}: leave it out",
                self.listen
            )));
        }
        if is_beyond && self.allow_host.is_empty() {
            return Err(Failure::Usage(format!(
                "--listen {} is reached from other machines: say by --allow-host under which name",
                self.listen
            )));
        }
        let metrics_token = self.metrics_token.as_deref().map(|text| chosen(text, "--metrics-token")).transpose()?;
        Ok(Settings {
            place: self.socket.clone().map_or(Place::Address(self.listen), Place::Socket),
            base_path: self.base_path.clone(),
            allowed_hosts: self.allow_host.clone(),
            token: if self.no_token { None } else { Some(self.token()?) },
            metrics_token,
            assets: self.assets.clone(),
            tls: self
                .tls_certificate
                .clone()
                .zip(self.tls_key.clone())
                .map(|(certificate, key)| Tls { certificate, key }),
            time_limit: self.time_limit,
        })
    }

    fn token(&self) -> Result<Token, Failure> {
        let Some(path) = &self.token_file else { return Ok(Token::random()) };
        match fs::read_to_string(path) {
            Ok(text) => chosen(text.trim(), &path.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(new_token(path)?),
            Err(error) => Err(anyhow::Error::from(error).context(format!("cannot read {}", path.display())).into()),
        }
    }

    /// Says where the page is: on stdout the link alone, as a program takes it.
    fn say_where(
        &self,
        options: &Options,
        server: &Server,
        token: Option<&Token>,
        is_in_file: bool,
    ) -> Result<(), Failure> {
        let store = options.shown_store();
        let Some(url) = server.url() else {
            let socket = self.socket.as_deref().unwrap_or(Path::new("")).display();
            say(&format!("serving {store} at the socket {socket}"));
            if let Some(token) = token.filter(|_| !is_in_file) {
                say(&format!("its token is {}", token.reveal()));
            }
            return Ok(());
        };
        let mut out = std::io::stdout().lock();
        match token {
            // Where a log keeps what is printed, the file keeps the secret.
            Some(_) if is_in_file && !out.is_terminal() => {
                let file = self.token_file.as_deref().unwrap_or(Path::new("")).display();
                say(&format!("serving {store}; the token that signs in is in {file}"));
                writeln!(out, "{url}")?;
            }
            Some(token) => {
                say(&format!("serving {store}; open this link, which signs in whoever has it:"));
                writeln!(out, "{url}#token={}", token.reveal())?;
            }
            None => {
                say(&format!(
                    "serving {store} WITHOUT A TOKEN: every user and program of this machine can read all events"
                ));
                writeln!(out, "{url}")?;
            }
        }
        Ok(out.flush()?)
    }
}

/// The words of this very command line, for a process that answers one question.
fn words_of_child(what: &str) -> Vec<OsString> {
    std::env::args_os().skip(1).chain([what.into()]).collect()
}

/// Makes a token, in a file that nobody else can read.
fn new_token(path: &Path) -> anyhow::Result<Token> {
    const PERMISSIONS: u32 = 0o600;
    let token = Token::random();
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(PERMISSIONS).open(path);
    let written = file.and_then(|mut file| writeln!(file, "{}", token.reveal()));
    written.with_context(|| format!("cannot write the token to {}", path.display()))?;
    Ok(token)
}

fn chosen(text: &str, place: &str) -> Result<Token, Failure> {
    Token::chosen(text).ok_or_else(|| {
        Failure::Usage(format!(
            "{place} holds no token: 16 to 256 letters, digits or any of -._~ (delete it to have one made)"
        ))
    })
}

/// A path without a `/` at its end.
fn base_path(text: &str) -> Result<String, String> {
    let path = text.trim_end_matches('/');
    let is_fit = |part: &str| {
        let is_plain = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        !part.is_empty() && part != "." && part != ".." && is_plain
    };
    let is_path = path.is_empty() || path.strip_prefix('/').is_some_and(|inside| inside.split('/').all(is_fit));
    is_path.then(|| path.to_owned()).ok_or_else(|| "expected a path such as /events".to_owned())
}
